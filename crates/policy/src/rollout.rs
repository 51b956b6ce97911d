//! Staged enforcement: when live connections end that a new set of policies would refuse.

use std::time::{Duration, Instant};

/// How a tightening reaches the connections that are alive: new connections at once, idle ones later, all in the end.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Rollout {
    /// How long after the change, and after its last activity, an idle connection ends.
    pub idle_after: Duration,
    /// How long after the change every connection ends. If this is shorter than [`idle_after`](Self::idle_after), idle ones
    /// end then as well.
    pub all_after: Duration,
}

impl Rollout {
    /// Live connections live on for good.
    pub const NEW_CONNECTIONS: Self = Self::new(Duration::MAX, Duration::MAX);

    /// Live connections end at once.
    pub const AT_ONCE: Self = Self::new(Duration::ZERO, Duration::ZERO);

    /// Idle connections end after `idle_after`, all after `all_after`; [`Duration::MAX`] is never.
    pub const fn new(idle_after: Duration, all_after: Duration) -> Self {
        Self { idle_after, all_after }
    }
}

/// A [`Rollout`] that has begun. It reads no clock: each question says what time it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Schedule {
    rollout: Rollout,
    since: Instant,
}

impl Schedule {
    /// The rollout of a change that came into force at `since`.
    pub const fn new(rollout: Rollout, since: Instant) -> Self {
        Self { rollout, since }
    }

    /// How it goes on.
    pub const fn rollout(&self) -> Rollout {
        self.rollout
    }

    /// When it began.
    pub const fn since(&self) -> Instant {
        self.since
    }

    /// How far it has come.
    pub fn stage(&self, now: Instant) -> RolloutStage {
        let is_past = |end: Option<Instant>| end.is_some_and(|end| end <= now);
        if is_past(self.after(self.rollout.all_after)) {
            RolloutStage::All
        } else if is_past(self.after(self.rollout.idle_after)) {
            RolloutStage::Idle
        } else {
            RolloutStage::New
        }
    }

    /// What becomes of a live connection that the policies in force would refuse.
    ///
    /// It is idle since `last_activity`; a connection at work, such as one with a request in flight, is active `now`.
    pub fn judge(&self, last_activity: Instant, now: Instant) -> Standing {
        let idle = last_activity
            .max(self.since)
            .checked_add(self.rollout.idle_after);
        let all = self.after(self.rollout.all_after);
        let end = [idle, all].into_iter().flatten().min();
        match end {
            Some(end) if end <= now => Standing::Close,
            until => Standing::Stays { until },
        }
    }

    /// `None` if that never comes.
    fn after(&self, delay: Duration) -> Option<Instant> {
        self.since.checked_add(delay)
    }
}

/// Whom a rollout has reached.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum RolloutStage {
    /// New connections only.
    New,
    /// Idle connections as well.
    Idle,
    /// Every connection.
    All,
}

/// What becomes of a live connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a connection stays or is closed")]
pub enum Standing {
    /// It stays.
    Stays {
        /// When to ask again: it ends then if there is no more activity. `None` if it lives on for good.
        until: Option<Instant>,
    },
    /// It is to be closed now.
    Close,
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Rollout, RolloutStage, Schedule, Standing};

    /// A moment to count seconds from. Which one plays no part.
    #[expect(clippy::disallowed_methods, reason = "there is no other way to make an Instant")]
    fn origin() -> Instant {
        let now = Instant::now();
        now.checked_add(Duration::from_secs(1_000)).unwrap_or(now)
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The change comes at 0; idle connections end 10 seconds later, all after 60.
    #[test]
    fn who_ends_when() {
        let zero = origin();
        let schedule = Schedule::new(Rollout::new(seconds(10), seconds(60)), zero);
        let stays = |at| Standing::Stays { until: Some(zero + seconds(at)) };
        for (case, last_activity, now, want) in [
            ("active at the change", 0, 0, stays(10)),
            ("not yet idle long enough", 0, 9, stays(10)),
            ("idle long enough", 0, 10, Standing::Close),
            ("asked late", 0, 30, Standing::Close),
            ("active since", 5, 10, stays(15)),
            ("idle again", 5, 15, Standing::Close),
            ("at work", 30, 30, stays(40)),
            ("at work near the end", 55, 55, stays(60)),
            ("at work at the end", 60, 60, Standing::Close),
        ] {
            let standing = schedule.judge(zero + seconds(last_activity), zero + seconds(now));
            assert_eq!(standing, want, "{case}");
        }
        // Idle for an hour before the change: it is not punished for the past.
        let long_ago = zero - seconds(900);
        assert_eq!(schedule.judge(long_ago, zero), stays(10));
        assert_eq!(schedule.judge(long_ago, zero + seconds(10)), Standing::Close);
        // A clock that is asked about a time before the change.
        assert_eq!(schedule.judge(zero, zero - seconds(5)), stays(10));
    }

    #[test]
    fn stages_in_order() {
        use RolloutStage::{All, Idle, New};
        let zero = origin();
        for (case, rollout, stages) in [
            ("all three", Rollout::new(seconds(10), seconds(60)), [New, Idle, All]),
            ("never more than new ones", Rollout::NEW_CONNECTIONS, [New, New, New]),
            ("at once", Rollout::AT_ONCE, [All, All, All]),
            (
                "idle ones never by themselves",
                Rollout::new(Duration::MAX, seconds(60)),
                [New, New, All],
            ),
            ("all before idle ones", Rollout::new(seconds(60), seconds(10)), [New, All, All]),
        ] {
            let schedule = Schedule::new(rollout, zero);
            let got = [0, 10, 60].map(|at| schedule.stage(zero + seconds(at)));
            assert_eq!(got, stages, "{case}");
        }
    }

    #[test]
    fn the_ends_of_the_scale() {
        let zero = origin();
        let never = Schedule::new(Rollout::NEW_CONNECTIONS, zero);
        assert_eq!(never.judge(zero, zero + seconds(1 << 30)), Standing::Stays { until: None });
        let at_once = Schedule::new(Rollout::AT_ONCE, zero);
        assert_eq!(at_once.judge(zero, zero), Standing::Close);
        let only_all = Schedule::new(Rollout::new(Duration::MAX, seconds(60)), zero);
        let until = Some(zero + seconds(60));
        assert_eq!(only_all.judge(zero, zero + seconds(59)), Standing::Stays { until });
        let early = Schedule::new(Rollout::new(seconds(60), seconds(10)), zero);
        assert_eq!(early.judge(zero, zero + seconds(10)), Standing::Close);
    }
}
