//! The TLS client for the newest identity and trust.

use std::sync::{Arc, Mutex, PoisonError};

use meshtls_rustls::{MeshClient, TlsProfile};
use meshtls_svid::SvidSource;

use crate::ConnectError;

/// Builds a [`MeshClient`] whenever identity or trust change, and keeps the last.
#[derive(Debug)]
pub(crate) struct Clients {
    profile: TlsProfile,
    source: Arc<dyn SvidSource>,
    last: Mutex<Option<MeshClient>>,
}

impl Clients {
    pub(crate) fn new(profile: TlsProfile, source: Arc<dyn SvidSource>) -> Self {
        Self { profile, source, last: Mutex::new(None) }
    }

    /// The client for the identity in force.
    pub(crate) fn now(&self) -> Result<MeshClient, ConnectError> {
        let snapshot = self.source.snapshot()?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*last
            && client.generation() == snapshot.generation()
        {
            return Ok(client.clone());
        }
        let client = MeshClient::new(&self.profile, &snapshot)?;
        *last = Some(client.clone());
        Ok(client)
    }
}
