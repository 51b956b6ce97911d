//! All `inbound_dispatch` vectors through the decision function alone.

#![expect(clippy::panic, reason = "a vector that cannot be played ends the test")]

mod vectors;

use meshtls_acceptor::{
    AppProtocol, Decision, FirstBytes, MeshOffer, OpeningRefusal, Side, decide,
};

use vectors::{Certificate, Client, FirstText, Row};

#[test]
fn every_row() {
    let rows = Row::all();
    assert_eq!(rows.len(), 24);
    for row in rows {
        assert_eq!(
            outcome(&row),
            (row.action.as_str(), row.app_protocol.as_deref()),
            "{}: {}",
            row.id,
            row.why
        );
    }
}

/// What the decision function says of a row, in the words of the vectors.
fn outcome(row: &Row) -> (&'static str, Option<&'static str>) {
    let first = match &row.client {
        // It has no first bytes, so there is nothing to decide yet: a port that reads nothing aside.
        Client::Silent => {
            return match decide(row.mode, row.protocol, FirstBytes::Other) {
                Decision::Unsniffed(_) => ("plaintext_to_app", Some("tcp")),
                _ => ("wait_for_client_bytes", None),
            };
        }
        Client::Plaintext(FirstText::Http1) => FirstBytes::Http1,
        Client::Plaintext(FirstText::Http2) => FirstBytes::Http2,
        Client::Plaintext(FirstText::Other) => FirstBytes::Other,
        Client::MalformedHello => FirstBytes::TlsLike,
        Client::Tls { alpn, .. } => {
            FirstBytes::ClientHello(MeshOffer::of(alpn.iter().map(String::as_bytes)))
        }
    };
    match decide(row.mode, row.protocol, first) {
        Decision::Unsniffed(_) | Decision::ForeignTls(_) if first_is_tls(first) => {
            ("raw_tls_to_app", Some("tcp"))
        }
        Decision::Unsniffed(_) => ("plaintext_to_app", Some("tcp")),
        Decision::ForeignTls(_) => panic!("{}: plaintext as foreign TLS", row.id),
        Decision::Plaintext(app, _) => ("plaintext_to_app", Some(vectors::app_protocol(app))),
        Decision::Terminate(side) => match &row.client {
            Client::Tls { certificate: Certificate::Good(_), .. } => {
                let app = match side {
                    Side::Http => AppProtocol::Http1,
                    Side::Tcp => AppProtocol::Tcp,
                };
                ("terminate_mtls", Some(vectors::app_protocol(app)))
            }
            _ => ("tls_handshake_failure", None),
        },
        // Under DISABLE Envoy's HTTP parser fails on the bytes; under PERMISSIVE a hello matches no filter chain.
        Decision::Refuse(OpeningRefusal::TlsOnHttpPort) => match (row.mode, first) {
            (meshtls_policy::MtlsMode::Permissive, FirstBytes::ClientHello(_)) => ("reset", None),
            _ => ("http_protocol_error", Some("http")),
        },
        Decision::Refuse(_) => ("reset", None),
    }
}

const fn first_is_tls(first: FirstBytes) -> bool {
    match first {
        FirstBytes::ClientHello(_) | FirstBytes::TlsLike => true,
        FirstBytes::Http1 | FirstBytes::Http2 | FirstBytes::Other => false,
    }
}
