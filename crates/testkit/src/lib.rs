#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![expect(clippy::expect_used, reason = "a test kit ends the test by a panic")]

mod any_peer;
mod bad_id;
mod clock;
mod defect;
mod der;
mod draft;
mod faulty_stream;
mod hostile;
mod raw;
mod test_ca;
mod web;

pub use bad_id::BadId;
pub use clock::ManualClock;
pub use defect::{Defect, Verdict};
pub use faulty_stream::{Ending, Faults, FaultyStream};
pub use hostile::Hostile;
pub use raw::{RawClient, RawServer};
pub use test_ca::{TestCa, test_time};
pub use web::{Revocations, WebName};
