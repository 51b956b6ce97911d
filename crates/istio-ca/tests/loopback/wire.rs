//! The wire, read and written by hand: neither the generated code nor tonic has a part in it. A field that moved fails here.

use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use meshtls_ca::{KeyPair, KeyType, csr};
use meshtls_identity::IdMatcher;
use meshtls_rustls::MeshClient;
use meshtls_svid::{SvidHandle, X509Svid};

use crate::kit::{Kit, LEDGER, run};

const METHOD: &str = "/istio.v1.auth.IstioCertificateService/CreateCertificate";

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u32,
    pub(crate) message: String,
    pub(crate) elements: Vec<String>,
}

/// One connection.
pub(crate) struct Wire(SendRequest<Full<Bytes>>);

impl Wire {
    pub(crate) async fn open(kit: &Kit, address: SocketAddr, svid: Option<X509Svid>) -> Self {
        let bundles = Arc::new(kit.ca.bundles());
        let client = match svid {
            Some(svid) => {
                let snapshot = SvidHandle::new(svid, kit.ca.bundles()).load();
                MeshClient::new(&kit.profile, &snapshot).unwrap()
            }
            None => MeshClient::without_svid(&kit.profile, &bundles).unwrap(),
        };
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (stream, _) = client
            .connect(stream, None, &IdMatcher::Any, &[b"h2"])
            .await
            .unwrap();
        let (requests, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        Self(requests)
    }

    pub(crate) async fn call(&mut self, bearer: Option<&str>, message: &[u8]) -> Answer {
        self.send(METHOD, bearer, message).await
    }

    pub(crate) async fn call_at(&mut self, method: &str, message: &[u8]) -> Answer {
        self.send(method, None, message).await
    }

    async fn send(&mut self, method: &str, bearer: Option<&str>, message: &[u8]) -> Answer {
        // Not compressed, the length in four bytes, the message.
        let mut frame = vec![0];
        frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        frame.extend(message);
        let mut request = http::Request::post(format!("https://ca{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(bearer) = bearer {
            request = request.header("authorization", bearer);
        }
        let request = request.body(Full::new(Bytes::from(frame))).unwrap();
        let answer = self.0.send_request(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        let header = |name: &str| {
            let value = trailers.get(name).or_else(|| parts.headers.get(name));
            value
                .map(|value| value.to_str().unwrap().replace("%20", " "))
                .unwrap_or_default()
        };
        let bytes = body.to_bytes();
        let elements = match &*bytes {
            [] => Vec::new(),
            [0, a, b, c, d, message @ ..] => {
                assert_eq!(
                    u32::from_be_bytes([*a, *b, *c, *d]),
                    u32::try_from(message.len()).unwrap()
                );
                fields(message)
                    .into_iter()
                    .map(|(number, text)| {
                        assert_eq!(number, 1, "cert_chain is field 1");
                        String::from_utf8(text).unwrap()
                    })
                    .collect()
            }
            other => panic!("no frame: {other:?}"),
        };
        Answer {
            code: header("grpc-status").parse().unwrap(),
            message: header("grpc-message"),
            elements,
        }
    }
}

/// One call on a connection of its own.
pub(crate) async fn call(
    kit: &Kit,
    address: SocketAddr,
    svid: Option<X509Svid>,
    bearer: Option<&str>,
    message: &[u8],
) -> Answer {
    Wire::open(kit, address, svid)
        .await
        .call(bearer, message)
        .await
}

impl Kit {
    /// A good request for a new key.
    pub(crate) fn csr(&self) -> String {
        let der = csr::build(&KeyPair::generate(KeyType::P256).unwrap()).unwrap();
        let mut text = "-----BEGIN CERTIFICATE REQUEST-----\n".to_owned();
        for line in der.chunks(48) {
            text.push_str(&base64(line));
            text.push('\n');
        }
        text + "-----END CERTIFICATE REQUEST-----\n"
    }
}

/// `csr` = 1, `validity_duration` = 3, `metadata` = 4 with `ImpersonatedIdentity` in it.
pub(crate) fn request(csr: &str, seconds: i64, impersonated: Option<&str>) -> Vec<u8> {
    let mut message = length_delimited(1, csr.as_bytes());
    if seconds != 0 {
        message.push(3 << 3);
        message.extend(varint(seconds.cast_unsigned()));
    }
    if let Some(identity) = impersonated {
        // Struct.fields is a map: entries of key = 1 and value = 2; Value.string_value = 3.
        let value = length_delimited(3, identity.as_bytes());
        let entry =
            [length_delimited(1, b"ImpersonatedIdentity"), length_delimited(2, &value)].concat();
        message.extend(length_delimited(4, &length_delimited(1, &entry)));
    }
    message
}

fn length_delimited(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    field.extend(varint(u64::try_from(bytes.len()).unwrap()));
    field.extend(bytes);
    field
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

/// The fields of a message of texts.
fn fields(mut message: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut fields = Vec::new();
    while let [tag, rest @ ..] = message {
        assert_eq!(tag & 7, 2, "length-delimited");
        let (mut len, mut shift, mut at) = (0_usize, 0, 0);
        loop {
            let byte = rest[at];
            len |= usize::from(byte & 0x7f) << shift;
            (shift, at) = (shift + 7, at + 1);
            if byte < 0x80 {
                break;
            }
        }
        fields.push((tag >> 3, rest[at..at + len].to_vec()));
        message = &rest[at + len..];
    }
    fields
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let known = at <= three.len();
            let sextet = usize::try_from(bits >> shift & 63).unwrap();
            text.push(if known { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    text
}

/// The leaf, the intermediate, and the roots in the last element; the shape of each field by hand.
#[tokio::test]
async fn the_answer_in_bytes() {
    let kit = Kit::new();
    let running = run(kit.server()).await;
    let csr = kit.csr();
    let message = request(&csr, 3600, None);
    assert_eq!(message[..1], [0x0a], "csr is field 1");
    assert_eq!(message[message.len() - 3..], [0x18, 0x90, 0x1c], "validity_duration is field 3");
    let answer = call(&kit, running.address, Some(kit.ca.svid(LEDGER)), None, &message).await;
    assert_eq!((answer.code, answer.elements.len()), (0, 3), "{answer:?}");
    assert!(kit.audit.one().contains(" ttl=3600 "), "field 3 is the life");
    assert_eq!(answer.elements[2], kit.ca.bundle().to_pem());
    for element in &answer.elements[..2] {
        assert_eq!(element.matches("-----BEGIN CERTIFICATE-----\n").count(), 1);
        assert!(element.ends_with("-----END CERTIFICATE-----\n"));
    }
}
