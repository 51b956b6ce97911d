//! Objects as an operator writes them: YAML in block style.

use serde::Serialize;

use crate::resource::Resource;
use crate::{ResourceName, Resources, yaml};

impl Resources {
    /// Every object as a YAML document, as [`printed`](Self::printed) gives them.
    ///
    /// What was read from text gives the same objects when it is read again; of values, which are taken as they are, some are
    /// refused then. Comments and what was skipped are not in it.
    pub fn to_yaml(&self) -> String {
        let documents: Vec<String> = self.printed().map(|object| object.yaml).collect();
        documents.join("---\n")
    }

    /// Every object as a YAML document of its own, kind by kind in the order of this list: `PeerAuthentication`,
    /// `AuthorizationPolicy`, `DestinationRule`, `Sidecar`, `ServiceEntry`, `WorkloadEntry`; within a kind in the order they
    /// were read. [`origin`](Self::origin) tells the order of the text.
    pub fn printed(&self) -> impl Iterator<Item = Printed<'_>> {
        print(self.peer_authentications())
            .chain(print(self.authorization_policies()))
            .chain(print(self.destination_rules()))
            .chain(print(self.sidecars()))
            .chain(print(self.service_entries()))
            .chain(print(self.workload_entries()))
    }
}

/// An object as a YAML document.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Printed<'a> {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: &'a ResourceName,
    /// The document, with a line end after it.
    pub yaml: String,
}

fn print<R: Resource + Serialize>(objects: &[R]) -> impl Iterator<Item = Printed<'_>> {
    objects.iter().map(|object| Printed {
        kind: R::KIND.as_str(),
        name: &object.metadata().name,
        yaml: yaml::print(object),
    })
}

#[cfg(test)]
mod tests {
    use crate::{AuthorizationPolicy, MtlsMode, PeerAuthentication, Resources};

    #[test]
    fn documents_are_named_and_joined_and_read_back() {
        let resources = Resources::default()
            .with_authorization_policies([AuthorizationPolicy::new("foo", "nobody")])
            .with_peer_authentications(
                ["b", "a"]
                    .map(|name| PeerAuthentication::new("foo", name).with_mode(MtlsMode::Strict)),
            );
        let names: Vec<String> = resources
            .printed()
            .map(|printed| format!("{} {}", printed.kind, printed.name))
            .collect();
        assert_eq!(
            names,
            [
                "PeerAuthentication foo/b",
                "PeerAuthentication foo/a",
                "AuthorizationPolicy foo/nobody"
            ]
        );
        let yaml = resources.to_yaml();
        assert_eq!(yaml.matches("---\n").count(), 2, "{yaml}");
        assert_eq!(Resources::parse("printed", &yaml).unwrap(), resources);
    }
}
