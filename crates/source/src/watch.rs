//! The loop that looks at files again and again, and the handle that stops it.

use std::time::Duration;

use tokio::task::JoinHandle;

/// A running watcher. Dropping it stops the watcher; what it published stays in use.
#[derive(Debug)]
#[must_use = "dropping it stops the watcher"]
pub struct Watch(Vec<JoinHandle<()>>);

impl Watch {
    /// Starts `task` on the current tokio runtime.
    pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(vec![tokio::spawn(task)])
    }

    /// Starts one more task, which works on when another one hangs or has panicked.
    pub(crate) fn and(mut self, task: impl Future<Output = ()> + Send + 'static) -> Self {
        self.0.push(tokio::spawn(task));
        self
    }

    /// Whether the watcher still runs. Meant for health checks: nothing is kept fresh once this is `false`.
    ///
    /// A watcher ends by itself only when its runtime shuts down, or when something in it panics, such as a
    /// [`Reporter`](crate::Reporter). What it published stays in use.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.0.iter().any(JoinHandle::is_finished)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// What can be looked at again. Its methods may block.
pub(crate) trait Polled: Send + 'static {
    /// What one look gives.
    type Reading: PartialEq + Send + 'static;

    /// Looks.
    fn read(&self) -> Self::Reading;

    /// Takes note of `reading`. Whether it has to be judged, should it last.
    fn is_news(&mut self, reading: &Self::Reading) -> bool;

    /// Takes note that what was news did not last.
    fn unsettled(&mut self) {}

    /// Judges `reading`, then publishes it or reports why not.
    fn judge(&mut self, reading: Self::Reading);
}

/// Looks at `polled` every `every`, for ever.
///
/// Files are seldom written at once. What changed is judged when two looks, [`SETTLE`] apart, read the same.
pub(crate) async fn poll(mut polled: impl Polled, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some((back, reading)) = look(polled).await else { return };
        polled = back;
        if !polled.is_news(&reading) {
            continue;
        }
        tokio::time::sleep(SETTLE).await;
        let Some((back, again)) = look(polled).await else { return };
        polled = back;
        if reading != again {
            polled.unsettled();
            continue;
        }
        let judged = tokio::task::spawn_blocking(move || {
            polled.judge(again);
            polled
        });
        let Ok(back) = judged.await else { return };
        polled = back;
    }
}

/// Reads on a thread that may block. `None` when the runtime shuts down.
async fn look<P: Polled>(polled: P) -> Option<(P, P::Reading)> {
    let looked = tokio::task::spawn_blocking(move || {
        let reading = polled.read();
        (polled, reading)
    });
    looked.await.ok()
}

/// How often sources look at their files, unless told otherwise: every second.
pub(crate) const DEFAULT_EVERY: Duration = Duration::from_secs(1);

/// The shortest time between two looks: 10 ms.
pub(crate) const SHORTEST_EVERY: Duration = Duration::from_millis(10);

/// How long a changed content must stay the same before it is judged: 50 ms.
pub(crate) const SETTLE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{DEFAULT_EVERY, Polled, Watch, poll};

    /// Sees a change at each look but the first, and panics when it has to judge one.
    #[derive(Default)]
    struct Broken(std::cell::Cell<u32>);

    impl Polled for Broken {
        type Reading = bool;

        fn read(&self) -> bool {
            self.0.replace(self.0.get() + 1) > 0
        }

        fn is_news(&mut self, changed: &bool) -> bool {
            *changed
        }

        fn judge(&mut self, _changed: bool) {
            panic!("such as a reporter's");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_watcher_that_panicked_is_seen_to_have_ended() {
        let watch = Watch::spawn(poll(Broken::default(), DEFAULT_EVERY));
        assert!(watch.is_running());
        tokio::time::sleep(DEFAULT_EVERY + Duration::from_millis(500)).await;
        assert!(watch.is_running(), "it looked once");
        tokio::time::sleep(3 * DEFAULT_EVERY).await;
        assert!(!watch.is_running());
    }
}
