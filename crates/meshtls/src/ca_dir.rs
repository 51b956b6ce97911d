//! An identity from an embedded certificate authority in a directory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::store::CaDir;
use meshtls_ca::{AuthorityOptions, RandomSerials};
use meshtls_identity::{MeshDomains, ServiceAccountId};
use meshtls_rustls::TlsProfile;
use meshtls_source::{AuthorityIdentity, UnixTime, Wanted};

use crate::StartError;

/// Opens the authority, or makes it, and has the first X509-SVID of `id` issued.
pub(crate) fn issue(
    directory: &Path,
    id: &ServiceAccountId,
    domains: MeshDomains,
    profile: &TlsProfile,
) -> Result<AuthorityIdentity, StartError> {
    // A broken clock reads as 1970, when no certificate is valid yet.
    let now = profile
        .time()
        .current_time()
        .unwrap_or(UnixTime::since_unix_epoch(Duration::ZERO));
    let algorithms = profile.provider().signature_verification_algorithms.all;
    let options = AuthorityOptions::default();
    let authority = CaDir::open_or_create(
        directory,
        id.trust_domain(),
        &options,
        algorithms,
        now,
        &mut RandomSerials,
    )?;
    let wanted = Wanted::new(id.spiffe_id().clone());
    Ok(AuthorityIdentity::issue(
        Arc::new(authority),
        Box::new(RandomSerials),
        wanted,
        domains,
        profile.clone(),
    )?)
}
