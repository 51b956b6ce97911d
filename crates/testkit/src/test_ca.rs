//! A certificate authority in memory, whose times are fixed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use meshtls_ca::{
    Authority, AuthorityOptions, IntermediateTerms, IssueRequest, KeyPair, KeyType, Revocation,
    RevocationReason, Serial, SerialError, SerialSource, Signer as _,
};
use meshtls_identity::{SpiffeId, TrustDomain};
use meshtls_svid::{TrustBundle, TrustBundles, X509Svid};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateRevocationListDer, UnixTime};

use crate::draft::{DAY, Draft, Issuer};

/// The authority of one trust domain, in memory. Make one for each domain of a test.
///
/// Its keys are random, its times and serial numbers are not: everything counts from [`now`](Self::now).
/// Whatever does not work ends the test by a panic.
#[derive(Debug)]
pub struct TestCa {
    root: Authority,
    issuer: Authority,
    now: UnixTime,
    serials: AtomicU64,
}

impl TestCa {
    /// A root for `trust_domain` at [`test_time`], with P-256 keys.
    ///
    /// # Panics
    ///
    /// If `trust_domain` is not the name of one.
    #[must_use]
    pub fn new(trust_domain: &str) -> Self {
        Self::at(trust_domain, test_time())
    }

    /// A root made at `now`: for tests against programs that use the real time.
    ///
    /// # Panics
    ///
    /// If `trust_domain` is not the name of one.
    #[must_use]
    pub fn at(trust_domain: &str, now: UnixTime) -> Self {
        Self::with_key_type(trust_domain, KeyType::P256, now)
    }

    /// A root with another kind of key.
    ///
    /// # Panics
    ///
    /// If `trust_domain` is not the name of one, or the key type cannot be generated.
    #[must_use]
    pub fn with_key_type(trust_domain: &str, key_type: KeyType, now: UnixTime) -> Self {
        let trust_domain: TrustDomain = trust_domain
            .parse()
            .expect("a test names its trust domain right");
        let serials = AtomicU64::new(1);
        let options = AuthorityOptions::default().with_key_type(key_type);
        let root = Authority::self_signed(trust_domain, &options, now, &mut Count(&serials))
            .expect("a root can be made");
        Self { issuer: root.clone(), root, now, serials }
    }

    /// The same root, which from now on issues through an intermediate that lives for a year.
    ///
    /// # Panics
    ///
    /// If no intermediate can be made.
    #[must_use]
    pub fn with_intermediate(mut self) -> Self {
        let key = Arc::new(KeyPair::generate(KeyType::P256).expect("a key can be drawn"));
        // As many may follow as anybody calls this for.
        let above = u8::try_from(self.issuer.intermediates().len()).unwrap_or(u8::MAX);
        let terms = IntermediateTerms::new(YEAR).with_path_length(u8::MAX.saturating_sub(above));
        self.issuer = self
            .issuer
            .intermediate_with(key, &terms, self.now, &mut Count(&self.serials))
            .expect("an intermediate can be made");
        self
    }

    /// Another root of the same name, with a key of its own and a life of one day. `provider` verifies what it signs.
    ///
    /// # Panics
    ///
    /// If no root can be made.
    #[must_use]
    pub fn twin(&self, provider: &CryptoProvider) -> Self {
        let key = Arc::new(KeyPair::generate(KeyType::P256).expect("a key can be drawn"));
        let name = Issuer::named(Issuer::of(&self.root).name, Arc::<KeyPair>::clone(&key));
        let certificate = Draft::authority(&name, &name, self.now).sign(&*key);
        let root = Authority::load(
            self.trust_domain().clone(),
            key,
            certificate.clone(),
            vec![],
            vec![certificate],
            provider.signature_verification_algorithms.all,
            self.now,
        )
        .expect("a draft of an authority is one");
        Self { issuer: root.clone(), root, now: self.now, serials: AtomicU64::new(1) }
    }

    /// Issues an X509-SVID that is valid for 24 hours, with a P-256 key.
    ///
    /// # Panics
    ///
    /// If `id` is no SPIFFE ID of a workload in this trust domain.
    #[must_use]
    pub fn svid(&self, id: &str) -> X509Svid {
        self.svid_with(id, KeyType::P256, Authority::DEFAULT_TTL, self.now)
    }

    /// Issues an X509-SVID with another kind of key, another life, at another time.
    ///
    /// # Panics
    ///
    /// If `id` is no SPIFFE ID of a workload in this trust domain, or the issuer is not valid at `now`.
    #[must_use]
    pub fn svid_with(&self, id: &str, key_type: KeyType, ttl: Duration, now: UnixTime) -> X509Svid {
        let id: SpiffeId = id.parse().expect("a test writes its SPIFFE IDs right");
        let key = KeyPair::generate(key_type).expect("a key can be drawn");
        let request = IssueRequest::new(key.public_key(), &id).with_ttl(ttl);
        let chain = self
            .issuer
            .issue(&request, now, &mut Count(&self.serials))
            .expect("an X509-SVID can be issued");
        X509Svid::new(chain, key.private_key()).expect("what was issued is an X509-SVID")
    }

    /// The list of what the issuer of this authority has revoked, renewed within a day: these X509-SVIDs of its own.
    ///
    /// # Panics
    ///
    /// If one has a serial number that no test authority gives, or two have the same.
    #[must_use]
    pub fn revoking(&self, svids: &[&X509Svid]) -> CertificateRevocationListDer<'static> {
        let revoked: Vec<Revocation> = svids
            .iter()
            .map(|svid| {
                let serial = number(svid.serial()).expect("a serial number of ours");
                Revocation::new(serial, self.now, RevocationReason::KeyCompromise)
            })
            .collect();
        self.issuer
            .revocation_list(&revoked, 1, DAY, self.now)
            .expect("a list can be signed")
    }

    /// The trust domain.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        self.root.trust_domain()
    }

    /// The root as a trust bundle.
    #[must_use]
    pub fn bundle(&self) -> TrustBundle {
        self.root.trust_bundle()
    }

    /// Trust in this domain alone. For several: `TrustBundles::new([one.bundle(), other.bundle()])`.
    #[must_use]
    pub fn bundles(&self) -> TrustBundles {
        TrustBundles::new([self.bundle()])
    }

    /// What issues: the root, or the intermediate.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.issuer
    }

    /// When the root was made, and SVIDs are issued.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.now
    }
}

/// The time of tests that do not care: 2027-01-15 08:00:00 UTC.
#[must_use]
pub fn test_time() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))
}

/// The number in a DER integer, which has no leading zeros but one for the sign.
fn number(der: &[u8]) -> Option<Serial> {
    let value = der
        .iter()
        .try_fold(0_u128, |value, byte| Some(value.checked_mul(256)? | u128::from(*byte)))?;
    Serial::new(value.to_be_bytes())
}

const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// 1, 2, 3, ...
struct Count<'a>(&'a AtomicU64);

impl SerialSource for Count<'_> {
    fn next_serial(&mut self) -> Result<Serial, SerialError> {
        let number = u128::from(self.0.fetch_add(1, Ordering::Relaxed));
        Serial::new(number.to_be_bytes()).ok_or_else(|| SerialError::new("zero"))
    }
}
