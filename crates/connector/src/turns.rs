//! Whose turn it is among the endpoints of a service.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Counts connections per service, so that its endpoints take turns.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<(String, u16), usize>>);

impl Turns {
    /// Puts the endpoint whose turn it is first; the others follow in order.
    ///
    /// Only services that exist may be asked for: the counters stay.
    pub(crate) fn rotate<T>(&self, host: &str, port: u16, endpoints: &mut [T]) {
        if endpoints.len() < 2 {
            return;
        }
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = turns.entry((host.to_owned(), port)).or_default();
        endpoints.rotate_left(*turn % endpoints.len());
        *turn = turn.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    #[test]
    fn endpoints_take_turns_and_services_do_not_disturb_each_other() {
        let turns = Turns::default();
        let next = |host, port| {
            let mut endpoints = ['a', 'b', 'c'];
            turns.rotate(host, port, &mut endpoints);
            endpoints.iter().collect::<String>()
        };
        assert_eq!(
            [next("x", 1), next("x", 1), next("x", 1), next("x", 1)],
            ["abc", "bca", "cab", "abc"]
        );
        assert_eq!([next("x", 2), next("y", 1), next("x", 1)], ["abc", "abc", "bca"]);
        turns.rotate::<()>("x", 1, &mut []);
    }
}
