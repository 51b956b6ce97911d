//! The one decision: what becomes of a connection, from the mode, the port's protocol and its first bytes.

use std::fmt;

use meshtls_policy::MtlsMode;
use meshtls_wire::{Opening, alpn};

use crate::opening::OpeningRefusal;

/// What becomes of a connection whose first bytes are known. Nothing but these three facts counts.
///
/// This is the whole table of Istio's inbound listeners (`pilot/pkg/networking/core/filterchain_options.go`), with the
/// application protocols looked up as Envoy does: the client's first name that any candidate lists decides.
#[must_use]
pub const fn decide(mode: MtlsMode, port: PortProtocol, first: FirstBytes) -> Decision {
    match mode {
        MtlsMode::Disable => disabled(port, first),
        MtlsMode::Permissive => permissive(port, first),
        MtlsMode::Strict => strict(port, first),
    }
}

/// DISABLE ends no TLS. A `tcp` port gives everything to the application.
const fn disabled(port: PortProtocol, first: FirstBytes) -> Decision {
    match port {
        PortProtocol::Tcp => Decision::Unsniffed(UnsniffedReason::Disabled),
        PortProtocol::Http => match first {
            FirstBytes::ClientHello(_) | FirstBytes::TlsLike => {
                Decision::Refuse(OpeningRefusal::TlsOnHttpPort)
            }
            FirstBytes::Http1 | FirstBytes::Other => {
                plaintext(AppProtocol::Http1, PlaintextReason::Disabled)
            }
            FirstBytes::Http2 => plaintext(AppProtocol::Http2, PlaintextReason::Disabled),
        },
        PortProtocol::Auto => match first {
            FirstBytes::ClientHello(_) | FirstBytes::TlsLike => {
                Decision::ForeignTls(ForeignTlsReason::Disabled)
            }
            FirstBytes::Http1 => plaintext(AppProtocol::Http1, PlaintextReason::Disabled),
            FirstBytes::Http2 => plaintext(AppProtocol::Http2, PlaintextReason::Disabled),
            FirstBytes::Other => plaintext(AppProtocol::Tcp, PlaintextReason::Disabled),
        },
    }
}

/// PERMISSIVE ends the TLS of a client that offers a mesh name. Other TLS belongs to the application, and an HTTP
/// application cannot read it.
const fn permissive(port: PortProtocol, first: FirstBytes) -> Decision {
    match port {
        PortProtocol::Http => match first {
            FirstBytes::ClientHello(MeshOffer::Http | MeshOffer::TcpThenHttp | MeshOffer::Tcp) => {
                Decision::Terminate(Side::Http)
            }
            FirstBytes::ClientHello(MeshOffer::None) | FirstBytes::TlsLike => {
                Decision::Refuse(OpeningRefusal::TlsOnHttpPort)
            }
            FirstBytes::Http1 | FirstBytes::Other => {
                plaintext(AppProtocol::Http1, PlaintextReason::Permissive)
            }
            FirstBytes::Http2 => plaintext(AppProtocol::Http2, PlaintextReason::Permissive),
        },
        PortProtocol::Tcp => match first {
            FirstBytes::ClientHello(MeshOffer::Http | MeshOffer::TcpThenHttp | MeshOffer::Tcp) => {
                Decision::Terminate(Side::Tcp)
            }
            FirstBytes::ClientHello(MeshOffer::None) => {
                Decision::ForeignTls(ForeignTlsReason::NoMeshName)
            }
            FirstBytes::TlsLike => Decision::ForeignTls(ForeignTlsReason::NoClientHello),
            FirstBytes::Http1 | FirstBytes::Http2 | FirstBytes::Other => {
                plaintext(AppProtocol::Tcp, PlaintextReason::Permissive)
            }
        },
        PortProtocol::Auto => match first {
            FirstBytes::ClientHello(MeshOffer::Http) => Decision::Terminate(Side::Http),
            FirstBytes::ClientHello(MeshOffer::TcpThenHttp | MeshOffer::Tcp) => {
                Decision::Terminate(Side::Tcp)
            }
            FirstBytes::ClientHello(MeshOffer::None) => {
                Decision::ForeignTls(ForeignTlsReason::NoMeshName)
            }
            FirstBytes::TlsLike => Decision::ForeignTls(ForeignTlsReason::NoClientHello),
            FirstBytes::Http1 => plaintext(AppProtocol::Http1, PlaintextReason::Permissive),
            FirstBytes::Http2 => plaintext(AppProtocol::Http2, PlaintextReason::Permissive),
            FirstBytes::Other => plaintext(AppProtocol::Tcp, PlaintextReason::Permissive),
        },
    }
}

/// STRICT ends every TLS and refuses everything else.
const fn strict(port: PortProtocol, first: FirstBytes) -> Decision {
    match first {
        FirstBytes::ClientHello(offer) => Decision::Terminate(match port {
            PortProtocol::Http => Side::Http,
            PortProtocol::Tcp => Side::Tcp,
            // Only the HTTP side lists names here, so a TCP name before an HTTP one is passed over.
            PortProtocol::Auto => match offer {
                MeshOffer::Http | MeshOffer::TcpThenHttp => Side::Http,
                MeshOffer::Tcp | MeshOffer::None => Side::Tcp,
            },
        }),
        FirstBytes::TlsLike => Decision::Refuse(OpeningRefusal::NoClientHello),
        FirstBytes::Http1 | FirstBytes::Http2 | FirstBytes::Other => {
            Decision::Refuse(OpeningRefusal::Plaintext)
        }
    }
}

const fn plaintext(app: AppProtocol, reason: PlaintextReason) -> Decision {
    Decision::Plaintext(app, reason)
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the decision is total: whoever acts on it handles every outcome"
)]
pub enum Decision {
    /// The application gets the connection, whatever the client sends.
    Unsniffed(UnsniffedReason),
    /// The handshake is ours. If it fails the connection ends: it never falls back to another outcome.
    Terminate(Side),
    /// The application gets plaintext.
    Plaintext(AppProtocol, PlaintextReason),
    /// The application gets the TLS bytes untouched.
    ForeignTls(ForeignTlsReason),
    /// The connection is reset.
    Refuse(OpeningRefusal),
}

impl Decision {
    /// What becomes of the connection if `ingress_tls`, that is, if a `Sidecar` ends TLS on the port: nothing is let in.
    pub(crate) const fn unless_ingress_tls(self, ingress_tls: bool) -> Self {
        match self {
            Self::Unsniffed(_)
            | Self::Plaintext(..)
            | Self::ForeignTls(_)
            | Self::Terminate(_)
            | Self::Refuse(OpeningRefusal::TlsOnHttpPort)
                if ingress_tls =>
            {
                Self::Refuse(OpeningRefusal::IngressTls)
            }
            _ => self,
        }
    }
}

/// What the port speaks, as its Service declares it (by `appProtocol` or the prefix of the port's name).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "Istio has these three on an inbound listener")]
pub enum PortProtocol {
    /// HTTP/1 or HTTP/2 (`http`, `http2`, `grpc`).
    Http,
    /// Any protocol over TCP; nobody looks for HTTP.
    Tcp,
    /// Not declared, which is the default: the first bytes decide.
    #[default]
    Auto,
}

/// What an accepted connection speaks, once TLS of ours is off.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "callers choose their server by it")]
pub enum AppProtocol {
    /// HTTP/1.1, or whatever an HTTP/1.1 server should answer with an error.
    Http1,
    /// HTTP/2.
    Http2,
    /// Not known to be HTTP.
    Tcp,
}

impl AppProtocol {
    /// `http1`, `http2` or `tcp`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::Tcp => "tcp",
        }
    }
}

impl fmt::Display for AppProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The two kinds of inbound road behind our TLS. Authorization differs by side.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "Istio has these two")]
pub enum Side {
    /// What is inside is HTTP.
    Http,
    /// What is inside is not looked at.
    Tcp,
}

/// What the first bytes of a connection are, as far as the decision asks.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the decision is total over it")]
pub enum FirstBytes {
    /// A readable `ClientHello`.
    ClientHello(MeshOffer),
    /// It begins as TLS but is no readable `ClientHello`.
    TlsLike,
    /// An HTTP/1.1 request line.
    Http1,
    /// The HTTP/2 preface.
    Http2,
    /// None of these.
    Other,
}

impl From<&Opening> for FirstBytes {
    fn from(opening: &Opening) -> Self {
        match opening {
            Opening::ClientHello(hello) => Self::ClientHello(MeshOffer::of(hello.alpn())),
            Opening::TlsLike => Self::TlsLike,
            Opening::Http1 => Self::Http1,
            Opening::Http2 => Self::Http2,
            Opening::Other => Self::Other,
        }
    }
}

/// Which of the mesh's application protocols a `ClientHello` offers, in the client's order.
///
/// HTTP names are `istio-http/1.0`, `istio-http/1.1`, `istio-h2`; TCP names are `istio-peer-exchange`, `istio`.
/// Names count byte for byte: `ISTIO` is none of them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the decision is total over it")]
pub enum MeshOffer {
    /// No mesh name.
    None,
    /// An HTTP name comes first.
    Http,
    /// A TCP name comes first, and an HTTP name later.
    TcpThenHttp,
    /// TCP names only.
    Tcp,
}

impl MeshOffer {
    /// Reads an offer; names that are not the mesh's do not count.
    #[must_use]
    pub fn of<'a>(offer: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut seen = Self::None;
        for name in offer {
            let http = alpn::is_mesh_http(name);
            let tcp = alpn::is_mesh_tcp(name);
            seen = match seen {
                Self::None if http => Self::Http,
                Self::None if tcp => Self::Tcp,
                Self::Tcp if http => Self::TcpThenHttp,
                Self::None | Self::Http | Self::TcpThenHttp | Self::Tcp => seen,
            };
        }
        seen
    }
}

/// Why plaintext was let in.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum PlaintextReason {
    /// The mode is PERMISSIVE.
    Permissive,
    /// The mode is DISABLE.
    Disabled,
}

impl PlaintextReason {
    /// A short label that stays the same between releases.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Permissive => "permissive",
            Self::Disabled => "disabled",
        }
    }
}

/// Why TLS was left to the application.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ForeignTlsReason {
    /// PERMISSIVE, and the client offered none of the mesh's application protocols. Its certificate plays no part.
    NoMeshName,
    /// PERMISSIVE, and the bytes begin as TLS but are no readable `ClientHello`.
    NoClientHello,
    /// The mode is DISABLE.
    Disabled,
}

impl ForeignTlsReason {
    /// A short label that stays the same between releases.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoMeshName => "no_mesh_alpn",
            Self::NoClientHello => "no_client_hello",
            Self::Disabled => "disabled",
        }
    }
}

/// Why a connection was handed over without a look at its first bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum UnsniffedReason {
    /// DISABLE on a `tcp` port: nothing is read, so a server that speaks first can.
    Disabled,
    /// The port is declared server-first, and the client waited for the server.
    ServerFirst,
}

impl UnsniffedReason {
    /// A short label that stays the same between releases.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::ServerFirst => "server_first",
        }
    }
}

#[cfg(test)]
mod tests;
