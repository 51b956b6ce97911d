//! TCP connections to endpoints in turn, under one deadline.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use meshtls_policy::{Address, Endpoint};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

use crate::ConnectError;

/// What has been tried so far.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    pub(crate) attempts: usize,
    pub(crate) last: Option<SocketAddr>,
}

/// Connects to the first of `endpoints` that takes the connection.
///
/// All of it, resolving included, takes at most `within`, and at most `max_attempts` connections are tried. An address
/// that does not answer gets no more than its share of the time while there are others. The last failure is given; if
/// there is no endpoint, that is `none`.
pub(crate) async fn dial(
    endpoints: Vec<Endpoint>,
    none: ConnectError,
    within: Duration,
    max_attempts: usize,
    tried: &mut Tried,
) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let deadline = Instant::now() + within;
    let mut failure = none;
    let mut queue: VecDeque<_> = endpoints
        .into_iter()
        .map(|endpoint| (endpoint.address, endpoint.port))
        .collect();
    while let Some((address, port)) = queue.pop_front() {
        match address {
            Address::Host(host) => match resolve(&host, port, deadline).await {
                Ok(found) => found
                    .into_iter()
                    .rev()
                    .for_each(|found| queue.push_front((Address::Ip(found.ip()), port))),
                Err(source) => failure = ConnectError::Resolve { host, source },
            },
            // Istio's proxy can reach these, a process without one cannot.
            Address::Unix(_) | Address::Unset => {}
            Address::Ip(ip) => {
                let endpoint = SocketAddr::new(ip, port);
                tried.attempts = tried.attempts.saturating_add(1);
                tried.last = Some(endpoint);
                let others = queue.len().min(max_attempts.saturating_sub(tried.attempts));
                match timeout(share(deadline, others), TcpStream::connect(endpoint)).await {
                    Ok(Ok(stream)) => {
                        // The end of our handshake and the first bytes of the application are two small writes in a row;
                        // with Nagle's algorithm the second one waits for the server's delayed acknowledgement.
                        stream.set_nodelay(true).ok();
                        return Ok((stream, endpoint));
                    }
                    Ok(Err(source)) => {
                        failure =
                            ConnectError::Connect { endpoint, attempts: tried.attempts, source };
                    }
                    Err(_elapsed) => {
                        let attempts = tried.attempts;
                        failure = ConnectError::ConnectTimeout { endpoint, attempts, within };
                    }
                }
                if others == 0 {
                    break;
                }
            }
        }
    }
    Err(failure)
}

/// The addresses of `host`, each once.
async fn resolve(host: &str, port: u16, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
    let mut found: Vec<SocketAddr> = timeout_at(deadline, lookup_host((host, port)))
        .await??
        .collect();
    found.dedup();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(found)
}

/// An equal part of the time left, with as many other addresses to come.
fn share(deadline: Instant, others: usize) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    left / u32::try_from(others.saturating_add(1)).unwrap_or(u32::MAX)
}
