//! Which protocol a server answers by ALPN.

/// The server's answer to a client's ALPN offer.
///
/// Never an `istio*` name: agreeing on `istio-peer-exchange` would make an Envoy write its own bytes into the
/// stream. A client that offers only such names gets no answer, which Envoy takes as one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is one prebuilt configuration for each")]
pub enum AlpnAnswer {
    /// No ALPN extension in the answer.
    None,
    /// `http/1.1`
    Http11,
    /// `h2`
    Http2,
}

impl AlpnAnswer {
    /// Picks the first of `h2`, `http/1.1` that the application speaks and the client offers.
    ///
    /// This is the server's order, not the client's, as in Envoy.
    pub fn choose<'a>(offer: impl IntoIterator<Item = &'a [u8]>, spoken: HttpSpoken) -> Self {
        let mut answer = Self::None;
        for name in offer {
            match name {
                b"h2" if matches!(spoken, HttpSpoken::Http2 | HttpSpoken::Both) => {
                    return Self::Http2;
                }
                b"http/1.1" if matches!(spoken, HttpSpoken::Http1 | HttpSpoken::Both) => {
                    answer = Self::Http11;
                }
                _ => {}
            }
        }
        answer
    }

    /// Gives the protocol names for a configuration: one or none.
    pub(crate) fn protocols(self) -> Vec<Vec<u8>> {
        match self {
            Self::None => vec![],
            Self::Http11 => vec![b"http/1.1".to_vec()],
            Self::Http2 => vec![b"h2".to_vec()],
        }
    }
}

/// Which versions of HTTP an application speaks on a port.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "all combinations of two")]
pub enum HttpSpoken {
    /// None: another protocol over TCP.
    Neither,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only.
    Http2,
    /// Both.
    Both,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        use AlpnAnswer::{Http2, Http11, None};
        use HttpSpoken::{Both, Http1, Http2 as Only2, Neither};

        let nothing: &[&str] = &[];
        let istio_http2: &[&str] = &["istio-h2", "istio", "h2"];
        let istio_http1: &[&str] = &["istio-http/1.1", "istio", "http/1.1"];
        for (name, offer, spoken, want) in [
            ("nothing offered", nothing, Both, None),
            ("Envoy's HTTP/2", istio_http2, Both, Http2),
            ("Envoy's HTTP/2 to an HTTP/1 server", istio_http2, Http1, None),
            ("Envoy's HTTP/1.1", istio_http1, Both, Http11),
            ("Envoy's HTTP/1.1 to an HTTP/2 server", istio_http1, Only2, None),
            ("Envoy's TCP", &["istio-peer-exchange", "istio"], Both, None),
            ("h2 wins though offered last", &["http/1.1", "h2"], Both, Http2),
            ("http/1.1 where h2 is not spoken", &["h2", "http/1.1"], Http1, Http11),
            ("no HTTP spoken", &["h2", "http/1.1"], Neither, None),
            ("case counts", &["H2", "HTTP/1.1"], Both, None),
        ] {
            let offer = offer.iter().map(|name| name.as_bytes());
            assert_eq!(AlpnAnswer::choose(offer, spoken), want, "{name}");
        }
    }
}
