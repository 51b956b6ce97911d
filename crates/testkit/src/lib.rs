//! Test kit for users of meshtls: an in-memory CA, hostile certificates and clients, faulty streams, a hand-moved clock.
//!
//! ```
//! let ca = meshtls_testkit::TestCa::new("prod.example").with_intermediate();
//! let svid = ca.svid("spiffe://prod.example/ns/pay/sa/ledger");
//! assert_eq!(svid.chain().len(), 2);
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]
#![expect(clippy::expect_used, reason = "a test kit ends the test by a panic")]

mod clock;
mod test_ca;

pub use clock::ManualClock;
pub use test_ca::{TestCa, test_time};
