//! A scripted server in memory, by a clock that stands: how often a call is made, when, and what becomes of each code.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use meshtls_ca::{KeyPair, KeyType, PublicKey, csr};
use meshtls_identity::{AcceptedDomains, SpiffeId};
use meshtls_rustls::{EnrollmentServer, TlsProfile};
use meshtls_source::{Issuer as _, IssuerError, SvidRequest};
use meshtls_svid::SvidHandle;
use meshtls_testkit::{ManualClock, TestCa, test_time};
use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::io::{DuplexStream, duplex};
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};
use tower_service::Service as _;

use super::{Dial, IstioCaClient};
use crate::CaTrust;
use crate::proto::istio_certificate_service_server::{
    IstioCertificateService, IstioCertificateServiceServer,
};
use crate::proto::{IstioCertificateRequest, IstioCertificateResponse};

const LEDGER: &str = "spiffe://prod.example/ns/pay/sa/ledger";
const ISTIOD: &str = "spiffe://prod.example/ns/istio-system/sa/istiod";

/// What the server does with one call.
#[derive(Clone, Copy, Debug)]
enum Act {
    Answer,
    AnswerOtherKey,
    AnswerElements(usize),
    Refuse(Code),
    /// Says nothing at all.
    Hang,
    /// Ends the connection instead of an answer.
    HangUp,
}

/// One call as the server saw it.
#[derive(Clone, Debug)]
struct Seen {
    at: Duration,
    message: IstioCertificateRequest,
    headers: Vec<(String, String)>,
}

#[derive(Clone)]
struct Script {
    ca: Arc<TestCa>,
    begin: Instant,
    acts: Arc<Mutex<VecDeque<Act>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[tonic::async_trait]
impl IstioCertificateService for Script {
    async fn create_certificate(
        &self,
        request: Request<IstioCertificateRequest>,
    ) -> Result<Response<IstioCertificateResponse>, Status> {
        let headers = ["authorization", "clusterid", "grpc-timeout"]
            .into_iter()
            .filter_map(|name| {
                let value = request.metadata().get(name)?.to_str().ok()?;
                Some((name.to_owned(), value.to_owned()))
            })
            .collect();
        let message = request.into_inner();
        let seen = Seen { at: self.begin.elapsed(), message: message.clone(), headers };
        self.seen.lock().unwrap().push(seen);
        let act = self.acts.lock().unwrap().pop_front().unwrap_or(Act::Answer);
        let der = CertificateSigningRequestDer::from_pem_slice(message.csr.as_bytes()).unwrap();
        let algorithms = TlsProfile::ring()
            .provider()
            .signature_verification_algorithms;
        let asked = csr::check(&der, algorithms.all).unwrap();
        match act {
            Act::Answer => Ok(self.issued(&asked, usize::MAX)),
            Act::AnswerElements(count) => Ok(self.issued(&asked, count)),
            Act::AnswerOtherKey => {
                let other = KeyPair::generate(KeyType::P256).unwrap();
                Ok(self.issued(meshtls_ca::Signer::public_key(&other), usize::MAX))
            }
            Act::Refuse(code) => Err(Status::new(code, "because\nof that")),
            Act::Hang => std::future::pending().await,
            Act::HangUp => unreachable!("the connection has ended before"),
        }
    }
}

impl Script {
    fn issued(&self, key: &PublicKey, count: usize) -> Response<IstioCertificateResponse> {
        struct Seven;
        impl meshtls_ca::SerialSource for Seven {
            fn next_serial(&mut self) -> Result<meshtls_ca::Serial, meshtls_ca::SerialError> {
                Ok(meshtls_ca::Serial::new([7; 16]).unwrap())
            }
        }
        let id: SpiffeId = LEDGER.parse().unwrap();
        let request = meshtls_ca::IssueRequest::new(key, &id);
        let chain = self
            .ca
            .authority()
            .issue(&request, test_time(), &mut Seven)
            .unwrap();
        let mut cert_chain: Vec<String> = chain
            .iter()
            .chain(self.ca.bundle().anchors())
            .map(|certificate| {
                let mut text = String::new();
                crate::pem::write_block(&mut text, "CERTIFICATE", certificate);
                text
            })
            .collect();
        cert_chain.truncate(count);
        Response::new(IstioCertificateResponse { cert_chain })
    }

    /// Serves one connection.
    async fn serve(self, stream: DuplexStream, tls: EnrollmentServer) {
        let first = self.acts.lock().unwrap().front().copied();
        if matches!(first, Some(Act::HangUp)) {
            self.acts.lock().unwrap().pop_front();
            let none = IstioCertificateRequest::default();
            let seen = Seen { at: self.begin.elapsed(), message: none, headers: vec![] };
            self.seen.lock().unwrap().push(seen);
            return;
        }
        let Ok((stream, _)) = tls.accept(stream).await else { return };
        let service = IstioCertificateServiceServer::new(self);
        let service = hyper::service::service_fn(move |request| service.clone().call(request));
        // The client ends it.
        drop(
            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await,
        );
    }
}

struct Kit {
    script: Script,
    client: IstioCaClient,
    directory: tempfile::TempDir,
}

fn kit(acts: &[Act]) -> Kit {
    let ca = Arc::new(TestCa::new("prod.example"));
    let clock = Arc::new(ManualClock::new(test_time()));
    let profile = TlsProfile::ring().with_time(clock);
    let snapshot = SvidHandle::new(ca.svid(ISTIOD), ca.bundles()).load();
    let tls = EnrollmentServer::new(&profile, &snapshot, &AcceptedDomains::Any).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let roots = directory.path().join("roots.pem");
    std::fs::write(&roots, ca.bundle().to_pem()).unwrap();
    let script = Script {
        ca,
        begin: Instant::now(),
        acts: Arc::new(Mutex::new(acts.iter().copied().collect())),
        seen: Arc::default(),
    };
    let mut client = IstioCaClient::new(
        "ca.example:15012",
        CaTrust::spiffe_id(roots, ISTIOD.parse().unwrap()),
        profile,
    )
    .random(Box::new(|| 0.5));
    let server = script.clone();
    client.dial = Dial::Memory(Box::new(move || {
        let (near, far) = duplex(64 * 1024);
        tokio::spawn(server.clone().serve(near, tls.clone()));
        far
    }));
    Kit { script, client, directory }
}

impl Kit {
    async fn issue(&self) -> Result<(), IssuerError> {
        let ttl = Some(Duration::from_millis(1500));
        let request = SvidRequest::new(LEDGER.parse().unwrap(), KeyType::P256, ttl);
        self.client.issue(&request).await.map(drop)
    }

    /// When each call came, in milliseconds.
    fn times(&self) -> Vec<u128> {
        self.script
            .seen
            .lock()
            .unwrap()
            .iter()
            .map(|seen| seen.at.as_millis())
            .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn every_code_is_tried_again_or_not_and_has_its_reason() {
    for (code, calls, reason, permanent) in [
        (Code::Cancelled, 5, "ca_cancelled", false),
        (Code::Unknown, 1, "ca_refused", true),
        (Code::InvalidArgument, 1, "ca_invalid", true),
        (Code::DeadlineExceeded, 5, "ca_deadline", false),
        (Code::NotFound, 1, "ca_refused", true),
        (Code::AlreadyExists, 1, "ca_refused", true),
        (Code::PermissionDenied, 1, "ca_denied", true),
        (Code::ResourceExhausted, 5, "ca_exhausted", false),
        (Code::FailedPrecondition, 1, "ca_refused", true),
        (Code::Aborted, 5, "ca_aborted", false),
        (Code::OutOfRange, 1, "ca_refused", true),
        (Code::Unimplemented, 1, "ca_unimplemented", true),
        (Code::Internal, 5, "ca_internal", false),
        (Code::Unavailable, 5, "ca_unavailable", false),
        (Code::DataLoss, 1, "ca_refused", true),
        (Code::Unauthenticated, 1, "ca_unauthenticated", true),
    ] {
        let kit = kit(&[Act::Refuse(code); 10]);
        let error = kit.issue().await.unwrap_err();
        assert_eq!((kit.times().len(), error.reason()), (calls, reason), "{code:?}");
        assert_eq!(matches!(error, IssuerError::Permanent { .. }), permanent, "{code:?}");
        let text = meshtls_rustls::WithCauses(&error).to_string();
        assert!(text.contains("because\\nof that"), "{text}");
        if calls == 5 {
            assert_eq!(kit.times(), [0, 100, 300, 700, 1500], "{code:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_passes_is_forgotten() {
    let kit = kit(&[Act::Refuse(Code::Unavailable), Act::HangUp, Act::Answer]);
    kit.issue().await.unwrap();
    assert_eq!(kit.times(), [0, 100, 300]);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_a_deadline() {
    let mut kit = kit(&[Act::Hang, Act::Hang, Act::Answer]);
    kit.client = kit.client.attempt_deadline(Duration::from_secs(2));
    kit.issue().await.unwrap();
    assert_eq!(kit.times(), [0, 2100, 4300]);
    kit.script.acts.lock().unwrap().extend([Act::Hang; 5]);
    assert_eq!(kit.issue().await.unwrap_err().reason(), "ca_deadline");
    assert_eq!(kit.times().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_of_no_use_is_not_asked_for_again() {
    for (act, reason) in [
        (Act::AnswerOtherKey, "answer_for_other_key"),
        (Act::AnswerElements(0), "answer_too_few_elements"),
        (Act::AnswerElements(1), "answer_too_few_elements"),
    ] {
        let kit = kit(&[act]);
        let error = kit.issue().await.unwrap_err();
        assert_eq!((error.reason(), kit.times().len()), (reason, 1));
        assert!(matches!(error, IssuerError::Permanent { .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent() {
    let mut kit = kit(&[]);
    let token = kit.directory.path().join("token");
    std::fs::write(&token, "secret-1\n").unwrap();
    kit.client = kit.client.token_file(&token).cluster_id("Kubernetes");
    kit.issue().await.unwrap();
    std::fs::write(&token, "secret-2\n").unwrap();
    kit.issue().await.unwrap();
    let seen = kit.script.seen.lock().unwrap();
    let header = |at: usize, name: &str| {
        let headers: &Vec<(String, String)> = &seen[at].headers;
        headers
            .iter()
            .find(|(one, _)| one == name)
            .map(|(_, value)| value.clone())
    };
    assert_eq!(header(0, "authorization").as_deref(), Some("Bearer secret-1"));
    assert_eq!(header(1, "authorization").as_deref(), Some("Bearer secret-2"));
    assert_eq!(header(0, "clusterid").as_deref(), Some("Kubernetes"));
    assert_eq!(header(0, "grpc-timeout").as_deref(), Some("10000000u"));
    assert_eq!(seen[0].message.validity_duration, 2, "a second and a half, rounded up");
    assert_eq!(seen[0].message.metadata, None);
    assert!(
        seen[0]
            .message
            .csr
            .starts_with("-----BEGIN CERTIFICATE REQUEST-----\n")
    );
    assert!(!format!("{:?}", kit.client).contains("secret"));
}

#[tokio::test]
async fn nobody_listens() {
    let kit = kit(&[]);
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let client = IstioCaClient { address: free.to_string(), dial: Dial::Tcp, ..kit.client };
    let request = SvidRequest::new(LEDGER.parse().unwrap(), KeyType::P256, None);
    let error = client.issue(&request).await.unwrap_err();
    assert_eq!(error.reason(), "ca_unreachable");
    assert!(matches!(error, IssuerError::Retryable { .. }));
}
