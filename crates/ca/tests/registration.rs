//! Who gets what from a registration authority, and that every answer is on record first.

#![cfg(all(feature = "authority", any(feature = "ring", feature = "aws-lc-rs")))]
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use meshtls_ca::{
    AuditError, AuditEvent, AuditLog, AuditOutcome, AuthenticatedBy, Authority, AuthorityOptions,
    AuthorityRoots, IssuancePolicy, IssueError, IssueRequest, IssuedSvid, IssuingAuthority,
    KeyAlgorithm, KeyPair, KeyType, PeerAnswer, PolicyError, PublicKey, RandomSerials, Refusal,
    RefusedRequest, RegistrationAuthority, Requester, Serial, SerialError, SerialSource,
    Signer as _, csr,
};
use meshtls_identity::{IdMatcher, SpiffeId, TrustDomain};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;

const DAY: Duration = Duration::from_secs(86_400);
const GREEDY: &[u8] = include_bytes!("data/greedy.csr.der");
const RSA2048: &[u8] = include_bytes!("data/rsa2048.csr.der");
const RSA3072: &[u8] = include_bytes!("data/rsa3072.csr.der");
const RSA1024: &[u8] = include_bytes!("data/rsa1024.csr.der");

#[test]
fn whoever_asks_gets_its_own_identity_or_one_delegated_to_it() {
    let agent = "/ns/istio-system/sa/ztunnel";
    let of_pay = IdMatcher::one_of([id("/ns/pay/sa/ledger")]).unwrap();
    let of_web = IdMatcher::one_of([id("/ns/web/sa/front")]).unwrap();
    let foreign = IdMatcher::one_of(["spiffe://other.example/x".parse().unwrap()]).unwrap();
    let policy = IssuancePolicy::default()
        .with_delegate(id(agent), of_pay)
        .with_delegate(id(agent), of_web)
        .with_delegate(id(agent), foreign);
    let under_test = Case::with(policy);
    let (ledger, front) = ("/ns/pay/sa/ledger", "/ns/web/sa/front");
    let other: SpiffeId = "spiffe://other.example/x".parse().unwrap();
    for (name, own, wanted, want) in [
        ("its own, unnamed", vec![id(ledger)], None, Ok(ledger)),
        ("its own, named", vec![id(ledger)], Some(id(ledger)), Ok(ledger)),
        ("one of two, named", vec![id(front), id(ledger)], Some(id(ledger)), Ok(ledger)),
        ("an agent's own", vec![id(agent)], None, Ok(agent)),
        ("an agent for another", vec![id(agent)], Some(id(ledger)), Ok(ledger)),
        ("an agent for a second", vec![id(agent)], Some(id(front)), Ok(front)),
        ("another's", vec![id(ledger)], Some(id(front)), Err("foreign_identity")),
        ("an agent's own, by another", vec![id(ledger)], Some(id(agent)), Err("foreign_identity")),
        (
            "an agent for one it may not",
            vec![id(agent)],
            Some(id("/ns/pay/sa/bank")),
            Err("foreign_identity"),
        ),
        ("one of two, unnamed", vec![id(front), id(ledger)], None, Err("ambiguous_identity")),
        ("nobody, unnamed", vec![], None, Err("no_identity")),
        ("nobody, named", vec![], Some(id(ledger)), Err("no_identity")),
        ("own of another domain", vec![other.clone()], None, Err("foreign_trust_domain")),
        ("delegated of another domain", vec![id(agent)], Some(other), Err("foreign_trust_domain")),
    ] {
        let requester = Requester::with_ids(own, AuthenticatedBy::Token);
        let got = under_test.issue(&requester, wanted.as_ref(), GREEDY, None);
        assert_eq!(under_test.outcome(got), want.map(id), "{name}");
    }
}

/// The request asks for CA rights, other identities, a wildcard, a long life: only its key is used.
#[test]
fn nothing_in_a_request_but_its_key_is_looked_at() {
    let under_test = Case::with(IssuancePolicy::default());
    let issued = under_test.issue(&ledger(), None, GREEDY, None).unwrap();
    let leaf = X509Certificate::from_der(&issued.chain[0]).unwrap().1;
    for extension in leaf.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => {
                let own = id("/ns/pay/sa/ledger");
                assert_eq!(names.general_names, [GeneralName::URI(own.as_str())]);
            }
            ParsedExtension::BasicConstraints(constraints) => assert!(!constraints.ca),
            ParsedExtension::KeyUsage(usage) => {
                assert!(!usage.key_cert_sign() && !usage.crl_sign());
            }
            _ => {}
        }
    }
    assert_eq!(leaf.subject().iter().count(), 0);
    let life = leaf.validity().not_after.timestamp() - i64::try_from(now().as_secs()).unwrap();
    assert_eq!(life, 86_400, "the policy's life");
    let key = csr::check(GREEDY, webpki::ALL_VERIFICATION_ALGS).unwrap();
    assert_eq!(leaf.public_key().raw, key.spki().as_ref());
}

#[test]
fn lives_are_bounded_and_never_outlive_the_signer() {
    let hour = Duration::from_secs(3600);
    let policy = IssuancePolicy::default()
        .with_ttl(hour, 2 * hour, DAY)
        .unwrap();
    let under_test = Case::with(policy.clone());
    for (name, asked, want) in [
        ("none is the default", None, Ok(2 * hour)),
        ("zero is the default", Some(Duration::ZERO), Ok(2 * hour)),
        ("the shortest", Some(hour), Ok(hour)),
        ("the longest", Some(DAY), Ok(DAY)),
        ("shorter", Some(hour - Duration::from_secs(1)), Err("ttl_too_short")),
        ("longer", Some(DAY + Duration::from_secs(1)), Err("ttl_too_long")),
        ("longest of all", Some(Duration::MAX), Err("ttl_too_long")),
    ] {
        let got = under_test.issue(&ledger(), None, GREEDY, asked);
        let got = under_test.outcome(got).map(|_| under_test.last_not_after());
        assert_eq!(got, want.map(plus), "{name}");
    }

    let options = AuthorityOptions::default().with_lifetime(3 * hour);
    let authority = Authority::self_signed(domain(), &options, now(), &mut RandomSerials).unwrap();
    let short = Case::new(Arc::new(authority), policy);
    let got = short.issue(&ledger(), None, GREEDY, Some(DAY));
    assert!(got.is_ok());
    assert_eq!(short.last_not_after(), plus(3 * hour), "clamped to the signer's");
}

#[test]
fn keys_and_requests_that_are_refused() {
    let any = IssuancePolicy::default;
    let only_p384 = any().with_keys(&[KeyAlgorithm::P384]).unwrap();
    let long_rsa = any().with_min_rsa_bits(3072).unwrap();
    let mut forged = GREEDY.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    for (name, policy, request, want) in [
        ("RSA 2048", any(), RSA2048, Ok(())),
        ("RSA at the policy's length", long_rsa.clone(), RSA3072, Ok(())),
        ("RSA below the policy's length", long_rsa, RSA2048, Err("key_size")),
        ("a tiny key", any(), RSA1024, Err("csr_key_size")),
        ("a kind that is not allowed", only_p384, GREEDY, Err("key_algorithm")),
        ("P-521", any(), include_bytes!("data/p521.csr.der"), Err("csr_key_unsupported")),
        ("a signature of another key", any(), &forged, Err("csr_signature_bad")),
        ("no request", any(), b"", Err("csr_malformed")),
    ] {
        let under_test = Case::with(policy);
        let got = under_test.issue(&ledger(), None, request, None);
        assert_eq!(under_test.outcome(got).map(|_| ()), want, "{name}");
    }
}

/// It yields another certificate for the same key, which whoever replays it does not have.
#[test]
fn a_request_may_come_again() {
    let under_test = Case::with(IssuancePolicy::default());
    let [first, second] =
        [(); 2].map(|()| under_test.issue(&ledger(), None, GREEDY, None).unwrap());
    let keys = [&first, &second].map(|issued| {
        let leaf = X509Certificate::from_der(&issued.chain[0]).unwrap().1;
        (leaf.public_key().raw.to_vec(), leaf.raw_serial().to_vec())
    });
    assert_eq!(keys[0].0, keys[1].0);
    assert_ne!(keys[0].1, keys[1].1, "a serial number of its own");
    assert_eq!(under_test.log.lines().len(), 2);
}

#[test]
fn a_credential_that_ended_meanwhile_is_none() {
    let under_test = Case::with(IssuancePolicy::default());
    let got = under_test.issue(&ledger().valid_until(now()), None, GREEDY, None);
    assert_eq!(under_test.outcome(got), Ok(id("/ns/pay/sa/ledger")), "its last second");
    let before = UnixTime::since_unix_epoch(Duration::from_secs(now().as_secs() - 1));
    let got = under_test.issue(&ledger().valid_until(before), None, GREEDY, None);
    assert_eq!(got.as_ref().unwrap_err().answer(), PeerAnswer::Unauthenticated);
    assert_eq!(under_test.outcome(got), Err("requester_expired"));
}

/// A log that knows the past refuses a serial number that it has seen.
#[test]
fn a_repeated_serial_number_is_not_handed_out() {
    let under_test = Case::with(IssuancePolicy::default());
    let issue = |serials: &mut dyn SerialSource| {
        under_test
            .authority
            .issue(&ledger(), None, GREEDY, None, now(), serials)
    };
    assert!(issue(&mut Sevens).is_ok());
    let refused = issue(&mut Sevens).unwrap_err();
    let Refusal::NotRecorded(cause) = refused.refusal() else { unreachable!("{refused:?}") };
    assert_eq!(cause.source().unwrap().to_string(), "serial number seen before");
    assert!(issue(&mut RandomSerials).is_ok());
}

#[test]
fn what_is_not_recorded_is_not_handed_out() {
    let under_test = Case::with(IssuancePolicy::default());
    under_test.log.break_down();
    let refused = under_test.issue(&ledger(), None, GREEDY, None).unwrap_err();
    assert_eq!(refused.refusal().reason(), "not_recorded");
    assert_eq!(refused.answer(), PeerAnswer::Unavailable);
    let refused = under_test
        .issue(&ledger(), Some(&id("/x")), GREEDY, None)
        .unwrap_err();
    assert_eq!(refused.refusal().reason(), "foreign_identity");
    let unrecorded = refused.unrecorded().unwrap();
    assert_eq!(unrecorded.source().unwrap().to_string(), "the disk is full");
    assert_eq!(under_test.log.lines(), [""; 0]);
}

#[test]
fn an_authority_that_fails_or_lies_is_on_record() {
    let own = authority();
    let key = KeyPair::generate(KeyType::P256).unwrap();
    for (name, lie, want) in [
        ("fails", Lie::Fail, "authority_unavailable"),
        ("another identity", Lie::Identity(id("/ns/pay/sa/bank")), "wrong_answer"),
        ("another key", Lie::Key(key.public_key().clone()), "wrong_answer"),
        ("no chain", Lie::Nothing, "wrong_answer"),
    ] {
        let liar = Liar { own: own.clone(), lie };
        let under_test = Case::new(Arc::new(liar), IssuancePolicy::default());
        let got = under_test.issue(&ledger(), None, GREEDY, None);
        assert_eq!(got.as_ref().unwrap_err().answer(), PeerAnswer::Unavailable, "{name}");
        assert_eq!(under_test.outcome(got), Err(want), "{name}");
    }
}

/// The peer's text cannot begin a second event, and a refusal shows the peer nothing of the policy.
#[test]
fn the_record_has_all_and_the_peer_next_to_nothing() {
    let under_test = Case::with(IssuancePolicy::default());
    let requester = ledger()
        .with_name("mallory\"\ntime=0 issued=\u{202e}")
        .with_address("192.0.2.7:4711");
    let refused = under_test
        .issue(&requester, Some(&id("/ns/pay/sa/bank")), GREEDY, Some(DAY))
        .unwrap_err();
    assert_eq!(refused.to_string(), "request denied");
    assert!(refused.source().is_none());
    let mut cut = GREEDY.to_vec();
    cut.truncate(20);
    let invalid = under_test.issue(&ledger(), None, &cut, None).unwrap_err();
    assert_eq!(invalid.to_string(), "invalid request");
    let unknown = Requester::unidentified(AuthenticatedBy::Nobody);
    let refused =
        under_test
            .authority
            .refuse_unauthenticated(&unknown, None, "the token\nexpired", now());
    assert_eq!(refused.to_string(), "not authenticated");
    let (own, bank) = (id("/ns/pay/sa/ledger"), id("/ns/pay/sa/bank"));
    assert_eq!(
        under_test.log.lines(),
        [
            format!(
                "time=1800000000 by=token id={own} name=\"mallory\\\"\\ntime=0 issued=\\u{{202e}}\" \
                 address=\"192.0.2.7:4711\" wanted={bank} ttl=86400 refused=foreign_identity \
                 detail=\"{bank} is neither the requester's own nor one it may ask for\""
            ),
            format!(
                "time=1800000000 by=token id={own} refused=csr_malformed \
                 detail=\"the certificate signing request is refused: malformed request\""
            ),
            "time=1800000000 by=nobody refused=unauthenticated detail=\"the requester was not \
             authenticated: the token\\nexpired\""
                .to_owned(),
        ]
    );
    let issue = under_test.authority.issue(
        &Requester::new(own.clone(), AuthenticatedBy::ClientCertificate),
        None,
        GREEDY,
        None,
        now(),
        &mut Sevens,
    );
    assert!(issue.is_ok());
    assert_eq!(
        under_test.log.lines()[3],
        format!(
            "time=1800000000 by=client_certificate id={own} issued={own} \
             serial=07070707070707070707070707070707 not_after=1800086400 key=p256"
        )
    );
}

#[test]
fn requesters_are_bounded() {
    let many = (0..20).map(|number| id(&format!("/{number}")));
    let requester = Requester::with_ids(many, AuthenticatedBy::Token);
    assert_eq!(requester.ids().len(), Requester::MAX_IDS);
    for text in ["a".repeat(1000), "\u{fffd}".repeat(1000), "\n".repeat(1000)] {
        let requester = ledger().with_name(&text).with_address(&text);
        for kept in [requester.name().unwrap(), requester.address().unwrap()] {
            assert!(kept.len() <= Requester::MAX_TEXT && kept.len() > Requester::MAX_TEXT - 8);
            assert!(kept.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        }
    }
}

#[test]
fn policies_that_cannot_be_meant() {
    let any = IssuancePolicy::default;
    let ttl = |min, default, max| {
        let [min, default, max] = [min, default, max].map(Duration::from_secs);
        (any().with_ttl(min, default, max).map(|_| ()), PolicyError::Ttl { min, default, max })
    };
    for (name, (got, want)) in [
        ("too short", ttl(0, 60, 60)),
        ("default below the shortest", ttl(100, 99, 200)),
        ("default above the longest", ttl(100, 201, 200)),
        ("above the authority's bound", ttl(100, 200, 90 * 86_400 + 1)),
    ] {
        assert_eq!(got, Err(want), "{name}");
        assert!(want.to_string().contains("wanted 1 s or more"), "{name}: {want}");
    }
    assert_eq!(ttl(1, 60, 90 * 86_400).0, Ok(()));
    assert_eq!(any().with_keys(&[]).map(|_| ()), Err(PolicyError::NoKeys));
    for bits in [2047, 8193] {
        let got = any().with_min_rsa_bits(bits).map(|_| ());
        assert_eq!(got, Err(PolicyError::RsaBits { bits }));
    }
}

struct Case {
    authority: RegistrationAuthority,
    log: Arc<Log>,
}

impl Case {
    fn with(policy: IssuancePolicy) -> Self {
        Self::new(Arc::new(authority()), policy)
    }

    fn new(authority: Arc<dyn IssuingAuthority>, policy: IssuancePolicy) -> Self {
        let log = Arc::new(Log::default());
        let audit: Arc<dyn AuditLog> = Arc::<Log>::clone(&log);
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        Self { authority: RegistrationAuthority::new(authority, policy, audit, algorithms), log }
    }

    fn issue(
        &self,
        requester: &Requester,
        wanted: Option<&SpiffeId>,
        csr_der: &[u8],
        ttl: Option<Duration>,
    ) -> Result<IssuedSvid, RefusedRequest> {
        self.authority
            .issue(requester, wanted, csr_der, ttl, now(), &mut RandomSerials)
    }

    /// Whom it names, or why not; and that just this is the last thing on record, once.
    fn outcome(&self, got: Result<IssuedSvid, RefusedRequest>) -> Result<SpiffeId, &'static str> {
        let before = self.log.taken();
        assert_eq!(before.len(), 1, "exactly one event");
        match got {
            Ok(issued) => {
                let id = meshtls_svid::identify(&issued.chain[0]).unwrap();
                assert!(before[0].contains(&format!(" issued={id} ")), "{before:?}");
                Ok(id)
            }
            Err(refused) => {
                let reason = refused.refusal().reason();
                assert!(before[0].contains(&format!(" refused={reason} ")), "{before:?}");
                Err(reason)
            }
        }
    }

    fn last_not_after(&self) -> UnixTime {
        self.log.kept.lock().unwrap().last_not_after.unwrap()
    }
}

#[derive(Debug, Default)]
struct Log {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: Vec<String>,
    serials: BTreeSet<Vec<u8>>,
    last_not_after: Option<UnixTime>,
    broken: bool,
}

impl Log {
    fn break_down(&self) {
        self.kept.lock().unwrap().broken = true;
    }

    fn lines(&self) -> Vec<String> {
        self.kept.lock().unwrap().lines.clone()
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.kept.lock().unwrap().lines)
    }
}

impl AuditLog for Log {
    fn record(&self, event: &AuditEvent<'_>) -> Result<(), AuditError> {
        let mut kept = self.kept.lock().unwrap();
        if kept.broken {
            return Err(AuditError::new("the disk is full"));
        }
        if let AuditOutcome::Issued(facts) = event.outcome {
            if !kept.serials.insert(facts.serial.clone()) {
                return Err(AuditError::new("serial number seen before"));
            }
            kept.last_not_after = Some(facts.not_after);
        }
        kept.lines.push(event.to_string());
        Ok(())
    }
}

/// An authority that does not do what it is asked.
#[derive(Debug)]
struct Liar {
    own: Authority,
    lie: Lie,
}

#[derive(Debug)]
enum Lie {
    Fail,
    Identity(SpiffeId),
    Key(PublicKey),
    Nothing,
}

impl IssuingAuthority for Liar {
    fn trust_domain(&self) -> &TrustDomain {
        self.own.trust_domain()
    }

    fn issue(
        &self,
        _request: &IssueRequest<'_>,
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<IssuedSvid, IssueError> {
        let key = csr::check(GREEDY, webpki::ALL_VERIFICATION_ALGS).unwrap();
        let ledger = id("/ns/pay/sa/ledger");
        let request = match &self.lie {
            Lie::Fail => return Err(IssueError::Unavailable("no route to it".into())),
            Lie::Identity(id) => IssueRequest::new(&key, id),
            Lie::Key(key) => IssueRequest::new(key, &ledger),
            Lie::Nothing => return Ok(IssuedSvid::new(vec![], vec![])),
        };
        let chain: Vec<CertificateDer<'static>> = self.own.issue(&request, now, serials)?;
        Ok(IssuedSvid::new(chain, self.own.roots().to_vec()))
    }

    fn roots(&self, now: UnixTime) -> Result<AuthorityRoots, IssueError> {
        IssuingAuthority::roots(&self.own, now)
    }
}

/// The same serial number again and again.
struct Sevens;

impl SerialSource for Sevens {
    fn next_serial(&mut self) -> Result<Serial, SerialError> {
        Serial::new([7; 16]).ok_or_else(|| SerialError::new("zero"))
    }
}

fn authority() -> Authority {
    let options = AuthorityOptions::default();
    Authority::self_signed(domain(), &options, now(), &mut RandomSerials).unwrap()
}

fn ledger() -> Requester {
    Requester::new(id("/ns/pay/sa/ledger"), AuthenticatedBy::Token)
}

fn domain() -> TrustDomain {
    "prod.example".parse().unwrap()
}

fn id(path: &str) -> SpiffeId {
    format!("spiffe://prod.example{path}").parse().unwrap()
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))
}

fn plus(life: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now().as_secs()) + life)
}
