//! A collection of objects: what an operator wrote, checked but not yet compiled.

use crate::PeerAuthentication;

/// Objects that belong together, such as those of a file or a directory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    peer_authentications: Vec<PeerAuthentication>,
}

impl Resources {
    /// The `PeerAuthentication` objects, in the order they were read.
    pub fn peer_authentications(&self) -> &[PeerAuthentication] {
        &self.peer_authentications
    }
}

impl FromIterator<PeerAuthentication> for Resources {
    fn from_iter<I: IntoIterator<Item = PeerAuthentication>>(policies: I) -> Self {
        Self { peer_authentications: policies.into_iter().collect() }
    }
}
