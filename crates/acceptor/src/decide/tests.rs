use meshtls_policy::MtlsMode::{Disable, Permissive, Strict};

use super::{
    FirstBytes::{ClientHello, Http1, Http2, Other, TlsLike},
    PortProtocol::{Auto, Http, Tcp},
    *,
};

/// The table of Istio's inbound listeners, whole: a row for each mode and port, a column for each kind of first bytes.
///
/// `app1`, `app2`, `appT`: plaintext to the application as HTTP/1, HTTP/2, TCP. `endH`, `endT`: our TLS, with HTTP or TCP
/// inside. `raw`: TLS untouched. `all`: handed over unread. `RST`: plaintext or nonsense under STRICT. `TLS`: TLS on an HTTP
/// port.
#[rustfmt::skip]
const TABLE: [(MtlsMode, PortProtocol, [&str; 8]); 9] = [
    //                   Http1   Http2   Other   TlsLike offers: none    http    tcp, http  tcp
    (Disable,    Http, ["app1", "app2", "app1", "TLS",          "TLS",  "TLS",  "TLS",     "TLS"]),
    (Disable,    Tcp,  ["all",  "all",  "all",  "all",          "all",  "all",  "all",     "all"]),
    (Disable,    Auto, ["app1", "app2", "appT", "raw",          "raw",  "raw",  "raw",     "raw"]),
    (Permissive, Http, ["app1", "app2", "app1", "TLS",          "TLS",  "endH", "endH",    "endH"]),
    (Permissive, Tcp,  ["appT", "appT", "appT", "raw",          "raw",  "endT", "endT",    "endT"]),
    (Permissive, Auto, ["app1", "app2", "appT", "raw",          "raw",  "endH", "endT",    "endT"]),
    (Strict,     Http, ["RST",  "RST",  "RST",  "RST",          "endH", "endH", "endH",    "endH"]),
    (Strict,     Tcp,  ["RST",  "RST",  "RST",  "RST",          "endT", "endT", "endT",    "endT"]),
    (Strict,     Auto, ["RST",  "RST",  "RST",  "RST",          "endT", "endH", "endH",    "endT"]),
];

const COLUMNS: [FirstBytes; 8] = [
    Http1,
    Http2,
    Other,
    TlsLike,
    ClientHello(MeshOffer::None),
    ClientHello(MeshOffer::Http),
    ClientHello(MeshOffer::TcpThenHttp),
    ClientHello(MeshOffer::Tcp),
];

#[test]
fn the_whole_table() {
    for (mode, port, row) in TABLE {
        for (first, want) in COLUMNS.into_iter().zip(row) {
            let seen = match decide(mode, port, first) {
                Decision::Unsniffed(UnsniffedReason::Disabled) => "all",
                Decision::Unsniffed(UnsniffedReason::ServerFirst) => "never here",
                Decision::Terminate(Side::Http) => "endH",
                Decision::Terminate(Side::Tcp) => "endT",
                Decision::Plaintext(AppProtocol::Http1, _) => "app1",
                Decision::Plaintext(AppProtocol::Http2, _) => "app2",
                Decision::Plaintext(AppProtocol::Tcp, _) => "appT",
                Decision::ForeignTls(_) => "raw",
                Decision::Refuse(OpeningRefusal::TlsOnHttpPort) => "TLS",
                Decision::Refuse(OpeningRefusal::Plaintext | OpeningRefusal::NoClientHello) => {
                    "RST"
                }
                Decision::Refuse(_) => "never here",
            };
            assert_eq!(seen, want, "{mode} {port:?} {first:?}");
        }
    }
}

/// Each outcome says why.
#[test]
fn reasons() {
    let offer = ClientHello;
    for (mode, port, first, want) in [
        (Disable, Tcp, Other, Decision::Unsniffed(UnsniffedReason::Disabled)),
        (Disable, Auto, Other, Decision::Plaintext(AppProtocol::Tcp, PlaintextReason::Disabled)),
        (
            Permissive,
            Auto,
            Other,
            Decision::Plaintext(AppProtocol::Tcp, PlaintextReason::Permissive),
        ),
        (Disable, Auto, offer(MeshOffer::Http), Decision::ForeignTls(ForeignTlsReason::Disabled)),
        (Disable, Auto, TlsLike, Decision::ForeignTls(ForeignTlsReason::Disabled)),
        (
            Permissive,
            Tcp,
            offer(MeshOffer::None),
            Decision::ForeignTls(ForeignTlsReason::NoMeshName),
        ),
        (Permissive, Auto, TlsLike, Decision::ForeignTls(ForeignTlsReason::NoClientHello)),
        (Strict, Auto, TlsLike, Decision::Refuse(OpeningRefusal::NoClientHello)),
        (Strict, Auto, Http1, Decision::Refuse(OpeningRefusal::Plaintext)),
    ] {
        assert_eq!(decide(mode, port, first), want, "{mode} {port:?} {first:?}");
    }
}

#[test]
fn the_client_order_of_mesh_names_counts() {
    let nothing: &[&str] = &[];
    for (offer, want) in [
        (nothing, MeshOffer::None),
        (&["h2", "http/1.1"], MeshOffer::None),
        (&["ISTIO", "istio ", "istio-http/2"], MeshOffer::None),
        (&["istio"], MeshOffer::Tcp),
        (&["istio-peer-exchange", "istio"], MeshOffer::Tcp),
        (&["http/1.1", "istio"], MeshOffer::Tcp),
        (&["istio-http/1.0", "istio"], MeshOffer::Http),
        (&["h2", "istio-h2", "istio"], MeshOffer::Http),
        (&["istio", "istio-http/1.1"], MeshOffer::TcpThenHttp),
        (&["istio", "h2", "istio-h2", "istio"], MeshOffer::TcpThenHttp),
    ] {
        assert_eq!(MeshOffer::of(offer.iter().map(|name| name.as_bytes())), want, "{offer:?}");
    }
}
