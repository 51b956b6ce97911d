//! What the client tells the conductor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// New connections by how they ended.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Calls {
    pub(crate) good: u32,
    /// How many failed for each reason.
    pub(crate) failed: BTreeMap<String, u32>,
    /// What the first failure said.
    pub(crate) example: Option<String>,
    pub(crate) seconds: f64,
    /// The generation of the client's identity at the end.
    pub(crate) generation: Option<u64>,
}

/// The connections that stay open.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Held {
    pub(crate) opened: u32,
    pub(crate) broken: u32,
    pub(crate) requests: u64,
}
