//! Objects as an operator writes them: YAML in block style.

use serde::Serialize;

use crate::Resources;

impl Resources {
    /// Every object as a YAML document, kind by kind in the order of this list: `PeerAuthentication`, `AuthorizationPolicy`,
    /// `DestinationRule`, `Sidecar`; within a kind in the order they were read.
    ///
    /// The text parses to the same objects. Comments and what was skipped are not in it.
    pub fn to_yaml(&self) -> String {
        let documents = print(self.peer_authentications())
            .chain(print(self.authorization_policies()))
            .chain(print(self.destination_rules()))
            .chain(print(self.sidecars()));
        documents.collect::<Vec<_>>().join("---\n")
    }
}

fn print<T: Serialize>(objects: &[T]) -> impl Iterator<Item = String> {
    objects.iter().map(document)
}

/// One object, with a line end after it.
#[expect(
    clippy::expect_used,
    reason = "the only errors are of the writer and of forms of data that no object has"
)]
fn document(object: &impl Serialize) -> String {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(object, options)
        .expect("memory takes every write, and an object is of lists, of maps with text keys, and of scalars")
}
