//! The server name indication of a mesh connection.

use std::fmt;

use rustls_pki_types::ServerName;
use serde::Serialize;

/// The name that a ClientHello carries, or why it carries none.
///
/// A sidecar picks no filter chain by this name, so a connection without it still works.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a name is sent, or cannot be, or there is no TLS")]
pub enum Sni {
    /// This name is sent, such as `outbound_.8000_._.httpbin.foo.svc.cluster.local`.
    Sent(String),
    /// This name should be sent, but no TLS client of ours can: it has a wildcard in it, or more than 253 bytes.
    Unsendable(String),
    /// There is no TLS.
    None,
}

impl Sni {
    /// What is done about `name`.
    pub(crate) fn of(name: String) -> Self {
        if dns_name(&name).is_some() { Self::Sent(name) } else { Self::Unsendable(name) }
    }

    /// The name for rustls. `None`: the extension is left out.
    pub(crate) fn server_name(&self) -> Option<ServerName<'static>> {
        match self {
            Self::Sent(name) => dns_name(name),
            Self::Unsendable(_) | Self::None => None,
        }
    }
}

impl fmt::Display for Sni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent(name) => f.write_str(name),
            Self::Unsendable(name) => write!(f, "none, `{name}` cannot be sent"),
            Self::None => f.write_str("none"),
        }
    }
}

fn dns_name(name: &str) -> Option<ServerName<'static>> {
    match ServerName::try_from(name) {
        Ok(ServerName::DnsName(dns)) => Some(ServerName::DnsName(dns.to_owned())),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Sni;

    #[test]
    fn names_that_rustls_cannot_send_are_left_out_and_said() {
        let longest = format!("outbound_.80_._.{}a", "a.".repeat(118));
        let too_long = format!("{longest}.aa");
        for (name, sent) in [
            ("outbound_.8000_._.httpbin.foo.svc.cluster.local", true),
            ("outbound_.443_._.*.example.com", false),
            ("", false),
            ("127.0.0.1", false),
            (&*longest, true),
            (&*too_long, false),
        ] {
            let sni = Sni::of(name.to_owned());
            assert_eq!(sni.server_name().is_some(), sent, "{name} {}", name.len());
            assert_eq!(matches!(sni, Sni::Sent(_)), sent, "{name}");
        }
        assert_eq!(longest.len(), 253);
        assert_eq!(Sni::of("*.x".into()).to_string(), "none, `*.x` cannot be sent");
    }
}
