//! May somebody connect?

use std::net::{IpAddr, Ipv4Addr};

use clap::Args;
use meshtls_identity::SpiffeId;
use meshtls_policy::{AuthorizationExplanation, Connection, MtlsMode, PeerNames, PolicySet};

use super::painted;
use super::subject::Subject;
use crate::answer::Failure;

/// A connection that somebody wants to be let in on.
#[derive(Args)]
#[command(next_help_heading = "Authorization")]
pub(super) struct Caller {
    /// Who connects: the SPIFFE ID of a verified certificate, or the word `plaintext`.
    #[arg(long, value_name = "ID", value_parser = peer, requires = "source_ip")]
    peer: Option<Peer>,
    /// The address it connects from.
    #[arg(long, value_name = "IP", requires = "peer")]
    source_ip: Option<IpAddr>,
    /// The address it connects to. Default: that of the --workload, else 0.0.0.0.
    #[arg(long, value_name = "IP", requires = "peer")]
    destination_ip: Option<IpAddr>,
    /// The server name that it asks for.
    #[arg(long, value_name = "NAME", requires = "peer")]
    sni: Option<String>,
}

#[derive(Clone)]
enum Peer {
    Plaintext,
    Verified(SpiffeId),
}

impl Caller {
    pub(super) fn is_asked(&self) -> bool {
        self.peer.is_some()
    }

    pub(super) fn explain(
        &self,
        set: &PolicySet,
        subject: &Subject,
        port: u16,
    ) -> Result<Option<AuthorizationExplanation>, Failure> {
        let (Some(peer), Some(source)) = (&self.peer, self.source_ip) else { return Ok(None) };
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let destination = self.destination_ip.or(subject.address).unwrap_or(unknown);
        let mut connection =
            Connection::new(source, destination, port).with_sni(self.sni.as_deref());
        if let Peer::Verified(id) = peer {
            connection = connection.with_peer(PeerNames::workload(id));
        }
        Ok(Some(set.explain_authorization(&subject.workload, &connection)))
    }
}

/// The explanation; before it, that a STRICT port does not even ask.
pub(super) fn text(explanation: &AuthorizationExplanation, mode: MtlsMode) -> String {
    let mut text = String::new();
    if mode == MtlsMode::Strict && explanation.connection.peer.is_none() {
        text += "the port is STRICT: plaintext is refused before anybody asks who may connect\n\n";
    }
    painted(&(text + &explanation.to_string()))
}

fn peer(text: &str) -> Result<Peer, String> {
    if text == "plaintext" {
        return Ok(Peer::Plaintext);
    }
    text.parse()
        .map(Peer::Verified)
        .map_err(|error| format!("neither `plaintext` nor a SPIFFE ID: {error}"))
}
