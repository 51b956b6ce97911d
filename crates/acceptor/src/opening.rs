//! Why a connection is refused before any TLS byte of ours.

use meshtls_wire::HelloDefect;

/// Why a connection is refused before any TLS byte of ours. The client sees a reset.
///
/// [`IngressTls`](Self::IngressTls) may also come after a handshake, with an orderly close.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpeningRefusal {
    /// Plaintext where the mode is STRICT.
    #[error("the client sent plaintext, and the mode is STRICT")]
    Plaintext,
    /// It begins as TLS but is no readable `ClientHello`, and the mode is STRICT.
    #[error(
        "the client sent bytes that begin as TLS but are no readable ClientHello, and the mode is STRICT"
    )]
    NoClientHello,
    /// TLS that is not ours to end, for an application that speaks HTTP.
    #[error(
        "the client sent TLS that is not the mesh's (no istio name in its ALPN, or the mode is DISABLE), and the port is declared http"
    )]
    TlsOnHttpPort,
    /// A `Sidecar` ends TLS on this port with certificates of its own (rule SI-5). The acceptor cannot do that, and
    /// plaintext must not take its place: every connection is refused.
    ///
    /// The client sees a reset. If the `Sidecar` came into force during a handshake of the mesh, it sees the end of the stream
    /// after `close_notify`.
    #[error(
        "a Sidecar ends TLS on this port, which this acceptor cannot do, so that nothing is let in (remove its tls block, or set sidecar_ingress_tls to false to have it ignored)"
    )]
    IngressTls,
    /// A `ClientHello` over 16 KiB. Envoy resets it in every mode.
    #[error("the ClientHello takes more than 16 KiB")]
    HelloTooLarge,
    /// A `ClientHello` of SSL 3.0. Envoy resets it in every mode.
    #[error("the ClientHello asks for SSL 3.0")]
    HelloSsl3,
    /// A `ClientHello` was begun and not finished within the detection deadline or before the client's end of stream.
    #[error("the client began a ClientHello and did not finish it")]
    IncompleteHello,
    /// Nothing came within the detection deadline.
    #[error(
        "the client sent nothing within the detection deadline (if the server speaks first on this port, declare it server-first)"
    )]
    Silent,
    /// The client ended its stream without a byte.
    #[error("the client ended its stream before it sent a byte")]
    Closed,
}

impl OpeningRefusal {
    /// A short label that stays the same between releases.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext_under_strict",
            Self::NoClientHello => "no_client_hello",
            Self::TlsOnHttpPort => "tls_on_http_port",
            Self::IngressTls => "ingress_tls_unavailable",
            Self::HelloTooLarge => "hello_too_large",
            Self::HelloSsl3 => "hello_ssl3",
            Self::IncompleteHello => "incomplete_hello",
            Self::Silent => "silent",
            Self::Closed => "closed",
        }
    }
}

impl From<HelloDefect> for OpeningRefusal {
    fn from(defect: HelloDefect) -> Self {
        match defect {
            HelloDefect::TooLarge => Self::HelloTooLarge,
            HelloDefect::Ssl3 => Self::HelloSsl3,
        }
    }
}
