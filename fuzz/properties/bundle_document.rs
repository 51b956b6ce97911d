//! SPIFFE bundle documents: what is read is written back and read again as the same; what is left out changes nothing;
//! errors keep the text to themselves.

use meshtls_identity::TrustDomain;
use meshtls_svid::{
    BundleDocument, DocumentError, MAX_DOCUMENT_BYTES, MAX_DOCUMENT_KEYS, TrustBundle,
};

/// Holds for all bytes.
pub(crate) fn check(bytes: &[u8]) {
    let domain = TrustDomain::cluster_local();
    match BundleDocument::parse(domain.clone(), bytes) {
        Ok(document) => check_document(bytes, &document),
        Err(error) => check_error(&error),
    }
    // The shorter door gives the same authorities, and no bundle without one.
    let by_document =
        BundleDocument::parse(domain.clone(), bytes).and_then(BundleDocument::into_bundle);
    assert_eq!(TrustBundle::from_jwks(domain, bytes), by_document);
}

fn check_document(bytes: &[u8], document: &BundleDocument) {
    assert!(bytes.len() <= MAX_DOCUMENT_BYTES);
    let text = document.to_json();
    assert!(!text.contains('\n') && !text.contains("\"kid\""));
    match BundleDocument::parse(document.trust_domain().clone(), text.as_bytes()) {
        Ok(again) => {
            assert_eq!(&again, document);
            assert_eq!(again.to_json(), text);
        }
        Err(error) => assert_eq!(error.to_string(), "", "what was written is not read"),
    }
    let Some(bundle) = document.bundle() else {
        assert!(text.contains("\"keys\":[]"));
        return;
    };
    assert_eq!(bundle.trust_domain(), document.trust_domain());
    assert!((1..=MAX_DOCUMENT_KEYS).contains(&bundle.anchors().len()));
    // By way of PEM it is the same bundle.
    let pem = bundle.to_pem();
    let by_pem = TrustBundle::from_pem(bundle.trust_domain().clone(), pem.as_bytes());
    assert_eq!(by_pem.as_ref(), Ok(bundle));
}

/// An error message fits on a line of a log, whatever was in the text.
fn check_error(error: &DocumentError) {
    assert!(error.reason().starts_with("document_"));
    let message = error.to_string();
    assert!(message.len() < 256, "{} bytes", message.len());
    assert!(message.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{message:?}");
}
