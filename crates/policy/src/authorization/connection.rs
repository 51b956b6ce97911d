//! What a connection shows of itself and of its peer.

use std::net::IpAddr;

use meshtls_identity::SpiffeId;

/// A connection that somebody wants to be let in on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Connection<'a> {
    /// The names in the peer's verified certificate; `None` for plaintext. Never put names here that nobody verified.
    pub peer: Option<PeerNames<'a>>,
    /// The address the connection comes from.
    pub source: IpAddr,
    /// The address of the original client: [`source`](Self::source), unless a trusted proxy told another.
    pub remote: IpAddr,
    /// The address it goes to.
    pub destination: IpAddr,
    /// The port it goes to: the one the workload listens on, never a service port.
    pub port: u16,
    /// The server name that the client asked for in its TLS handshake.
    pub sni: Option<&'a str>,
}

impl<'a> Connection<'a> {
    /// A plaintext connection.
    pub fn new(source: IpAddr, destination: IpAddr, port: u16) -> Self {
        Self { peer: None, source, remote: source, destination, port, sni: None }
    }

    /// Sets the names in the peer's verified certificate.
    #[must_use]
    pub fn with_peer(mut self, names: PeerNames<'a>) -> Self {
        self.peer = Some(names);
        self
    }

    /// Sets the address of the original client.
    #[must_use]
    pub fn with_remote(mut self, remote: IpAddr) -> Self {
        self.remote = remote;
        self
    }

    /// Sets the server name that the client asked for.
    #[must_use]
    pub fn with_sni(mut self, name: impl Into<Option<&'a str>>) -> Self {
        self.sni = name.into();
        self
    }
}

/// The names in a peer's verified certificate: URI SANs, DNS SANs and the subject.
///
/// Plain text, so that any TLS library can fill it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PeerNames<'a> {
    uri: Option<&'a str>,
    uris: &'a [String],
    dns: &'a [String],
    subject: Option<&'a str>,
}

impl<'a> PeerNames<'a> {
    /// No names at all: what a client without certificate shows on TLS. Conditions take it as they take plaintext.
    pub fn none() -> Self {
        Self::default()
    }

    /// The name of a workload: one URI SAN.
    pub fn workload(id: &'a SpiffeId) -> Self {
        Self::uri(id.as_str())
    }

    /// One URI SAN, such as `spiffe://prod.example/ns/pay/sa/ledger`.
    pub fn uri(uri: &'a str) -> Self {
        Self { uri: Some(uri), ..Self::default() }
    }

    /// Adds the URI SANs of a certificate that has several.
    #[must_use]
    pub fn with_uris(mut self, uris: &'a [String]) -> Self {
        self.uris = uris;
        self
    }

    /// Adds the DNS SANs.
    #[must_use]
    pub fn with_dns(mut self, dns: &'a [String]) -> Self {
        self.dns = dns;
        self
    }

    /// Adds the subject, in the form of RFC 2253 such as `CN=ledger,O=Example`.
    #[must_use]
    pub fn with_subject(mut self, subject: &'a str) -> Self {
        self.subject = Some(subject);
        self
    }

    /// The names in the order in which conditions look at them (rule AZ-10): URI SANs, DNS SANs, the subject.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.uri
            .into_iter()
            .chain(self.uris.iter().map(String::as_str))
            .chain(self.dns.iter().map(String::as_str))
            .chain(self.subject)
    }
}
