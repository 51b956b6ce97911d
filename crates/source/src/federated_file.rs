//! Another domain's bundle in a file that somebody else writes.

use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use meshtls_identity::TrustDomain;
use meshtls_rustls::TlsProfile;
use meshtls_svid::{BundleDocument, TrustBundle};

use crate::federated::FederatedSet;
use crate::federation::now;
use crate::read::{Content, Fingerprint, Fingerprints, Looked, ReadError, read_file};
use crate::watch::Polled;
use crate::{FederationError, FederationHealth, Report, Reporter};

/// The file, and what of it is in use.
pub(crate) struct FederatedFile {
    trust_domain: TrustDomain,
    path: PathBuf,
    in_use: Fingerprint,
    fingerprints: Fingerprints,
}

/// What a file held.
pub(crate) struct Loaded {
    pub(crate) bundle: TrustBundle,
    pub(crate) sequence: Option<u64>,
}

impl FederatedFile {
    pub(crate) fn open(
        trust_domain: TrustDomain,
        path: PathBuf,
    ) -> Result<(Self, Loaded), FederationError> {
        let fingerprints = Fingerprints::default();
        let looked = fingerprints.look(read(&path));
        let file = Self { trust_domain, path, in_use: looked.fingerprint, fingerprints };
        let loaded = file.load(&looked.found?.0)?;
        Ok((file, loaded))
    }

    /// Ready to be watched.
    pub(crate) fn kept_in(
        self,
        set: FederatedSet,
        health: FederationHealth,
        reporter: Arc<dyn Reporter>,
        profile: TlsProfile,
    ) -> KeptFile {
        KeptFile { file: self, refused: None, set, health, reporter, profile }
    }

    fn load(&self, content: &[u8]) -> Result<Loaded, FederationError> {
        let (path, trust_domain) = (self.path.clone(), self.trust_domain.clone());
        let loaded = if content.trim_ascii_start().starts_with(b"{") {
            BundleDocument::parse(trust_domain.clone(), content)
                .and_then(|document| {
                    let sequence = document.sequence();
                    Ok(Loaded { bundle: document.into_bundle()?, sequence })
                })
                .map_err(|source| FederationError::Document {
                    path: path.clone(),
                    trust_domain: trust_domain.clone(),
                    source,
                })?
        } else {
            let bundle =
                TrustBundle::from_pem(trust_domain.clone(), content).map_err(|source| {
                    FederationError::Pem {
                        path: path.clone(),
                        trust_domain: trust_domain.clone(),
                        source,
                    }
                })?;
            Loaded { bundle, sequence: None }
        };
        match loaded.bundle.check_ids() {
            Ok(()) => Ok(loaded),
            Err(source) => Err(FederationError::Pem { path, trust_domain, source }),
        }
    }
}

/// The content, as far as looks are told apart by it.
pub(crate) struct Bytes(Content);

impl Hash for Bytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_slice().hash(state);
    }
}

fn read(path: &Path) -> Result<Bytes, ReadError> {
    read_file(path).map(Bytes)
}

/// The file while it is watched.
pub(crate) struct KeptFile {
    file: FederatedFile,
    /// The refused reading that was reported last and why, until the file is good again.
    refused: Option<(Fingerprint, &'static str)>,
    set: FederatedSet,
    health: FederationHealth,
    reporter: Arc<dyn Reporter>,
    profile: TlsProfile,
}

impl Polled for KeptFile {
    type Reading = Looked<Bytes>;

    fn read(&self) -> Looked<Bytes> {
        self.file.fingerprints.look(read(&self.file.path))
    }

    fn is_news(&mut self, looked: &Looked<Bytes>) -> bool {
        looked.fingerprint != self.file.in_use || self.refused.is_some()
    }

    fn judge(&mut self, looked: Looked<Bytes>) {
        let domain = &self.file.trust_domain;
        let now = now(&self.profile);
        if looked.fingerprint == self.file.in_use {
            self.refused = None;
            self.health.confirmed(domain, now);
            self.reporter
                .report(&Report::FederatedBundleConfirmed { trust_domain: domain });
            return;
        }
        let loaded = looked
            .found
            .map_err(FederationError::from)
            .and_then(|content| self.file.load(&content.0));
        match loaded {
            Ok(Loaded { bundle, sequence }) => {
                self.file.in_use = looked.fingerprint;
                self.refused = None;
                self.health.succeeded(domain, now, sequence);
                self.set.put(bundle);
                self.reporter
                    .report(&Report::FederatedBundleReplaced { trust_domain: domain, sequence });
            }
            Err(error) => {
                let refused = Some((looked.fingerprint, error.reason()));
                if self.refused != refused {
                    self.refused = refused;
                    self.health.failed(domain, &error);
                    self.reporter.report(&Report::FederatedBundleKept {
                        trust_domain: domain,
                        error: &error,
                    });
                }
            }
        }
    }
}
