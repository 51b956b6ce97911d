//! Makes the chain that has one defect.

use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::{KeyPair, KeyType, Signer};
use meshtls_svid::{TrustBundle, TrustBundles};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

use crate::bad_id::utf16;
use crate::defect::Defect;
use crate::der::{BMP_STRING, TRUE, UTC_TIME, element, oid, sequence, small, tagged, time};
use crate::draft::{
    ANY_USAGE, BASIC_CONSTRAINTS, CLIENT_AUTH, CRL_SIGN, DAY, DIGITAL_SIGNATURE, DNS, Draft,
    ECDSA_WITH_SHA1, EXT_KEY_USAGE, Issuer, KEY_CERT_SIGN, KEY_ENCIPHERMENT, KEY_USAGE,
    NAME_CONSTRAINTS, P_521, RSA_1024, SERVER_AUTH, SUBJECT_ALT_NAME, UNKNOWN_EXTENSION, URI,
    URI_CONSTRUCTED, after, before, common_name, key_usage, rsa_with_md5,
};
use crate::test_ca::TestCa;

/// A chain with one defect, and the key to present it with.
#[derive(Debug)]
pub struct Hostile {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    bundles: TrustBundles,
}

impl Hostile {
    /// The chain, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The private key of the leaf (of [`Defect::WrongKey`], [`Defect::Rsa1024Key`] and
    /// [`Defect::P521Key`]: another one), in PKCS #8.
    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        self.key.private_key()
    }

    /// What a verifier must trust for [`Defect::verdict`] to hold: the authority's own trust, but for the
    /// defects of a root.
    #[must_use]
    pub fn bundles(&self) -> &TrustBundles {
        &self.bundles
    }
}

impl TestCa {
    /// A chain for `/ns/pay/sa/ledger` of this trust domain that has one defect at [`now`](Self::now).
    ///
    /// # Panics
    ///
    /// If a certificate cannot be written, which is a fault of this crate.
    #[must_use]
    pub fn hostile(&self, defect: Defect) -> Hostile {
        let key = KeyPair::generate(KeyType::P256).expect("a key can be drawn");
        let mut forger = Forger::new(self, &key);
        forger.spoil(defect);
        let (chain, bundles) = (forger.chain(), TrustBundles::new([forger.bundle]));
        let key = match defect {
            Defect::WrongKey => KeyPair::generate(KeyType::P256).expect("a key can be drawn"),
            _ => key,
        };
        Hostile { chain, key, bundles }
    }
}

/// A faultless chain in parts. [`spoil`](Self::spoil) breaks one of them.
struct Forger<'a> {
    ca: &'a TestCa,
    leaf: Draft,
    /// Of the leaf.
    signer: Arc<dyn Signer>,
    above: Vec<CertificateDer<'static>>,
    bundle: TrustBundle,
    /// The leaf's own key.
    key: &'a KeyPair,
    after_leaf: &'static [u8],
    present_nothing: bool,
}

impl<'a> Forger<'a> {
    fn new(ca: &'a TestCa, key: &'a KeyPair) -> Self {
        let issuer = Issuer::of(ca.authority());
        let uri = format!("spiffe://{}/ns/pay/sa/ledger", ca.trust_domain());
        Self {
            ca,
            leaf: Draft::leaf(uri.as_bytes(), key.public_key(), &issuer, ca.now()),
            signer: issuer.signer,
            above: ca.authority().intermediates().to_vec(),
            bundle: ca.bundle(),
            key,
            after_leaf: b"",
            present_nothing: false,
        }
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        if self.present_nothing {
            return vec![];
        }
        let mut leaf = self.leaf.sign(self.signer.as_ref()).to_vec();
        leaf.extend_from_slice(self.after_leaf);
        let mut chain = vec![leaf.into()];
        chain.extend_from_slice(&self.above);
        chain
    }

    fn spoil(&mut self, defect: Defect) {
        let td = self.ca.trust_domain().as_str();
        let now = self.ca.now();
        let id = format!("spiffe://{td}/ns/pay/sa/ledger");
        let id = id.as_bytes();
        let other = format!("spiffe://{td}/ns/pay/sa/other");
        match defect {
            Defect::NoUri => self.names(&[(DNS, b"ledger.pay.svc")]),
            Defect::IdInCommonName => {
                self.leaf.remove(SUBJECT_ALT_NAME);
                self.leaf.subject = common_name(&String::from_utf8_lossy(id));
            }
            Defect::IdInDnsName => self.names(&[(DNS, id)]),
            Defect::TwoUris => self.names(&[(URI, id), (URI, other.as_bytes())]),
            Defect::SameUriTwice => self.names(&[(URI, id), (URI, id)]),
            Defect::ThirtyThreeUris => self.names(&[(URI, id); 33]),
            Defect::SecondUriOther => self.names(&[(URI, id), (URI, b"https://prod.example/")]),
            Defect::SecondUriNotText => self.names(&[(URI, id), (URI, b"spiffe://\xff/a")]),
            Defect::SecondUriConstructed => {
                let second = element(BMP_STRING, &utf16(&other));
                self.names(&[(URI, id), (URI_CONSTRUCTED, &second)]);
            }
            Defect::UriNotText => self.names(&[(URI, b"spiffe://prod.example/\xff")]),
            Defect::BadId(bad) => self.names(&[(URI, &bad.uri(td))]),
            Defect::IdWithoutPath => self.names(&[(URI, format!("spiffe://{td}").as_bytes())]),
            Defect::PathBeyondServiceAccount => self.names(&[(URI, &[id, b"/x"].concat())]),
            Defect::ForeignTrustDomain => {
                self.names(&[(URI, b"spiffe://foreign.example/ns/a/sa/b")])
            }
            Defect::TrustDomainAsPrefix => {
                self.names(&[(URI, format!("spiffe://{td}.evil/ns/pay/sa/ledger").as_bytes())]);
            }
            Defect::Expired => self.leaf.not_after = before(now, SECOND),
            Defect::NotYetValid => self.leaf.not_before = after(now, SECOND),
            Defect::EndsBeforeItBegins => {
                self.leaf.not_before = after(now, DAY);
                self.leaf.not_after = before(now, DAY);
            }
            Defect::NeverExpires => {
                self.leaf.not_after = time(UnixTime::since_unix_epoch(END_OF_9999));
            }
            Defect::LeapSecond => self.leaf.not_after = element(UTC_TIME, b"491231235960Z"),
            Defect::ExpiredIntermediate => {
                self.intermediate(|draft| draft.not_after = before(now, SECOND));
            }
            Defect::ExpiredIntermediateRenewed => self.renewed_intermediate(),
            Defect::NotYetValidIntermediate => {
                self.intermediate(|draft| draft.not_before = after(now, SECOND));
            }
            Defect::ExpiredRoot => self.root(|draft| draft.not_after = before(now, SECOND)),
            Defect::NotYetValidRoot => self.root(|draft| draft.not_before = after(now, SECOND)),
            Defect::LeafIsCa => self.leaf.set(BASIC_CONSTRAINTS, true, sequence(&[TRUE])),
            Defect::LeafMayCertSign => self.usage(DIGITAL_SIGNATURE | KEY_CERT_SIGN),
            Defect::LeafMayCrlSign => self.usage(DIGITAL_SIGNATURE | CRL_SIGN),
            Defect::NoDigitalSignature => self.usage(KEY_ENCIPHERMENT),
            Defect::NoKeyUsage => self.leaf.remove(KEY_USAGE),
            Defect::NoExtendedKeyUsage => self.leaf.remove(EXT_KEY_USAGE),
            Defect::ServerOnly => self.purpose(SERVER_AUTH),
            Defect::ClientOnly => self.purpose(CLIENT_AUTH),
            Defect::AnyUsageOnly => self.purpose(ANY_USAGE),
            Defect::UnknownCriticalExtension => {
                self.leaf.set(UNKNOWN_EXTENSION, true, sequence(&[]));
            }
            Defect::ExtensionTwice => self.leaf.add(BASIC_CONSTRAINTS, true, sequence(&[])),
            Defect::Version1 => {
                self.leaf.version = None;
                self.leaf.subject = common_name(&String::from_utf8_lossy(id));
            }
            Defect::TrailingBytes => self.after_leaf = b"\x05\x00",
            Defect::Sha1 => self.leaf.signature_algorithm = sequence(&[&oid(ECDSA_WITH_SHA1)]),
            Defect::Md5 => self.leaf.signature_algorithm = rsa_with_md5(),
            Defect::Rsa1024Key => self.leaf.set_key(RSA_1024),
            Defect::P521Key => self.leaf.set_key(P_521),
            Defect::LeafSignedByLeaf => self.signed_by_leaf(other.as_bytes()),
            Defect::IntermediateNotCa => {
                self.intermediate(|draft| draft.set(BASIC_CONSTRAINTS, true, sequence(&[])));
            }
            Defect::IntermediateMayNotSign => {
                self.intermediate(|draft| draft.set(KEY_USAGE, true, key_usage(CRL_SIGN)));
            }
            Defect::PathTooLong => {
                self.intermediate(|draft| {
                    draft.set(BASIC_CONSTRAINTS, true, sequence(&[TRUE, &small(0)]));
                });
                self.intermediate(|_| {});
            }
            Defect::NamePermitted => self.name_constraint(PERMITTED),
            Defect::NameExcluded => self.name_constraint(EXCLUDED),
            Defect::IntermediateMissing => {
                self.intermediate(|_| {});
                self.above.clear();
            }
            Defect::UnknownIssuer => self.issued_by(&Issuer::new("nobody's root")),
            Defect::ImpostorIssuer => self.signer = Issuer::new("impostor").signer,
            Defect::SelfSigned => self.self_signed(),
            Defect::NoCertificate => self.present_nothing = true,
            Defect::WrongKey => {}
        }
    }

    fn names(&mut self, names: &[(u8, &[u8])]) {
        let names: Vec<u8> = names
            .iter()
            .flat_map(|(tag, name)| element(*tag, name))
            .collect();
        self.leaf.set(SUBJECT_ALT_NAME, true, sequence(&[&names]));
    }

    fn usage(&mut self, flags: u8) {
        self.leaf.set(KEY_USAGE, true, key_usage(flags));
    }

    fn purpose(&mut self, purpose: &[u8]) {
        self.leaf
            .set(EXT_KEY_USAGE, false, sequence(&[&oid(purpose)]));
    }

    /// Puts an intermediate, spoiled by `spoil`, between the leaf and what signed it so far.
    fn intermediate(&mut self, spoil: impl FnOnce(&mut Draft)) {
        let above = Issuer::named(self.leaf.issuer.clone(), Arc::clone(&self.signer));
        let new = Issuer::new(&format!("intermediate {}", self.above.len()));
        let mut draft = Draft::authority(&new, &above, self.ca.now());
        spoil(&mut draft);
        self.above.insert(0, draft.sign(above.signer.as_ref()));
        self.issued_by(&new);
    }

    /// Puts an intermediate between, and before it in the chain its own former certificate, which expired.
    fn renewed_intermediate(&mut self) {
        let above = Issuer::named(self.leaf.issuer.clone(), Arc::clone(&self.signer));
        let new = Issuer::new("renewed intermediate");
        let valid = Draft::authority(&new, &above, self.ca.now());
        let mut expired = Draft::authority(&new, &above, self.ca.now());
        expired.not_after = before(self.ca.now(), SECOND);
        for draft in [valid, expired] {
            self.above.insert(0, draft.sign(above.signer.as_ref()));
        }
        self.issued_by(&new);
    }

    /// Puts an intermediate between that permits, or excludes, the URIs of the trust domain.
    fn name_constraint(&mut self, subtrees: u8) {
        let host = self.ca.trust_domain().as_str();
        let subtree = sequence(&[&element(URI, host.as_bytes())]);
        let constraints = sequence(&[&tagged(subtrees, &subtree)]);
        self.intermediate(|draft| draft.set(NAME_CONSTRAINTS, true, constraints));
    }

    /// Replaces the root, and trusts the new one instead.
    fn root(&mut self, spoil: impl FnOnce(&mut Draft)) {
        let root = Issuer::new("another root");
        let mut draft = Draft::authority(&root, &root, self.ca.now());
        spoil(&mut draft);
        let certificate = draft.sign(root.signer.as_ref());
        self.bundle = TrustBundle::new(self.ca.trust_domain().clone(), vec![certificate])
            .expect("a root is an authority whatever its dates");
        self.above.clear();
        self.issued_by(&root);
    }

    /// A faultless X509-SVID of `uri`, but for a subject that an issuer must have, signs the leaf.
    fn signed_by_leaf(&mut self, uri: &[u8]) {
        let workload = Issuer::new("a workload");
        let issuer = Issuer::of(self.ca.authority());
        let mut draft = Draft::leaf(uri, workload.signer.public_key(), &issuer, self.ca.now());
        draft.subject.clone_from(&workload.name);
        self.above.insert(0, draft.sign(issuer.signer.as_ref()));
        self.issued_by(&workload);
    }

    fn self_signed(&mut self) {
        let key = KeyPair::from_der(&self.key.private_key()).expect("it was just made");
        self.signer = Arc::new(key);
        self.leaf.subject = common_name("myself");
        self.leaf.issuer = self.leaf.subject.clone();
        self.above.clear();
    }

    fn issued_by(&mut self, issuer: &Issuer) {
        self.leaf.set_issuer(issuer);
        self.signer = Arc::clone(&issuer.signer);
    }
}

const END_OF_9999: Duration = Duration::from_secs(253_402_300_799);
/// `permittedSubtrees [0]` and `excludedSubtrees [1]` (RFC 5280 section 4.2.1.10).
const PERMITTED: u8 = 0;
const EXCLUDED: u8 = 1;

const SECOND: Duration = Duration::from_secs(1);
