//! Where a set of policies came from.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::Resources;

/// Where a [`PolicySet`](crate::PolicySet) came from, and how much it was.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Provenance {
    /// The name that was given to the source, such as a path; empty if none was.
    pub source: String,
    /// How many objects there were, by kind.
    pub objects: BTreeMap<&'static str, usize>,
    /// How many objects were of kinds that are not read here.
    pub skipped: usize,
    /// How many warnings there were.
    pub warnings: usize,
}

impl Provenance {
    pub(crate) fn of(resources: &Resources) -> Self {
        let mut objects = BTreeMap::new();
        for (kind, _) in resources.names() {
            let count: &mut usize = objects.entry(kind).or_default();
            *count = count.saturating_add(1);
        }
        Self {
            source: String::new(),
            objects,
            skipped: resources.skipped().len(),
            warnings: resources.warnings().len(),
        }
    }
}

/// Such as `policies/: 12 PeerAuthentication, 3 ServiceEntry, 1 skipped`.
impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = if self.source.is_empty() { "no named source" } else { &self.source };
        write!(f, "{source}: ")?;
        if self.objects.is_empty() {
            f.write_str("no objects")?;
        }
        for (nth, (kind, count)) in self.objects.iter().enumerate() {
            let comma = if nth == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {kind}")?;
        }
        for (count, what) in [(self.skipped, "skipped"), (self.warnings, "warnings")] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
