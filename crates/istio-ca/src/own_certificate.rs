//! The certificate that a server shows to its callers, and what it verifies theirs by: renewed while it serves.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meshtls_ca::{IssueRequest, KeyType, csr};
use meshtls_identity::{AcceptedDomains, SpiffeId};
use meshtls_rustls::EnrollmentServer;
use meshtls_source::SvidRequest;
use meshtls_svid::{
    KeyedChain, SvidSnapshot, SvidSource, TrustBundle, TrustBundles, X509Svid, read_file,
};
use rustls_pki_types::UnixTime;
use zeroize::Zeroizing;

use crate::serials::ProviderSerials;
use crate::server::Core;

/// What a server shows to its callers. Theirs are verified by the authority's own roots, in each case but [`source`](Self::source).
#[derive(Clone)]
pub struct ServerCertificate(Shows);

#[derive(Clone)]
enum Shows {
    Issued { id: SpiffeId, ttl: Duration },
    Source(Arc<dyn SvidSource>),
    Files { chain: PathBuf, key: PathBuf },
}

impl ServerCertificate {
    /// An X509-SVID for `id` that the server has its own authority issue, for an hour, anew at half of its life and whenever the signing
    /// certificate or the roots have changed. So a rotation that waits for whatever lives waits for the server an hour at most. It has no DNS name: clients know the server by its ID
    /// ([`CaTrust::spiffe_id`](crate::CaTrust::spiffe_id)).
    #[must_use]
    pub fn issued(id: SpiffeId) -> Self {
        Self(Shows::Issued { id, ttl: OWN_TTL })
    }

    /// Has an [`issued`](Self::issued) one live for another time, of an hour at most: a rotation that waits for whatever lives waits for
    /// the server so long. Without effect on others.
    #[must_use]
    pub fn with_ttl(self, ttl: Duration) -> Self {
        match self.0 {
            Shows::Issued { id, .. } => Self(Shows::Issued { id, ttl: ttl.min(OWN_TTL) }),
            other @ (Shows::Source(_) | Shows::Files { .. }) => Self(other),
        }
    }

    /// The newest X509-SVID of `source`, whose bundles callers are verified by.
    #[must_use]
    pub fn source(source: Arc<dyn SvidSource>) -> Self {
        Self(Shows::Source(source))
    }

    /// A chain and its key in PEM files, read again when they change. This is the way for ztunnel and istio-agent, which know their
    /// CA by a DNS name (such as `istiod.istio-system.svc`): the authority issues no certificate with one.
    #[must_use]
    pub fn files(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self(Shows::Files { chain: chain.into(), key: key.into() })
    }
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Shows::Issued { id, ttl } => f
                .debug_struct("Issued")
                .field("id", id)
                .field("ttl", ttl)
                .finish(),
            Shows::Source(source) => f.debug_tuple("Source").field(source).finish(),
            Shows::Files { chain, key } => f
                .debug_struct("Files")
                .field("chain", chain)
                .field("key", key)
                .finish(),
        }
    }
}

/// The certificate in use.
pub(crate) struct OwnCertificate {
    shows: ServerCertificate,
    current: Mutex<Option<Current>>,
}

struct Current {
    /// What it was made of.
    made_of: MadeOf,
    server: EnrollmentServer,
}

#[derive(Eq, PartialEq)]
enum MadeOf {
    Issued { generation: u64, from: UnixTime, renewed_at: UnixTime },
    Source { generation: u64 },
    Files { generation: u64, chain: Zeroizing<Vec<u8>>, key: Zeroizing<Vec<u8>> },
}

/// Why the server cannot show a certificate.
type Failure = Box<dyn std::error::Error + Send + Sync>;

impl OwnCertificate {
    pub(crate) fn new(shows: ServerCertificate) -> Self {
        Self { shows, current: Mutex::new(None) }
    }

    /// What does the next handshake. It may block: on files, or on the authority.
    pub(crate) fn server(&self, core: &Core) -> Result<EnrollmentServer, Failure> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let now = core.now();
        let next = match &self.shows.0 {
            Shows::Issued { id, ttl } => issued(core, (id, *ttl), now, current.as_ref()),
            Shows::Source(source) => from_source(core, source.as_ref(), current.as_ref()),
            Shows::Files { chain, key } => {
                // Both at once, so that what belongs together stays together.
                let texts = (read_file(chain)?, read_file(key)?);
                from_files(core, texts, now, current.as_ref())
            }
        }?;
        if let Some(next) = next {
            *current = Some(next);
        }
        match &*current {
            Some(current) => Ok(current.server.clone()),
            None => Err("there is no certificate to show".into()),
        }
    }
}

/// `None`: what is there will do.
fn issued(
    core: &Core,
    (id, ttl): (&SpiffeId, Duration),
    now: UnixTime,
    current: Option<&Current>,
) -> Result<Option<Current>, Failure> {
    let roots = core.authority.roots(now)?;
    if let Some(Current { made_of: MadeOf::Issued { generation, from, renewed_at }, .. }) = current
        && *generation == roots.generation
        && (*from..*renewed_at).contains(&now)
    {
        return Ok(None);
    }
    let request = SvidRequest::new(id.clone(), KeyType::P256, None);
    let provider = core.profile.provider();
    let key = csr::check(request.csr()?, provider.signature_verification_algorithms.all)?;
    let issued = core.authority.issue(
        &IssueRequest::new(&key, id).with_ttl(ttl),
        now,
        &mut ProviderSerials(Arc::clone(provider)),
    )?;
    let private = request.into_key().ok_or("a request without its key")?;
    let svid = X509Svid::new(issued.chain, private.clone_key())?;
    let half = svid.not_after().as_secs().saturating_sub(now.as_secs()) / 2;
    let renewed_at =
        UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs().saturating_add(half)));
    let bundles = Arc::new(bundles(core, issued.roots)?);
    let snapshot = SvidSnapshot::new(Arc::new(svid), bundles, roots.generation);
    let server = EnrollmentServer::new(&core.profile, &snapshot, &accepted(core))?;
    let made_of = MadeOf::Issued { generation: roots.generation, from: now, renewed_at };
    Ok(Some(Current { made_of, server }))
}

fn from_source(
    core: &Core,
    source: &dyn SvidSource,
    current: Option<&Current>,
) -> Result<Option<Current>, Failure> {
    let snapshot = source.snapshot()?;
    let made_of = MadeOf::Source { generation: snapshot.generation() };
    if current.is_some_and(|current| current.made_of == made_of) {
        return Ok(None);
    }
    let server = EnrollmentServer::new(&core.profile, &snapshot, &accepted(core))?;
    Ok(Some(Current { made_of, server }))
}

fn from_files(
    core: &Core,
    (chain, key): (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>),
    now: UnixTime,
    current: Option<&Current>,
) -> Result<Option<Current>, Failure> {
    let roots = core.authority.roots(now)?;
    let made_of = MadeOf::Files { generation: roots.generation, chain, key };
    if current.is_some_and(|current| current.made_of == made_of) {
        return Ok(None);
    }
    let MadeOf::Files { chain, key, .. } = &made_of else { return Ok(None) };
    let own = KeyedChain::from_pem(chain, key)?;
    let bundles = Arc::new(bundles(core, roots.certificates)?);
    let server = EnrollmentServer::with_chain(&core.profile, &own, &bundles, &accepted(core))?;
    Ok(Some(Current { made_of, server }))
}

fn bundles(
    core: &Core,
    roots: Vec<rustls_pki_types::CertificateDer<'static>>,
) -> Result<TrustBundles, Failure> {
    let domain = core.authority.trust_domain().clone();
    Ok(TrustBundles::new([TrustBundle::new(domain, roots)?]))
}

/// Callers of the own trust domain, and of no other.
fn accepted(core: &Core) -> AcceptedDomains {
    AcceptedDomains::from_iter([core.authority.trust_domain().clone()])
}

/// How long the server's own certificate lives at most.
const OWN_TTL: Duration = Duration::from_secs(3600);
