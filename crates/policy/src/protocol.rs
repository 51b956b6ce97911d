//! The names of protocols that ports declare.

use crate::nearest;

/// Whether Istio knows a protocol of this name, in any case.
pub(crate) fn is_known(name: &str) -> bool {
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a port with this protocol speaks HTTP as it is, without TLS to end first.
pub(crate) fn is_http(name: &str) -> bool {
    ["HTTP", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a port with this protocol speaks TLS.
pub(crate) fn is_tls(name: &str) -> bool {
    ["HTTPS", "TLS"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// The known name that looks most like this one.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    nearest::nearest(name, NAMES)
}

const NAMES: &[&str] = &[
    "TCP",
    "UDP",
    "GRPC",
    "GRPC-WEB",
    "HTTP",
    "HTTP_PROXY",
    "HTTP2",
    "HTTPS",
    "TLS",
    "MONGO",
    "REDIS",
    "MYSQL",
];

#[cfg(test)]
mod tests {
    use super::{is_http, is_known, is_tls, nearest};

    #[test]
    fn names() {
        for (name, known, http, tls) in [
            ("HTTP", true, true, false),
            ("gRPC-Web", true, true, false),
            ("https", true, false, true),
            ("TLS", true, false, true),
            ("tcp", true, false, false),
            ("MONGO", true, false, false),
            ("HTTP/2", false, false, false),
            ("", false, false, false),
        ] {
            assert_eq!((is_known(name), is_http(name), is_tls(name)), (known, http, tls), "{name}");
        }
        assert_eq!(nearest("HTPS"), Some("HTTPS"));
    }
}
