//! Certificate revocation lists, and how strictly they are taken.

use std::fmt;
use std::sync::Arc;

use rustls_pki_types::CertificateRevocationListDer;
use webpki::{
    CertRevocationList, ExpirationPolicy, OwnedCertRevocationList, RevocationOptions,
    RevocationOptionsBuilder,
};

use crate::pem::{self, PemError};

/// Lists that speak for the issuers of a set of authorities; none is also a set. A copy shares them.
#[derive(Clone, Default)]
pub(crate) struct RevocationLists(Vec<Arc<CertRevocationList<'static>>>);

impl RevocationLists {
    /// Adds lists: at least one, each of which can be read.
    pub(crate) fn add(
        &mut self,
        lists: &[CertificateRevocationListDer<'_>],
    ) -> Result<(), RevocationListError> {
        if lists.is_empty() {
            return Err(RevocationListError::Empty);
        }
        for (at, list) in lists.iter().enumerate() {
            let list = OwnedCertRevocationList::from_der(list)
                .map_err(|_unreadable| RevocationListError::Malformed { at })?;
            self.0.push(Arc::new(list.into()));
        }
        Ok(())
    }

    /// Adds every `X509 CRL` block of a PEM text.
    pub(crate) fn add_pem(&mut self, text: &[u8]) -> Result<(), RevocationListError> {
        self.add(&pem::revocation_lists(text)?)
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The lists as webpki takes them.
    pub(crate) fn all(&self) -> Vec<&CertRevocationList<'static>> {
        self.0.iter().map(AsRef::as_ref).collect()
    }
}

/// Whether they are copies of each other: lists that were read twice may differ for all that can be seen.
impl PartialEq for RevocationLists {
    fn eq(&self, other: &Self) -> bool {
        let pairs = || self.0.iter().zip(&other.0);
        self.0.len() == other.0.len() && pairs().all(|(one, two)| Arc::ptr_eq(one, two))
    }
}

impl fmt::Debug for RevocationLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} revocation lists", self.0.len())
    }
}

/// Without lists there is nothing to look in. With them each certificate of a path is looked up, a status that nobody
/// tells is a refusal, and so is a list that is out of date.
pub(crate) fn strict<'a>(lists: &'a [&'a CertRevocationList<'a>]) -> Option<RevocationOptions<'a>> {
    let options = RevocationOptionsBuilder::new(lists).ok()?;
    Some(
        options
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build(),
    )
}

/// Why something is no set of certificate revocation lists. Positions count lists from 0.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationListError {
    /// The text is not the PEM that was wanted.
    #[error("no certificate revocation lists in PEM")]
    Pem(#[from] PemError),
    /// There is no list.
    #[error("there is no certificate revocation list")]
    Empty,
    /// A list cannot be read, or is of a kind that is not supported (delta, indirect, version 1).
    #[error("certificate revocation list {at} (counted from 0) is malformed")]
    Malformed {
        /// Its position.
        at: usize,
    },
}
