//! Many selectors at once.

use std::collections::HashMap;

use crate::Labels;

/// Tells which of many selectors select given labels without trying each of them.
///
/// Each selector stands under the rarest of its labels, so that a label which all of them share does not bring them all
/// into one list. A selector without labels selects nothing here: what it means differs by kind.
#[derive(Debug)]
pub(super) struct Selectors<'a> {
    selectors: Vec<&'a Labels>,
    under: HashMap<(&'a str, &'a str), Vec<usize>>,
}

impl<'a> Selectors<'a> {
    pub(super) fn new(selectors: impl IntoIterator<Item = &'a Labels>) -> Self {
        let selectors: Vec<&Labels> = selectors.into_iter().collect();
        let mut uses: HashMap<(&str, &str), usize> = HashMap::new();
        for label in selectors.iter().flat_map(|selector| selector.iter()) {
            let count = uses.entry(label).or_default();
            *count = count.saturating_add(1);
        }
        let mut under: HashMap<_, Vec<usize>> = HashMap::new();
        for (number, selector) in selectors.iter().enumerate() {
            let rarest = selector.iter().min_by_key(|label| uses.get(label).copied());
            if let Some(rarest) = rarest {
                under.entry(rarest).or_default().push(number);
            }
        }
        Self { selectors, under }
    }

    /// How many selectors there are.
    pub(super) fn len(&self) -> usize {
        self.selectors.len()
    }

    /// The numbers of the selectors that select these labels, in no particular order. The labels may be a selector too:
    /// whoever selects them selects everything that selector does.
    pub(super) fn selecting<'s>(&'s self, labels: &'s Labels) -> impl Iterator<Item = usize> + 's {
        labels
            .iter()
            .filter_map(|label| self.under.get(&label))
            .flatten()
            .copied()
            .filter(|number| {
                self.selectors
                    .get(*number)
                    .is_some_and(|selector| selector.select(labels))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::Selectors;
    use crate::Labels;

    #[test]
    fn the_index_answers_like_trying_each() {
        let value = |bits: usize, at: usize| ["x", "y", "z"][(bits / [1, 3, 9][at]) % 3];
        let labels = |bits: usize| {
            // `z` leaves the label out.
            ["a", "b", "c"]
                .into_iter()
                .enumerate()
                .map(|(at, key)| (key, value(bits, at)))
                .filter(|(_, value)| *value != "z")
                .collect::<Labels>()
        };
        let selectors: Vec<Labels> = (0..27).map(labels).collect();
        let index = Selectors::new(&selectors);
        for asked in &selectors {
            let mut found: Vec<usize> = index.selecting(asked).collect();
            found.sort_unstable();
            let want: Vec<usize> = (0..27)
                .filter(|nth| !selectors[*nth].is_empty() && selectors[*nth].select(asked))
                .collect();
            assert_eq!(found, want, "{asked}");
        }
    }
}
