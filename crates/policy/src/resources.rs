//! A collection of objects: what an operator wrote, checked but not yet compiled.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::field::{Field, Object};
use crate::kind::{self, Document, Kind, Skipped};
use crate::parse_error::{ParseError, ParseFault, Place};
use crate::resource::{self, Resource};
use crate::tree::Node;
use crate::violation::Warning;
use crate::workload_entry::PIECE;
use crate::{
    AuthorizationPolicy, DestinationRule, Metadata, Origin, ParseOptions, PeerAuthentication,
    ResourceName, ServiceEntry, Sidecar, WorkloadEntry, tree,
};

/// Objects that belong together, such as those of a file or a directory.
///
/// Read them from text with [`parse`](Self::parse), which validates as Istio does, or collect values, which are taken as
/// they are.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    authorization_policies: Vec<AuthorizationPolicy>,
    peer_authentications: Vec<PeerAuthentication>,
    destination_rules: Vec<DestinationRule>,
    service_entries: Vec<ServiceEntry>,
    sidecars: Vec<Sidecar>,
    workload_entries: Vec<WorkloadEntry>,
    warnings: Vec<Warning>,
    skipped: Vec<Skipped>,
    origins: Origins,
    /// What the services that were read take in an inventory, about.
    inventory_bytes: usize,
}

/// Where objects were read from, by kind and name.
type Origins = HashMap<(&'static str, ResourceName), Origin>;

impl Resources {
    /// Reads YAML or JSON: any number of documents, `kind: List` included, with the default [`ParseOptions`].
    ///
    /// `source_name` is what errors and warnings call the text, such as its path. Kinds that are not read here are skipped
    /// and listed in [`skipped`](Self::skipped), unless they look like a slip of the pen
    /// ([`ParseFault::UnknownKind`]). An empty text is an empty collection.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong refuses the whole text. [`ParseFault`] says what there is.
    pub fn parse(source_name: &str, text: &str) -> Result<Self, ParseError> {
        Self::parse_with(source_name, text, &ParseOptions::default())
    }

    /// As [`parse`](Self::parse), with other bounds or a default namespace.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_with(
        source_name: &str,
        text: &str,
        options: &ParseOptions,
    ) -> Result<Self, ParseError> {
        let mut read = Self::default();
        let outcome = tree::documents(text, options).and_then(|documents| {
            let source_name = Arc::from(source_name);
            documents
                .iter()
                .try_for_each(|document| read.add_document(document, options, &source_name))?;
            read.check_inventory()
        });
        for warning in &mut read.warnings {
            source_name.clone_into(&mut warning.source_name);
        }
        for skipped in &mut read.skipped {
            source_name.clone_into(&mut skipped.source_name);
        }
        match outcome {
            Ok(()) => Ok(read),
            Err(error) => Err(error.in_source(source_name, read.warnings)),
        }
    }

    /// As [`parse`](Self::parse), from the bytes of a file.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and [`ParseFault::NotUtf8`].
    pub fn parse_bytes(source_name: &str, bytes: &[u8]) -> Result<Self, ParseError> {
        // Long inputs are refused before anything looks at each of their bytes.
        let options = ParseOptions::default();
        if bytes.len() > options.max_bytes {
            let fault = ParseFault::TooLarge { bytes: bytes.len(), max: options.max_bytes };
            return Err(ParseError::new(fault).in_source(source_name, Vec::new()));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse_with(source_name, text, &options),
            Err(error) => {
                let sound = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let sound = String::from_utf8_lossy(sound);
                let place = Place::of_offset(&sound, sound.len());
                Err(ParseError::new(ParseFault::NotUtf8)
                    .at(Some(place))
                    .in_source(source_name, Vec::new()))
            }
        }
    }

    /// Adds the objects of another text.
    ///
    /// # Errors
    ///
    /// * [`ExtendError::Duplicate`]: an object of this kind and name is there already.
    /// * [`ExtendError::InventoryTooLarge`]: the services of one text and the workloads of the other multiply beyond the bound
    ///   that each text alone is held to.
    ///
    /// Nothing is added then.
    pub fn extend(&mut self, other: Self) -> Result<(), ExtendError> {
        let here: HashSet<_> = self.names().collect();
        if let Some((kind, name)) = other.names().find(|name| here.contains(name)) {
            return Err(DuplicateObject { kind, name: name.clone() }.into());
        }
        let theirs = other.service_entries.iter().map(|entry| {
            let here = entry.selected_bytes(&self.workload_entries);
            let there = entry.selected_bytes(&other.workload_entries);
            (entry, entry.own_bytes().saturating_add(here).saturating_add(there))
        });
        let ours = self
            .service_entries
            .iter()
            .map(|entry| (entry, entry.selected_bytes(&other.workload_entries)));
        self.inventory_bytes = total(self.inventory_bytes, theirs.chain(ours))?;
        // Whole, so that no kind is forgotten.
        let Self {
            authorization_policies,
            peer_authentications,
            destination_rules,
            service_entries,
            sidecars,
            workload_entries,
            warnings,
            skipped,
            origins,
            inventory_bytes: _counted_above,
        } = other;
        self.authorization_policies.extend(authorization_policies);
        self.peer_authentications.extend(peer_authentications);
        self.destination_rules.extend(destination_rules);
        self.service_entries.extend(service_entries);
        self.sidecars.extend(sidecars);
        self.workload_entries.extend(workload_entries);
        self.warnings.extend(warnings);
        self.skipped.extend(skipped);
        self.origins.extend(origins);
        Ok(())
    }

    /// Adds values, taken as they are.
    #[must_use]
    pub fn with_authorization_policies(
        mut self,
        policies: impl IntoIterator<Item = AuthorizationPolicy>,
    ) -> Self {
        self.authorization_policies.extend(policies);
        self
    }

    /// Adds values, taken as they are.
    #[must_use]
    pub fn with_peer_authentications(
        mut self,
        policies: impl IntoIterator<Item = PeerAuthentication>,
    ) -> Self {
        self.peer_authentications.extend(policies);
        self
    }

    /// Adds values, taken as they are.
    #[must_use]
    pub fn with_destination_rules(
        mut self,
        rules: impl IntoIterator<Item = DestinationRule>,
    ) -> Self {
        self.destination_rules.extend(rules);
        self
    }

    /// Adds values, taken as they are.
    #[must_use]
    pub fn with_service_entries(
        mut self,
        services: impl IntoIterator<Item = ServiceEntry>,
    ) -> Self {
        self.service_entries.extend(services);
        self
    }

    /// Adds values, taken as they are.
    #[must_use]
    pub fn with_sidecars(mut self, sidecars: impl IntoIterator<Item = Sidecar>) -> Self {
        self.sidecars.extend(sidecars);
        self
    }

    /// Adds values, taken as they are.
    #[must_use]
    pub fn with_workload_entries(
        mut self,
        workloads: impl IntoIterator<Item = WorkloadEntry>,
    ) -> Self {
        self.workload_entries.extend(workloads);
        self
    }

    /// The `AuthorizationPolicy` objects, in the order they were read.
    pub fn authorization_policies(&self) -> &[AuthorizationPolicy] {
        &self.authorization_policies
    }

    /// The `PeerAuthentication` objects, in the order they were read.
    pub fn peer_authentications(&self) -> &[PeerAuthentication] {
        &self.peer_authentications
    }

    /// The `DestinationRule` objects, in the order they were read.
    pub fn destination_rules(&self) -> &[DestinationRule] {
        &self.destination_rules
    }

    /// The `ServiceEntry` objects, in the order they were read.
    pub fn service_entries(&self) -> &[ServiceEntry] {
        &self.service_entries
    }

    /// The `Sidecar` objects, in the order they were read.
    pub fn sidecars(&self) -> &[Sidecar] {
        &self.sidecars
    }

    /// The `WorkloadEntry` objects, in the order they were read.
    pub fn workload_entries(&self) -> &[WorkloadEntry] {
        &self.workload_entries
    }

    /// What is accepted and probably not meant.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// How many objects there are, of all kinds that are read here.
    pub fn len(&self) -> usize {
        self.names().count()
    }

    /// Whether there is no object of a kind that is read here.
    pub fn is_empty(&self) -> bool {
        self.names().next().is_none()
    }

    /// Objects of kinds that are not read here.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Where the object of this kind and name was read from; `None` for values.
    pub fn origin(&self, kind: &str, name: &ResourceName) -> Option<&Origin> {
        // The keys are the names of the kinds that are read.
        let kind = Kind::ALL
            .iter()
            .map(|known| known.as_str())
            .find(|known| *known == kind)?;
        self.origins.get(&(kind, name.clone()))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = (&'static str, &ResourceName)> {
        names(&self.authorization_policies)
            .chain(names(&self.peer_authentications))
            .chain(names(&self.destination_rules))
            .chain(names(&self.service_entries))
            .chain(names(&self.sidecars))
            .chain(names(&self.workload_entries))
    }

    /// Refuses services that would multiply beyond [`MAX_INVENTORY`]. The workloads of all documents must be there.
    fn check_inventory(&mut self) -> Result<(), ParseError> {
        let workloads = &self.workload_entries;
        let bytes = self.service_entries.iter().map(|entry| {
            let bytes = entry.own_bytes();
            (entry, bytes.saturating_add(entry.selected_bytes(workloads)))
        });
        self.inventory_bytes = total(0, bytes).map_err(|too_large| {
            let InventoryTooLarge { service, max } = too_large;
            ParseError::new(ParseFault::InventoryTooLarge { service, max })
        })?;
        Ok(())
    }

    /// Adds the objects of a document: one, or those of a list.
    fn add_document(
        &mut self,
        document: &Node,
        options: &ParseOptions,
        source_name: &Arc<str>,
    ) -> Result<(), ParseError> {
        // Lists may hold lists: a stack of our own, last object first, keeps that off the thread's.
        let mut pending = vec![Field::root(document)];
        while let Some(field) = pending.pop() {
            match kind::identify(&field)? {
                Document::Known(kind, object) => {
                    let name = self.add(kind, &object, options)?;
                    let kind = kind.as_str();
                    let origin = Origin::new(source_name, field.node(), options.field_places);
                    if self.origins.insert((kind, name.clone()), origin).is_some() {
                        return Err(field.refuse(ParseFault::DuplicateObject { kind, name }));
                    }
                }
                Document::List(items) => pending.extend(items.into_iter().rev()),
                Document::Unknown(skipped) => self.skipped.push(skipped),
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        kind: Kind,
        object: &Object<'_>,
        options: &ParseOptions,
    ) -> Result<ResourceName, ParseError> {
        let metadata = kind::metadata(object, options)?;
        let name = metadata.name.clone();
        let warnings = &mut self.warnings;
        match kind {
            Kind::AuthorizationPolicy => {
                push(&mut self.authorization_policies, object, metadata, warnings)?;
            }
            Kind::PeerAuthentication => {
                push(&mut self.peer_authentications, object, metadata, warnings)?;
            }
            Kind::DestinationRule => {
                push(&mut self.destination_rules, object, metadata, warnings)?;
            }
            Kind::ServiceEntry => push(&mut self.service_entries, object, metadata, warnings)?,
            Kind::Sidecar => push(&mut self.sidecars, object, metadata, warnings)?,
            Kind::WorkloadEntry => push(&mut self.workload_entries, object, metadata, warnings)?,
        }
        Ok(name)
    }
}

fn push<R: Resource>(
    list: &mut Vec<R>,
    object: &Object<'_>,
    metadata: Metadata,
    warnings: &mut Vec<Warning>,
) -> Result<(), ParseError> {
    list.push(resource::read(object, metadata, warnings)?);
    Ok(())
}

fn names<R: Resource>(list: &[R]) -> impl Iterator<Item = (&'static str, &ResourceName)> {
    list.iter()
        .map(|object| (R::KIND.as_str(), &object.metadata().name))
}

/// Adds up what services take, and stops at the one that passes [`MAX_INVENTORY`].
fn total<'a>(
    start: usize,
    services: impl Iterator<Item = (&'a ServiceEntry, usize)>,
) -> Result<usize, InventoryTooLarge> {
    let mut total = start;
    for (entry, bytes) in services {
        total = total.saturating_add(bytes);
        if total > MAX_INVENTORY {
            let service = entry.metadata.name.clone();
            return Err(InventoryTooLarge { service, max: MAX_INVENTORY });
        }
    }
    Ok(total)
}

/// The most that the services of a text may take in an inventory: 256 MB, a million endpoints.
const MAX_INVENTORY: usize = 1_000_000 * PIECE;

/// Two collections are equal if they hold the same objects, warnings and skipped objects, wherever they were read from.
impl PartialEq for Resources {
    fn eq(&self, other: &Self) -> bool {
        self.authorization_policies == other.authorization_policies
            && self.peer_authentications == other.peer_authentications
            && self.destination_rules == other.destination_rules
            && self.service_entries == other.service_entries
            && self.sidecars == other.sidecars
            && self.workload_entries == other.workload_entries
            && self.warnings == other.warnings
            && self.skipped == other.skipped
    }
}

/// Values, taken as they are.
impl FromIterator<PeerAuthentication> for Resources {
    fn from_iter<I: IntoIterator<Item = PeerAuthentication>>(policies: I) -> Self {
        Self::default().with_peer_authentications(policies)
    }
}

/// Why collections were not joined.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "whoever joins files names the file at fault for each")]
pub enum ExtendError {
    /// Two objects of one kind have the same namespace and name.
    #[error(transparent)]
    Duplicate(#[from] DuplicateObject),
    /// Services and workloads multiply.
    #[error(transparent)]
    InventoryTooLarge(#[from] InventoryTooLarge),
}

impl ExtendError {
    /// A short name that stays stable, for metrics and tests: that of the same fault within one text.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Duplicate(_) => "duplicate_object",
            Self::InventoryTooLarge(_) => "inventory_too_large",
        }
    }
}

/// Hosts times ports times endpoints of all `ServiceEntry` objects: an [`Inventory`](crate::Inventory) would be too large.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "hosts times ports times endpoints: the services up to {service} take more than {max} bytes"
)]
#[non_exhaustive]
pub struct InventoryTooLarge {
    /// The object at which the bound is passed.
    pub service: ResourceName,
    /// The bound in bytes, as estimated: a million endpoints without labels.
    pub max: usize,
}

/// Two objects of one kind have the same namespace and name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a second {kind} {name}: only one object can have a name")]
#[non_exhaustive]
pub struct DuplicateObject {
    /// The kind of both.
    pub kind: &'static str,
    /// The name of both.
    pub name: ResourceName,
}
