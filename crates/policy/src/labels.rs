//! Labels of a workload, and the same shape as a selector over them.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::label_hash;

/// Label keys and values, in key order.
///
/// As a selector it asks for every one of its entries with exactly the same value; an empty one selects by scope alone.
///
/// Cloning allocates nothing.
#[derive(Clone, Default, Eq, Hash, PartialEq)]
pub struct Labels(Arc<[Label]>);

/// One label. The hash comes first, so that comparing two of them mostly ends there.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Label {
    hash: u64,
    /// The key's length in bytes.
    key: usize,
    /// The key, then the value: in one piece, because a lookup on the connection path looks at both.
    text: Box<str>,
}

impl Labels {
    /// The value of `key`, if the label is there.
    pub fn get(&self, key: &str) -> Option<&str> {
        let place = self.place(key).ok()?;
        self.0.get(place).map(Label::value)
    }

    /// Whether there is no label at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Keys and values, in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|label| (label.key(), label.value()))
    }

    /// Adds a label, replacing the value of one with the same key. To make many, collect them.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let label = Label::new(key.into(), value.into());
        let mut labels = self.0.to_vec();
        match self.place(label.key()) {
            Ok(place) => {
                if let Some(old) = labels.get_mut(place) {
                    *old = label;
                }
            }
            Err(place) => labels.insert(place, label),
        }
        self.0 = labels.into();
    }

    /// Takes a label away.
    pub fn remove(&mut self, key: &str) {
        if let Ok(place) = self.place(key) {
            let mut labels = self.0.to_vec();
            labels.remove(place);
            self.0 = labels.into();
        }
    }

    /// Whether `self`, as a selector, selects a workload with these labels. Does not allocate.
    pub fn select(&self, workload: &Self) -> bool {
        self.len() <= workload.len() && self.0.iter().all(|wanted| workload.0.contains(wanted))
    }

    /// The first entry of the selector `self` (in key order) that the labels of `workload` do not satisfy.
    pub fn first_mismatch<'a>(&'a self, workload: &'a Self) -> Option<LabelMismatch<'a>> {
        self.iter().find_map(|(key, wanted)| {
            let found = workload.get(key);
            (found != Some(wanted)).then_some(LabelMismatch { key, wanted, found })
        })
    }

    /// The same labels, in memory of their own.
    pub(crate) fn copied(&self) -> Self {
        if self.is_empty() { Self::default() } else { Self(self.0.to_vec().into()) }
    }

    /// The hash of each label, in key order.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|label| label.hash)
    }

    /// Where `key` is, or where it belongs.
    fn place(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|label| label.key().cmp(key))
    }
}

impl Label {
    fn new(key: String, value: String) -> Self {
        let hash = label_hash::of(&key, &value);
        let length = key.len();
        let mut text = key;
        text.push_str(&value);
        Self { hash, key: length, text: text.into() }
    }

    fn key(&self) -> &str {
        self.text.get(..self.key).unwrap_or_default()
    }

    fn value(&self) -> &str {
        self.text.get(self.key..).unwrap_or_default()
    }
}

/// Of several labels with one key, the last counts.
impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        let mut labels: Vec<Label> = labels
            .into_iter()
            .map(|(key, value)| Label::new(key.into(), value.into()))
            .collect();
        labels.sort_by(|a, b| a.key().cmp(b.key()));
        labels.dedup_by(|later, kept| {
            let same = later.key() == kept.key();
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        Self(labels.into())
    }
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for Labels {
    fn from(labels: [(K, V); N]) -> Self {
        labels.into_iter().collect()
    }
}

/// As a map.
impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// As a map.
impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// `app=web,version=v1`; nothing for no labels.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, (key, value)) in self.iter().enumerate() {
            let comma = if nth == 0 { "" } else { "," };
            write!(f, "{comma}{key}={value}")?;
        }
        Ok(())
    }
}

/// A selector entry that a workload does not satisfy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LabelMismatch<'a> {
    /// The label's key.
    pub key: &'a str,
    /// The value that the selector asks for.
    pub wanted: &'a str,
    /// The value that the workload has, `None` without such a label.
    pub found: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::Labels;

    #[test]
    fn the_last_of_one_key_counts() {
        let mut labels = Labels::from([("b", "1"), ("a", "1"), ("b", "2"), ("a", "2"), ("b", "3")]);
        assert_eq!(labels.to_string(), "a=2,b=3");
        labels.insert("b", "4");
        labels.insert("aa", "5");
        assert_eq!(labels, Labels::from([("aa", "5"), ("b", "4"), ("a", "2")]));
        assert_eq!((labels.get("aa"), labels.get("c"), labels.len()), (Some("5"), None, 3));
        labels.remove("aa");
        labels.remove("c");
        assert_eq!(labels.to_string(), "a=2,b=4");
    }

    #[test]
    fn a_selector_asks_for_key_and_value() {
        let workload = Labels::from([("app", "web"), ("tier", "")]);
        for (selector, selects) in [
            (Labels::default(), true),
            (Labels::from([("app", "web")]), true),
            (Labels::from([("tier", ""), ("app", "web")]), true),
            (Labels::from([("app", "We")]), false),
            (Labels::from([("app", "")]), false),
            (Labels::from([("web", "app")]), false),
            (Labels::from([("app", "web"), ("tier", ""), ("more", "")]), false),
        ] {
            assert_eq!(selector.select(&workload), selects, "{selector}");
            assert_eq!(selector.first_mismatch(&workload).is_none(), selects, "{selector}");
        }
    }
}
