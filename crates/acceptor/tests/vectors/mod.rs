//! The `inbound_dispatch` rows of the vector file.

#![allow(dead_code, reason = "each test file uses its part of it")]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a vector that cannot be read ends the test"
)]

use meshtls_acceptor::{AppProtocol, PortProtocol};
use meshtls_policy::MtlsMode;
use serde_json::Value;

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) why: String,
    pub(crate) mode: MtlsMode,
    pub(crate) protocol: PortProtocol,
    pub(crate) trust_domains: Vec<String>,
    pub(crate) client: Client,
    pub(crate) action: String,
    pub(crate) app_protocol: Option<String>,
    pub(crate) peer_principal: Option<String>,
}

#[derive(Debug)]
pub(crate) enum Client {
    Silent,
    Plaintext(FirstText),
    MalformedHello,
    Tls { alpn: Vec<String>, certificate: Certificate, inside: FirstText },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum FirstText {
    Http1,
    Http2,
    Other,
}

impl FirstText {
    pub(crate) const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"GET /ip HTTP/1.1\r\nhost: server\r\n\r\n",
            Self::Http2 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
            Self::Other => b"SSH-2.0-client\r\n",
        }
    }
}

#[derive(Debug)]
pub(crate) enum Certificate {
    None,
    /// One that an accepted and trusted domain issued.
    Good(String),
    Bad {
        uri_san: String,
        trusted: bool,
        valid_now: bool,
    },
}

impl Row {
    pub(crate) fn all() -> Vec<Self> {
        let file = include_str!("../../../meshtls/tests/vectors/istio.json");
        let file: Value = serde_json::from_str(file).unwrap();
        file["inbound_dispatch"]
            .as_array()
            .unwrap()
            .iter()
            .map(Self::read)
            .collect()
    }

    fn read(row: &Value) -> Self {
        let trust_domains: Vec<String> = texts(&row["trust_domains"]);
        let connection = &row["connection"];
        let first = match connection["first_bytes"].as_str() {
            Some("http1") => FirstText::Http1,
            Some("http2") => FirstText::Http2,
            Some("other") | None => FirstText::Other,
            Some(other) => panic!("first_bytes {other}"),
        };
        let client = match text(&connection["transport"]).as_str() {
            "silent" => Client::Silent,
            "plaintext" => Client::Plaintext(first),
            "tls" if connection["malformed_client_hello"] == Value::Bool(true) => {
                Client::MalformedHello
            }
            "tls" => Client::Tls {
                alpn: texts(&connection["alpn"]),
                certificate: Certificate::read(&connection["client_cert"], &trust_domains),
                inside: first,
            },
            other => panic!("transport {other}"),
        };
        let expected = &row["expected"];
        Self {
            id: text(&row["id"]),
            why: text(&row["why"]),
            mode: text(&row["mode"]).parse().unwrap(),
            protocol: match text(&row["port_protocol"]).as_str() {
                "http" => PortProtocol::Http,
                "tcp" => PortProtocol::Tcp,
                "auto" => PortProtocol::Auto,
                other => panic!("port_protocol {other}"),
            },
            trust_domains,
            client,
            action: text(&expected["action"]),
            app_protocol: expected["app_protocol"].as_str().map(str::to_owned),
            peer_principal: expected["peer_principal"].as_str().map(str::to_owned),
        }
    }
}

impl Certificate {
    fn read(certificate: &Value, accepted: &[String]) -> Self {
        if certificate == "none" {
            return Self::None;
        }
        let uri_san = text(&certificate["uri_san"]);
        let trusted = certificate["chain"] == "trusted";
        let valid_now = certificate["valid_now"] == Value::Bool(true);
        // An empty list accepts everybody.
        let domain_accepted = accepted.is_empty()
            || accepted
                .iter()
                .any(|domain| uri_san.starts_with(&format!("spiffe://{domain}/")));
        if trusted && valid_now && domain_accepted {
            Self::Good(uri_san)
        } else {
            Self::Bad { uri_san, trusted, valid_now }
        }
    }
}

/// Both versions of HTTP are `http` there.
pub(crate) const fn app_protocol(app: AppProtocol) -> &'static str {
    match app {
        AppProtocol::Http1 | AppProtocol::Http2 => "http",
        AppProtocol::Tcp => "tcp",
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}
