//! The TLS server for the newest identity and trust.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use meshtls_identity::AcceptedDomains;
use meshtls_rustls::{MeshServer, TlsProfile};
use meshtls_svid::{SvidSnapshot, SvidSource};

use crate::refusal::Refusal;

/// Builds a [`MeshServer`] whenever identity, trust or the accepted trust domains change, and keeps the last.
#[derive(Debug)]
pub(crate) struct Servers {
    profile: TlsProfile,
    source: Arc<dyn SvidSource>,
    last: ArcSwapOption<Ready>,
    building: Mutex<()>,
}

/// A server, and what it was built from.
#[derive(Debug)]
pub(crate) struct Ready {
    generation: u64,
    accepted: Arc<AcceptedDomains>,
    pub(crate) server: MeshServer,
}

impl Servers {
    pub(crate) const fn new(profile: TlsProfile, source: Arc<dyn SvidSource>) -> Self {
        Self { profile, source, last: ArcSwapOption::const_empty(), building: Mutex::new(()) }
    }

    /// The server for the identity in force. Takes no lock unless it has to be built.
    pub(crate) fn now(&self, accepted: &Arc<AcceptedDomains>) -> Result<Arc<Ready>, Refusal> {
        let snapshot = self.source.snapshot().map_err(Refusal::NoIdentity)?;
        if let Some(ready) = self.last_if(&snapshot, accepted) {
            return Ok(ready);
        }
        // One builds, the others wait for it: after a renewal every connection in flight comes here at once.
        let _turn = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = self.last_if(&snapshot, accepted) {
            return Ok(ready);
        }
        let server = MeshServer::new(&self.profile, &snapshot, accepted)
            .map_err(Refusal::UnusableIdentity)?;
        let ready = Arc::new(Ready {
            generation: snapshot.generation(),
            accepted: Arc::clone(accepted),
            server,
        });
        self.last.store(Some(Arc::clone(&ready)));
        Ok(ready)
    }

    fn last_if(
        &self,
        snapshot: &SvidSnapshot,
        accepted: &Arc<AcceptedDomains>,
    ) -> Option<Arc<Ready>> {
        self.last.load_full().filter(|ready| {
            ready.generation == snapshot.generation() && ready.accepted == *accepted
        })
    }
}
