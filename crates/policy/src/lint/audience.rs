//! Whom the objects of a kind are for, in the inventory.

use std::collections::{BTreeMap, HashMap};

use super::code::Code;
use super::finding::Findings;
use super::selectors::Selectors;
use super::world::{Alike, World};
use crate::Labels;
use crate::resource::Resource;

/// The workloads of each selector, looked for once however many objects share it.
#[derive(Debug)]
pub(super) struct Audience<'a> {
    of: HashMap<(Reach<'a>, &'a Labels), Vec<&'a Alike>>,
}

/// One namespace, or all (`None`).
type Reach<'a> = Option<&'a str>;

impl<'a> Audience<'a> {
    /// For objects that each reach a namespace or all of them, and there the workloads that a selector selects; all, if it has
    /// no labels.
    pub(super) fn new(
        world: &'a World,
        objects: impl IntoIterator<Item = (Reach<'a>, &'a Labels)>,
    ) -> Self {
        let mut asked: BTreeMap<Reach<'a>, Vec<&Labels>> = BTreeMap::new();
        let mut of = HashMap::new();
        for (reach, selector) in objects {
            if of.insert((reach, selector), Vec::new()).is_none() {
                asked.entry(reach).or_default().push(selector);
            }
        }
        for (reach, selectors) in asked {
            let index = Selectors::new(selectors.iter().copied());
            for (selector, selected) in selectors.iter().zip(world.selected_by(reach, &index)) {
                let all = selector.is_empty();
                let selected = if all { world.within(reach) } else { selected };
                of.insert((reach, *selector), selected);
            }
        }
        Self { of }
    }

    pub(super) fn of(&self, reach: Reach<'a>, selector: &'a Labels) -> &[&'a Alike] {
        self.of.get(&(reach, selector)).map_or(&[], Vec::as_slice)
    }
}

/// No workload of the inventory has the labels (rule PA-5).
pub(super) fn matches_nothing<R: Resource>(
    object: &R,
    field: &str,
    reach: Reach<'_>,
    selector: &Labels,
    findings: &mut Findings<'_>,
) {
    let place = reach.map_or_else(
        || "no workload".to_owned(),
        |namespace| format!("no workload of namespace {namespace}"),
    );
    findings.add(
        Code::SelectorMatchesNothing,
        object,
        field,
        format!("{place} in the inventory has the labels {selector}"),
        "the labels of a workload that it is for (each one of the selector must be there), or delete the object",
    );
}
