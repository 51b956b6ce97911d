//! PEM: what is read is written back and read again unchanged, by another decoder too; errors keep the text to themselves.

use std::error::Error;

use meshtls_identity::TrustDomain;
use meshtls_svid::{TrustBundle, X509Svid};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// Holds for all bytes.
pub(crate) fn check(bytes: &[u8]) {
    match TrustBundle::from_pem(TrustDomain::cluster_local(), bytes) {
        Ok(bundle) => check_bundle(&bundle),
        Err(error) => check_error(&error),
    }
    // Chain and key in one text, then a key for a chain that is known to be good.
    for chain in [bytes, SVID] {
        match X509Svid::from_pem(chain, bytes) {
            Ok(svid) => check_svid(&svid),
            Err(error) => check_error(&error),
        }
    }
}

fn check_bundle(bundle: &TrustBundle) {
    assert!(!bundle.anchors().is_empty());
    let text = bundle.to_pem();
    assert_eq!(decoded(text.as_bytes()).as_deref(), Some(bundle.anchors()));
    match TrustBundle::from_pem(bundle.trust_domain().clone(), text.as_bytes()) {
        Ok(again) => assert_eq!(again.anchors(), bundle.anchors()),
        Err(error) => assert_eq!(error.to_string(), "", "what was written is not read"),
    }
}

fn check_svid(svid: &X509Svid) {
    let (chain, key) = (svid.chain_pem(), svid.key_pem());
    assert_eq!(decoded(chain.as_bytes()).as_deref(), Some(svid.chain()));
    let decoded_key = PrivateKeyDer::from_pem_slice(key.as_bytes()).ok();
    assert_eq!(decoded_key.as_ref(), Some(svid.private_key()));
    match X509Svid::from_pem(chain.as_bytes(), key.as_bytes()) {
        Ok(again) => {
            assert_eq!((again.chain(), again.id()), (svid.chain(), svid.id()));
            assert_eq!(again.private_key(), svid.private_key());
        }
        Err(error) => assert_eq!(error.to_string(), "", "what was written is not read"),
    }
    let secret = svid.private_key().secret_der();
    // A number or two stand in every text by chance.
    if secret.len() >= 8 {
        let (shown, secret) = (format!("{svid:?}"), format!("{secret:?}"));
        assert!(!shown.contains(secret.trim_matches(['[', ']'])), "the key is shown");
    }
}

/// The certificates as the decoder of rustls-pki-types finds them.
fn decoded(text: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .ok()
}

/// An error message fits on a line of a log, whatever was in the text.
fn check_error(error: &dyn Error) {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let message = error.to_string();
        assert!(message.len() < 1024, "{} bytes", message.len());
        assert!(message.chars().all(|c| !c.is_control()), "{message:?}");
        cause = error.source();
    }
}

/// An X509-SVID, its key included.
const SVID: &[u8] = include_bytes!("../corpus/pem/svid");
