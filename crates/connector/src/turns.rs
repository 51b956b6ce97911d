//! Whose turn it is among the endpoints of a service.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Counts connections per service, so that its endpoints take turns.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<(String, u16), usize>>);

impl Turns {
    /// The endpoints, each once, from the one whose turn it is.
    ///
    /// Only services that exist may be asked for: the counters stay.
    pub(crate) fn take<'a, T>(
        &self,
        host: &str,
        port: u16,
        endpoints: &'a [T],
    ) -> impl Iterator<Item = &'a T> {
        let count = endpoints.len();
        let first = if count < 2 { 0 } else { self.next(host, port) % count };
        endpoints.iter().cycle().skip(first).take(count)
    }

    fn next(&self, host: &str, port: u16) -> usize {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = turns.entry((host.to_owned(), port)).or_default();
        std::mem::replace(turn, turn.wrapping_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    #[test]
    fn endpoints_take_turns_and_services_do_not_disturb_each_other() {
        let turns = Turns::default();
        let next = |host, port| turns.take(host, port, &['a', 'b', 'c']).collect::<String>();
        assert_eq!(
            [next("x", 1), next("x", 1), next("x", 1), next("x", 1)],
            ["abc", "bca", "cab", "abc"]
        );
        assert_eq!([next("x", 2), next("y", 1), next("x", 1)], ["abc", "abc", "bca"]);
        assert_eq!(turns.take("x", 1, &[0_u8; 0]).count(), 0);
    }
}
