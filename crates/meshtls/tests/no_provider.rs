//! Without a feature that brings a crypto provider, one must be given.

#![cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]

use std::sync::Arc;

use meshtls::{IdentityFrom, StartError, Workload};
use meshtls_testkit::TestCa;

#[tokio::test]
async fn without_a_provider_nothing_starts() {
    let ca = TestCa::new("cluster.local");
    let svid = ca.svid("spiffe://cluster.local/ns/foo/sa/httpbin");
    let source = Arc::new(meshtls::svid::SvidHandle::new(svid, ca.bundles()));
    let id = "cluster.local/ns/foo/sa/httpbin".parse().unwrap();
    let outcome = Workload::builder(id, IdentityFrom::Source(source)).start();
    assert!(matches!(outcome, Err(StartError::NoProvider)), "{outcome:?}");
}
