//! The parser against that of the `spiffe` crate.
//!
//! It differs in three ways on purpose, as go-spiffe does in the first two: `spiffe` takes `SPIFFE://` and a trust
//! domain in capitals and folds their case, and its parser sets no limit to the length of an ID.

use meshtls_identity::{ServiceAccountId, SpiffeId, TrustDomain};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_text(text in any::<String>()) {
        agree(&text);
    }

    #[test]
    fn almost_ids(text in r"(spiffe|SPIFFE|http)?:?/{0,3}[a-cA-C._-]{0,4}(/[a-cA-C.%_ -]{0,3}){0,4}") {
        agree(&text);
    }

    #[test]
    fn ids(text in r"spiffe://[a-z0-9._-]{1,255}(/[a-zA-Z0-9._-]{1,300}){0,8}") {
        agree(&text);
    }

    #[test]
    fn one_byte_changed(at in 0_usize..38, byte in any::<u8>()) {
        let mut text = b"spiffe://cluster.local/ns/default/sa/a".to_vec();
        text[at] = byte;
        let ours = SpiffeId::from_bytes(&text);
        match str::from_utf8(&text) {
            Ok(text) => {
                prop_assert_eq!(ours, text.parse());
                agree(text);
            }
            Err(_) => prop_assert!(ours.is_err()),
        }
    }

    #[test]
    fn service_accounts(
        (domain, namespace, account) in ("[a-z0-9._-]{1,20}", "[a-zA-Z0-9/._-]{0,8}", "[a-zA-Z0-9/._-]{0,8}"),
    ) {
        let Ok(domain) = domain.parse::<TrustDomain>() else { unreachable!("{domain}") };
        let text = format!("spiffe://{domain}/ns/{namespace}/sa/{account}");
        let valid = spiffe::SpiffeId::new(&text).is_ok() && text.matches('/').count() == 6;
        let composed = ServiceAccountId::new(&domain, &namespace, &account);
        prop_assert_eq!(composed.is_ok(), valid, "{:?}", composed);
        prop_assert_eq!(composed.ok(), text.parse().ok());
    }
}

fn agree(text: &str) {
    let ours = text.parse::<SpiffeId>();
    let theirs = spiffe::SpiffeId::new(text)
        .ok()
        .filter(|id| id.to_string() == text && text.len() <= SpiffeId::MAX_LEN);
    assert_eq!(ours.is_ok(), theirs.is_some(), "{text:?}: {ours:?}, {theirs:?}");
    if let (Ok(ours), Some(theirs)) = (ours, theirs) {
        assert_eq!(ours.trust_domain().as_str(), theirs.trust_domain_name());
        assert_eq!(ours.path(), theirs.path());
        assert_eq!(ours.to_string(), text);
    }
}
