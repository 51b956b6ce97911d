//! Which of many selectors may select a workload, without a look at all of them.

use std::collections::HashMap;

use crate::Labels;
use crate::label_hash::ByHash;

/// Selectors by number, each filed under one of its labels.
///
/// Who selects a workload asks for labels that it has, so is filed under one of them: the numbers filed under the labels of
/// a workload are all that can select it. A lookup looks each of them up once, and whoever asks then checks the whole
/// selector of each number.
#[derive(Clone, Debug, Default)]
pub(crate) struct SelectorIndex {
    /// The first and the last number filed under a label, by the label's hash.
    filed: HashMap<u64, (usize, usize), ByHash>,
    /// For each number the next one filed under the same label; for the last one itself.
    next: Vec<usize>,
}

impl SelectorIndex {
    /// Gives the next number, from 0, to a selector that is filed under the label with this hash; under none it is never
    /// found.
    pub(crate) fn file(&mut self, label: Option<u64>) {
        let number = self.next.len();
        self.next.push(number);
        let Some(label) = label else { return };
        let (_, last) = self.filed.entry(label).or_insert((number, number));
        if let Some(next) = self.next.get_mut(*last) {
            *next = number;
        }
        *last = number;
    }

    /// The numbers filed under each of `labels`, for each label in ascending order.
    pub(crate) fn filed<'a>(
        &'a self,
        labels: &'a Labels,
    ) -> impl Iterator<Item = impl Iterator<Item = usize> + 'a> + 'a {
        labels
            .hashes()
            .filter_map(|label| self.filed.get(&label))
            .map(move |&(first, last)| {
                // Most labels have one number, and then there is nothing to look up.
                std::iter::successors(Some(first), move |&number| {
                    if number == last { None } else { self.next.get(number).copied() }
                })
            })
    }
}

/// How often labels occur in selectors, to file each selector under its rarest one.
#[derive(Debug, Default)]
pub(crate) struct LabelCounts(HashMap<u64, usize, ByHash>);

impl LabelCounts {
    pub(crate) fn of<'a>(selectors: impl IntoIterator<Item = &'a Labels>) -> Self {
        let mut counts = HashMap::<u64, usize, ByHash>::default();
        for label in selectors.into_iter().flat_map(Labels::hashes) {
            let count = counts.entry(label).or_default();
            *count = count.saturating_add(1);
        }
        Self(counts)
    }

    /// The label of `selector` that the fewest selectors have.
    pub(crate) fn rarest(&self, selector: &Labels) -> Option<u64> {
        selector.hashes().min_by_key(|label| self.0.get(label))
    }
}

#[cfg(test)]
mod tests {
    use super::{LabelCounts, SelectorIndex};
    use crate::Labels;

    #[test]
    fn a_selector_is_found_under_its_rarest_label_alone() {
        let selectors = [
            Labels::from([("app", "web"), ("tier", "front")]),
            Labels::from([("app", "web")]),
            Labels::default(),
            Labels::from([("app", "web"), ("tier", "back")]),
            Labels::from([("app", "web")]),
        ];
        let counts = LabelCounts::of(&selectors);
        let mut index = SelectorIndex::default();
        for selector in &selectors {
            index.file(counts.rarest(selector));
        }
        for (labels, found) in [
            (Labels::from([("app", "web")]), vec![1, 4]),
            (Labels::from([("tier", "front")]), vec![0]),
            (Labels::from([("app", "web"), ("tier", "back")]), vec![1, 4, 3]),
            (Labels::from([("app", "")]), vec![]),
            (Labels::default(), vec![]),
        ] {
            assert_eq!(index.filed(&labels).flatten().collect::<Vec<_>>(), found, "{labels}");
        }
    }
}
