//! The acceptor, fed any bytes by a client without a certificate: one event, nothing accepted under STRICT, no byte
//! lost or added where something is handed over, and the same outcome however the bytes are cut.

#![expect(clippy::expect_used, reason = "a property fails by panicking")]

use std::sync::{Arc, LazyLock, Mutex};

use meshtls_acceptor::{
    Acceptor, Event, FirstSpeaker, Inbound, Observer, PortProtocol, Refusal, UnsniffedReason,
};
use meshtls_policy::{
    Labels, MeshSettings, MtlsMode, PeerAuthentication, PolicyHandle, PolicySet, Resources,
    Workload,
};
use meshtls_rustls::TlsProfile;
use meshtls_svid::{SvidHandle, SvidSource};
use meshtls_testkit::{ManualClock, TestCa};
use meshtls_wire::{Class, Sniff, sniff};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// Holds for all bytes.
pub(crate) fn check(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        for port in PORTS.iter() {
            port.try_bytes(bytes).await;
        }
    });
}

/// An acceptor for each mode, protocol and first speaker. They last, as acceptors do: making one's TLS
/// configuration takes longer than most inputs.
static PORTS: LazyLock<Vec<Port>> = LazyLock::new(|| {
    let ca = TestCa::new("cluster.local");
    let svid = ca.svid("spiffe://cluster.local/ns/foo/sa/httpbin");
    let source: Arc<dyn SvidSource> = Arc::new(SvidHandle::new(svid, ca.bundles()));
    let profile = TlsProfile::ring().with_time(Arc::new(ManualClock::new(ca.now())));

    let mut ports = Vec::new();
    for mode in MtlsMode::ALL {
        for (protocol, speaker) in [
            (PortProtocol::Http, FirstSpeaker::Client),
            (PortProtocol::Tcp, FirstSpeaker::Client),
            (PortProtocol::Tcp, FirstSpeaker::Server),
            (PortProtocol::Auto, FirstSpeaker::Client),
            (PortProtocol::Auto, FirstSpeaker::Server),
        ] {
            let settings = Settings { mode, protocol, speaker };
            ports.push(Port::new(settings, &profile, &source));
        }
    }
    ports
});

struct Port {
    settings: Settings,
    acceptor: Acceptor,
    events: Arc<Events>,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    mode: MtlsMode,
    protocol: PortProtocol,
    speaker: FirstSpeaker,
}

/// What application, client and observer saw.
#[derive(Debug)]
struct Seen {
    label: &'static str,
    accepted: Option<Accepted>,
    refused_by_handshake: bool,
    /// What the client got.
    answer: Vec<u8>,
    events: Vec<&'static str>,
}

#[derive(Debug)]
struct Accepted {
    plaintext: bool,
    unsniffed: Option<UnsniffedReason>,
    /// What the application read.
    bytes: Vec<u8>,
}

impl Port {
    fn new(settings: Settings, profile: &TlsProfile, source: &Arc<dyn SvidSource>) -> Self {
        let policy = PeerAuthentication::new("foo", "default").with_mode(settings.mode);
        let resources: Resources = [policy].into_iter().collect();
        let policies = PolicySet::compile(MeshSettings::default(), &resources);
        let workload = Workload::new("foo", Labels::default());
        let events = Arc::new(Events::default());
        let observer = Arc::clone(&events);
        let acceptor = Acceptor::builder(profile.clone())
            .svid(Arc::clone(source))
            .policy(PolicyHandle::new(policies), workload, 8000)
            .protocol(settings.protocol)
            .first_speaker(settings.speaker)
            .observer(observer)
            .build()
            .expect("the settings are within their bounds");
        Self { settings, acceptor, events }
    }

    async fn try_bytes(&self, bytes: &[u8]) {
        let whole = self.accept(bytes, bytes.len()).await;
        self.settings.check(&whole, bytes);
        // Cuts inside the first record header and the first line, and later.
        for piece in [1, 61] {
            if bytes.len() / piece < 512 {
                let cut = self.accept(bytes, piece).await;
                self.settings.check(&cut, bytes);
                assert_eq!(cut.label, whole.label, "{:?} in pieces of {piece}", self.settings);
            }
        }
    }

    /// The client sends `bytes` in pieces, then ends its stream and reads to the end of the other.
    async fn accept(&self, bytes: &[u8], piece: usize) -> Seen {
        let (mut client, server) = duplex(64 * 1024);
        let send = async {
            for piece in bytes.chunks(piece.max(1)) {
                if client.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            // A server that has gone already is fine: what it did is judged below.
            client.shutdown().await.ok();
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.ok();
            answer
        };
        let receive = async {
            match self.acceptor.accept(server, None).await {
                Ok(inbound) => (inbound.kind(), Some(read_all(inbound).await), false),
                Err(refusal) => (refusal.reason(), None, matches!(refusal, Refusal::Handshake(_))),
            }
        };
        let ((label, accepted, refused_by_handshake), answer) = tokio::join!(receive, send);
        let events = std::mem::take(&mut *self.events.0.lock().expect("nobody panicked here"));
        Seen { label, accepted, refused_by_handshake, answer, events }
    }
}

impl Settings {
    fn check(self, seen: &Seen, bytes: &[u8]) {
        assert_eq!(seen.events, [seen.label], "{self:?}");
        let Some(accepted) = &seen.accepted else {
            assert!(
                seen.answer.is_empty() || seen.refused_by_handshake,
                "{self:?} answered: {seen:?}"
            );
            return;
        };
        assert_ne!(self.mode, MtlsMode::Strict, "{self:?} accepted {}", seen.label);
        assert_ne!(seen.label, "mesh", "{self:?}: without a certificate");
        assert_eq!(accepted.bytes, bytes, "{self:?}");
        assert!(seen.answer.is_empty(), "{self:?} spoke in the application's place");

        let class = match sniff(bytes) {
            Sniff::Is(opening) => Some(opening.class()),
            Sniff::NeedMore(_) | Sniff::Unacceptable(_) => None,
        };
        let tls = matches!(class, Some(Class::ClientHello | Class::TlsLike));
        if accepted.plaintext {
            assert!(!tls, "{self:?}: TLS was called plaintext");
        }
        match accepted.unsniffed {
            Some(UnsniffedReason::Disabled) => {
                assert_eq!((self.mode, self.protocol), (MtlsMode::Disable, PortProtocol::Tcp));
            }
            Some(UnsniffedReason::ServerFirst) => {
                assert_eq!(self.speaker, FirstSpeaker::Server);
                assert!(bytes.is_empty(), "{self:?}: the client did speak");
            }
            _ => assert_eq!(tls, seen.label == "foreign_tls", "{self:?}"),
        }
    }
}

async fn read_all(inbound: Inbound<DuplexStream>) -> Accepted {
    let plaintext = matches!(inbound, Inbound::Plaintext(_));
    let unsniffed = match &inbound {
        Inbound::Unsniffed(unsniffed) => Some(unsniffed.reason),
        Inbound::Mesh(_) | Inbound::Ingress(_) | Inbound::Plaintext(_) | Inbound::ForeignTls(_) => {
            None
        }
    };
    let mut bytes = Vec::new();
    inbound
        .into_stream()
        .read_to_end(&mut bytes)
        .await
        .expect("an in-memory stream does not fail");
    Accepted { plaintext, unsniffed, bytes }
}

#[derive(Default)]
struct Events(Mutex<Vec<&'static str>>);

impl Observer for Events {
    fn connection(&self, event: &Event<'_>) {
        let mut labels = self.0.lock().expect("nobody panicked here");
        labels.push(event.outcome.label());
    }
}
