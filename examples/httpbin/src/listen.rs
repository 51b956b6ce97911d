//! The value of `--listen`: `ADDR[,port=N][,protocol=http|tcp|auto][,server-first]`.

use std::net::SocketAddr;
use std::str::FromStr;

use meshtls::acceptor::PortProtocol;
use meshtls::{ListenError, MeshListener, Workload};

/// One listener as the command line describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    address: SocketAddr,
    port: Option<u16>,
    protocol: PortProtocol,
    server_first: bool,
}

impl Listen {
    /// Binds the listener for `workload`.
    pub(crate) async fn bind(&self, workload: &Workload) -> Result<MeshListener, ListenError> {
        let mut listen = workload.listen(self.address).protocol(self.protocol);
        if let Some(port) = self.port {
            listen = listen.workload_port(port);
        }
        if self.server_first {
            listen = listen.server_first();
        }
        listen.bind().await
    }

    /// What the listener is for, when it is bound to port `bound`.
    pub(crate) fn describe(&self, bound: u16) -> String {
        let order = if self.server_first { ", server first" } else { "" };
        let protocol = match self.protocol {
            PortProtocol::Http => "http",
            PortProtocol::Tcp => "tcp",
            PortProtocol::Auto => "auto",
        };
        format!("workload port {}, protocol {protocol}{order}", self.port.unwrap_or(bound))
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(',');
        let address = parts.next().unwrap_or_default();
        let mut listen = Self {
            address: address
                .parse()
                .map_err(|_no_address| format!("`{address}` is no ADDRESS:PORT"))?,
            port: None,
            protocol: PortProtocol::Auto,
            server_first: false,
        };
        for part in parts {
            match part.split_once('=') {
                Some(("port", number)) => match number.parse() {
                    Ok(port) if port > 0 => listen.port = Some(port),
                    _ => return Err(format!("`{number}` is no port: write port=1 to port=65535")),
                },
                Some(("protocol", "http")) => listen.protocol = PortProtocol::Http,
                Some(("protocol", "tcp")) => listen.protocol = PortProtocol::Tcp,
                Some(("protocol", "auto")) => listen.protocol = PortProtocol::Auto,
                None if part == "server-first" => listen.server_first = true,
                _ => {
                    return Err(format!(
                        "`{part}` is unknown: write port=N, protocol=http|tcp|auto or server-first"
                    ));
                }
            }
        }
        Ok(listen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_part_and_refuses_the_rest() {
        let plain = Listen {
            address: ([127, 0, 0, 1], 80).into(),
            port: None,
            protocol: PortProtocol::Auto,
            server_first: false,
        };
        let full =
            Listen { port: Some(9080), protocol: PortProtocol::Http, server_first: true, ..plain };
        for (text, want) in [
            ("127.0.0.1:80", Ok(plain)),
            ("127.0.0.1:80,port=9080,protocol=http,server-first", Ok(full)),
            ("127.0.0.1:80,protocol=tcp", Ok(Listen { protocol: PortProtocol::Tcp, ..plain })),
            ("localhost:80", Err("`localhost:80` is no ADDRESS:PORT".to_owned())),
            ("127.0.0.1:80,port=0", Err("`0` is no port: write port=1 to port=65535".to_owned())),
            (
                "127.0.0.1:80,protocol=udp",
                Err("`protocol=udp` is unknown: write port=N, protocol=http|tcp|auto or server-first".to_owned()),
            ),
        ] {
            assert_eq!(text.parse(), want, "{text}");
        }
    }
}
