//! What changes while a server serves.

use std::sync::Arc;
use std::time::Duration;

use meshtls_svid::SvidHandle;

use crate::kit::{Kit, LEDGER, issue, run};

/// Both ends renew by themselves: the client with the certificate it got last, the server with one that its authority issues.
#[tokio::test]
async fn identities_renew_each_other_for_a_month() {
    let kit = Kit::new();
    let running = run(kit.server()).await;
    let client = kit.with_token(running.address, &kit.join_token(LEDGER));
    let (_, first) = issue(&client).await.unwrap();
    let mut serials = vec![first.serial().to_vec()];
    let shown = Arc::new(SvidHandle::new(first, kit.ca.bundles()));
    client.show(Arc::<SvidHandle>::clone(&shown));
    for _ in 0..60 {
        kit.clock.advance(Duration::from_secs(12 * 3600));
        let (_, svid) = issue(&client).await.unwrap();
        assert_eq!(svid.id().as_str(), LEDGER);
        serials.push(svid.serial().to_vec());
        shown.replace(svid, kit.ca.bundles());
    }
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), 61);
    assert_eq!(kit.audit.take().len(), 61);
}
