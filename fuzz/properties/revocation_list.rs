//! Revocation lists: what is taken says about a chain no more than a list may; none makes up for the one before it; both
//! doors agree; errors keep the bytes to themselves.

use std::error::Error;
use std::time::Duration;

use meshtls_identity::{AcceptedDomains, TrustDomain};
use meshtls_svid::{RevocationListError, TrustBundle, TrustBundles, Usage, Validation, validate};
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, UnixTime, pem::PemObject as _,
};
use webpki::ALL_VERIFICATION_ALGS;

/// Holds for all bytes: as one list, and as a PEM text.
pub(crate) fn check(bytes: &[u8]) {
    let list = CertificateRevocationListDer::from(bytes);
    let lists = [list];
    let taken = |bundle: TrustBundle| bundle.with_revocation_lists(&lists);
    match taken(root()) {
        Ok(_) => check_taken(bytes, taken),
        Err(error) => {
            assert_eq!(error, RevocationListError::Malformed { at: 0 });
            check_error(&error);
        }
    }

    let taken = |bundle: TrustBundle| bundle.with_revocation_pem(bytes);
    match taken(root()) {
        Ok(bundle) => {
            check_taken(bytes, taken);
            check_decoded(bytes, bundle);
        }
        Err(error) => {
            assert_ne!(error, RevocationListError::Empty, "a text without lists is no PEM of them");
            check_error(&error);
        }
    }
}

fn check_taken(
    bytes: &[u8],
    taken: impl Fn(TrustBundle) -> Result<TrustBundle, RevocationListError>,
) {
    // Whenever it is: the same bytes are taken again, and the validation ends with one of these.
    for (seconds, reasons) in [
        (0, &["not_yet_valid"][..]),
        (NOW, &ABOUT_LISTS),
        (NOW + 1_800, &ABOUT_LISTS),
        (1 << 40, &["expired"]),
    ] {
        match verdict(taken(root()), seconds) {
            None => assert!(vouched_for(bytes), "only the authority itself vouches for its SVIDs"),
            Some(reason) => assert!(reasons.contains(&reason), "{reason}"),
        }
    }
    // Of two lists of one issuer the first counts. A list that comes first does not make good that none follows.
    let revoked = root().with_revocation_lists(&[LEAF_REVOKED.into()]);
    assert_eq!(verdict(revoked.and_then(&taken), NOW), Some("revoked"));
    let good = root().with_revocation_lists(&[NOBODY.into()]);
    assert_eq!(verdict(good.and_then(&taken), NOW), None);
    let before_revoked =
        taken(root()).and_then(|bundle| bundle.with_revocation_lists(&[LEAF_REVOKED.into()]));
    if verdict(before_revoked, NOW).is_none() {
        assert!(vouched_for(bytes), "a revoked SVID is accepted");
    }
}

/// The lists of the text as the decoder of rustls-pki-types finds them say the same.
fn check_decoded(text: &[u8], bundle: TrustBundle) {
    let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(text)
        .filter_map(Result::ok)
        .collect();
    assert!(!lists.is_empty());
    let decoded = root().with_revocation_lists(&lists);
    assert_eq!(verdict(decoded, NOW), verdict(Ok(bundle), NOW));
}

/// Whether there is a list in it that the authority signed and that does not name the leaf: in DER or in PEM.
fn vouched_for(bytes: &[u8]) -> bool {
    let signed = |bytes: &[u8]| {
        [NOBODY, OTHERS, SHORT_LIFE].iter().any(|list| {
            // Without the signature, of which there are several for the same content.
            let content = list.get(4..list.len() - 90).unwrap_or_default();
            bytes.windows(content.len()).any(|window| window == content)
        })
    };
    signed(bytes)
        || CertificateRevocationListDer::pem_slice_iter(bytes)
            .filter_map(Result::ok)
            .any(|list| signed(&list))
}

/// Why the leaf is rejected, if it is.
fn verdict(bundle: Result<TrustBundle, RevocationListError>, seconds: u64) -> Option<&'static str> {
    let bundle = bundle.unwrap_or_else(|error| unreachable!("it was taken before: {error}"));
    let leaf = CertificateDer::from_pem_slice(SVID)
        .unwrap_or_else(|error| unreachable!("the SVID of the corpus: {error}"));
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let bundles = TrustBundles::new([bundle]);
    let algorithms = ALL_VERIFICATION_ALGS;
    let rules = Validation::new(&bundles, &AcceptedDomains::Any, algorithms, Usage::Client, now);
    validate(&[leaf], &rules)
        .err()
        .map(|reject| reject.reason())
}

fn root() -> TrustBundle {
    let domain: TrustDomain = "prod.example"
        .parse()
        .unwrap_or_else(|error| unreachable!("a trust domain: {error}"));
    TrustBundle::from_pem(domain, ROOT)
        .unwrap_or_else(|error| unreachable!("the root of the corpus: {error}"))
}

/// An error message fits on a line of a log, whatever was in the bytes.
fn check_error(error: &dyn Error) {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let message = error.to_string();
        assert!(message.len() < 1024, "{} bytes", message.len());
        assert!(message.chars().all(|c| !c.is_control()), "{message:?}");
        cause = error.source();
    }
}

/// The time of the lists of the corpus.
const NOW: u64 = 1_800_000_000;

/// What a list may make of a chain that is good without one.
const ABOUT_LISTS: [&str; 4] =
    ["revoked", "revocation_unknown", "revocation_list_expired", "revocation_list_unusable"];

/// An authority, and the X509-SVID it issued.
const ROOT: &[u8] = include_bytes!("../corpus/revocation_list/root");
const SVID: &[u8] = include_bytes!("../corpus/revocation_list/svid");

/// Its lists: of nobody, of others, of nobody for a minute, and of that X509-SVID.
const NOBODY: &[u8] = include_bytes!("../corpus/revocation_list/nobody");
const OTHERS: &[u8] = include_bytes!("../corpus/revocation_list/others");
const SHORT_LIFE: &[u8] = include_bytes!("../corpus/revocation_list/short_life");
const LEAF_REVOKED: &[u8] = include_bytes!("../corpus/revocation_list/leaf_revoked");
