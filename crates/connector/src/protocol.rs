//! What the caller speaks, and so which ALPN names it offers.

use serde::Serialize;

/// What the application speaks over the connection.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "Istio's clients offer one of these three lists")]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, gRPC included.
    Http2,
    /// Anything else. The default.
    #[default]
    Tcp,
}

impl Protocol {
    /// The ALPN names that a mesh client of this protocol offers, most wanted first.
    ///
    /// They are Istio's (`pilot/pkg/xds/filters/filters.go`): a PERMISSIVE server knows mesh traffic by the `istio*`
    /// names. `istio-peer-exchange` is never offered: a sidecar that agreed to it would write a header of its own into
    /// the stream.
    #[must_use]
    pub fn alpn(self) -> &'static [&'static [u8]] {
        match self {
            Self::Http1 => &[b"istio-http/1.1", b"istio", b"http/1.1"],
            Self::Http2 => &[b"istio-h2", b"istio", b"h2"],
            Self::Tcp => &[b"istio"],
        }
    }

    /// The ALPN names that a client of this protocol offers outside the mesh, by SIMPLE and MUTUAL: `h2` for HTTP/2, else none
    /// (Istio: `pilot/pkg/networking/core/cluster_tls.go`).
    #[must_use]
    pub fn origination_alpn(self) -> &'static [&'static [u8]] {
        match self {
            Self::Http2 => &[b"h2"],
            Self::Http1 | Self::Tcp => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Protocol;

    #[test]
    fn each_protocol_offers_its_list_and_never_peer_exchange() {
        for (protocol, want) in [
            (Protocol::Http1, "istio-http/1.1 istio http/1.1"),
            (Protocol::Http2, "istio-h2 istio h2"),
            (Protocol::Tcp, "istio"),
        ] {
            let offer: Vec<_> = protocol
                .alpn()
                .iter()
                .map(|name| str::from_utf8(name).unwrap())
                .collect();
            assert_eq!(offer.join(" "), want, "{protocol:?}");
        }
    }
}
