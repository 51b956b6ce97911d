//! Issuing again and again keeps nothing.

#![cfg(all(feature = "authority", any(feature = "ring", feature = "aws-lc-rs")))]

use std::time::Duration;

use allocation_counter::measure;
use meshtls_ca::{Authority, AuthorityOptions, IssueRequest, RandomSerials, csr};
use meshtls_identity::SpiffeId;
use rustls_pki_types::UnixTime;

#[test]
fn ten_thousand_issuances_leave_nothing_behind() {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
    let options = AuthorityOptions::default();
    let domain = "prod.example".parse().unwrap();
    let authority = Authority::self_signed(domain, &options, now, &mut RandomSerials).unwrap();
    let id: SpiffeId = "spiffe://prod.example/ns/pay/sa/ledger".parse().unwrap();
    let request = include_bytes!("data/p256.csr.der");
    let issue = || {
        let key = csr::check(request, webpki::ALL_VERIFICATION_ALGS).unwrap();
        let request = IssueRequest::new(&key, &id);
        let chain = authority.issue(&request, now, &mut RandomSerials).unwrap();
        assert_eq!(chain.len(), 1);
    };
    // What is made once, on first use, is not counted.
    issue();
    let counted = measure(|| (0..10_000).for_each(|_| issue()));
    assert!(counted.count_total > 0, "something was counted");
    assert_eq!(counted.bytes_current, 0, "{counted:?}");
    assert_eq!(counted.count_current, 0, "{counted:?}");
}
