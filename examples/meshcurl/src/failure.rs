//! What can go wrong, with curl's exit codes.

use std::error::Error;
use std::io;
use std::time::Duration;

use meshtls::StartError;
use meshtls::connector::{ConnectError, refusal_of};
use meshtls::rustls::{HandshakeError, OriginationError, WithCauses};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line makes no request.
    Usage(Box<dyn Error>),
    /// The client could not start.
    Start(StartError),
    /// There is no connection.
    Connect(ConnectError),
    /// The connection failed.
    Http(hyper::Error),
    /// The body could not be read, or is too large.
    Body(Box<dyn Error + Send + Sync>),
    /// The output could not be written.
    Write(io::Error),
    /// It took too long.
    TooSlow(Duration),
}

impl Failure {
    /// The exit code that curl gives for the same.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Start(StartError::Policies(_) | StartError::Text(_)) => 2,
            Self::Start(_) => 58,
            Self::Connect(error) => match error {
                ConnectError::Resolve { .. }
                | ConnectError::NoEndpoints { .. }
                | ConnectError::Refused { .. } => 6,
                ConnectError::Connect { .. } => 7,
                ConnectError::ConnectTimeout { .. } | ConnectError::HandshakeTimeout { .. } => 28,
                ConnectError::NoIdentity(_)
                | ConnectError::OwnIdentity(_)
                | ConnectError::Origination { .. } => 58,
                ConnectError::Unnamed { .. }
                | ConnectError::NoMeshName { .. }
                | ConnectError::SecureNaming { .. }
                | ConnectError::NoServerName { .. }
                | ConnectError::WrongServerName { .. }
                | ConnectError::OriginationHandshake {
                    source: OriginationError::Rejected(_),
                    ..
                }
                | ConnectError::Handshake { source: HandshakeError::Rejected(_), .. } => 60,
                _ => 35,
            },
            Self::Http(error) if is_end_of_stream(error) => 52,
            Self::Http(_) | Self::Body(_) => 56,
            Self::Write(_) => 23,
            Self::TooSlow(_) => 28,
        }
    }

    /// The error and its causes, and what a TLS alert on the first read means.
    pub(crate) fn story(&self) -> String {
        let error: &dyn Error = match self {
            Self::Usage(error) => &**error,
            Self::Start(error) => error,
            Self::Connect(error) => error,
            Self::Http(error) => error,
            Self::Body(error) => &**error,
            Self::Write(error) => error,
            Self::TooSlow(limit) => return format!("no answer within {} seconds", limit.as_secs()),
        };
        let refusal = causes(error)
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .find_map(refusal_of);
        match refusal {
            Some(refused) => format!("the server refused our certificate: {refused}"),
            None => WithCauses(error).to_string(),
        }
    }
}

/// The connection ended before anything came.
fn is_end_of_stream(error: &hyper::Error) -> bool {
    error.is_incomplete_message() && causes(error).next().is_none()
}

fn causes<'a>(error: &'a dyn Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<hyper::Error> for Failure {
    fn from(error: hyper::Error) -> Self {
        Self::Http(error)
    }
}
