//! A hash of a label, computed once where the label is made, so that a lookup computes none.

use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

/// The hash of `key=value`: quick, of good spread, and the same in every process.
///
/// It is not keyed. Whoever writes labels can make many of one hash; that slows the lookups of their own namespace down to
/// what a list costs, and changes no answer.
pub(crate) fn of(key: &str, value: &str) -> u64 {
    spread(words(words(0, key.as_bytes()), value.as_bytes()))
}

/// Mixes `bytes` into `state`, with their length, so that `a=bc` is not `ab=c`.
fn words(state: u64, bytes: &[u8]) -> u64 {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let words = words.iter().copied().map(u64::from_le_bytes);
    words
        .chain([u64::from_le_bytes(last), length])
        .fold(state, |state, word| (state.rotate_left(5) ^ word).wrapping_mul(ODD))
}

/// Lets every bit of `state` count in every bit of the hash (the last step of MurmurHash3).
fn spread(mut state: u64) -> u64 {
    state = (state ^ (state >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    state = (state ^ (state >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    state ^ (state >> 33)
}

/// For maps whose keys are such hashes: each is taken as it is.
pub(crate) type ByHash = BuildHasherDefault<Quick>;

/// For maps whose keys are text: as quick, with a secret of the process. That makes texts of one hash harder to find, not
/// impossible; they cost time and change no answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BySecret(u64);

impl Default for BySecret {
    fn default() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }
}

impl BuildHasher for BySecret {
    type Hasher = Quick;

    fn build_hasher(&self) -> Quick {
        Quick(self.0)
    }
}

/// The hasher of both.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = spread(words(self.0, bytes));
    }

    /// The hash of a label.
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    /// What ends a text; its length is in its hash already.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// 2^64 divided by the golden ratio.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn labels_that_look_alike_have_other_hashes() {
        let texts = ["", "a", "b", "ab", "bc", "abc", "a\0", "12345678", "123456789"];
        let pairs = texts
            .iter()
            .flat_map(|key| texts.iter().map(move |value| super::of(key, value)));
        assert_eq!(pairs.collect::<HashSet<_>>().len(), texts.len() * texts.len());
    }

    #[test]
    fn numbered_labels_fill_a_table_evenly() {
        let mut low = HashSet::new();
        let mut high = HashSet::new();
        for number in 0..128 {
            let hash = super::of("app", &format!("app-{number}"));
            low.insert(hash & 127);
            high.insert(hash >> 57);
        }
        // Of 128 throws into 128 places, 81 hit a place of their own on average.
        assert!(low.len() > 64 && high.len() > 64, "{} and {} of 128", low.len(), high.len());
    }
}
