//! An embedded certificate authority in a directory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::store::SharedAuthority;
use meshtls_ca::{AuthorityOptions, RandomSerials};
use meshtls_identity::TrustDomain;
use meshtls_rustls::TlsProfile;
use meshtls_source::{AuthorityIssuer, UnixTime};

use crate::StartError;

/// Opens the authority, or makes it.
pub(crate) fn open(
    directory: &Path,
    trust_domain: &TrustDomain,
    profile: &TlsProfile,
) -> Result<AuthorityIssuer, StartError> {
    // A broken clock reads as 1970, when no certificate is valid yet.
    let now = profile
        .time()
        .current_time()
        .unwrap_or(UnixTime::since_unix_epoch(Duration::ZERO));
    let algorithms = profile.provider().signature_verification_algorithms.all;
    let options = AuthorityOptions::default();
    let authority = SharedAuthority::open_or_create(
        directory,
        trust_domain,
        &options,
        algorithms,
        now,
        &mut RandomSerials,
    )?;
    Ok(AuthorityIssuer::new(Arc::new(authority), Box::new(RandomSerials), profile.clone()))
}
