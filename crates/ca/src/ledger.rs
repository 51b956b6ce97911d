//! What was issued and may still be in use: the record by which a rotation of roots knows that it may go on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use meshtls_identity::SpiffeId;
use rustls_pki_types::UnixTime;

use crate::Serial;

/// The X509-SVIDs that were issued, each with the generation of the roots it was issued in.
///
/// An X509-SVID is live until its last valid second, whether or not its holder has renewed it since: several
/// workloads may have one SPIFFE ID, so a newer X509-SVID does not show that an older one is out of use.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<Serial, LedgerEntry>,
    /// Until when X509-SVIDs may live that were issued before this record began.
    unrecorded_until: Option<UnixTime>,
    /// How many entries the last sweep left.
    swept: usize,
}

impl Ledger {
    /// How long an entry is kept after its X509-SVID expired: a day.
    pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

    /// A record of an authority that has issued nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A record that begins late: X509-SVIDs issued before it may live until `until`.
    #[must_use]
    pub fn with_unrecorded(until: UnixTime) -> Self {
        Self { unrecorded_until: Some(until), ..Self::default() }
    }

    /// Records an X509-SVID.
    ///
    /// # Errors
    ///
    /// [`RepeatedSerial`]: the number is in the record already. Nothing is changed.
    pub fn record(&mut self, entry: LedgerEntry) -> Result<(), RepeatedSerial> {
        if self.entries.contains_key(&entry.serial) {
            return Err(RepeatedSerial { serial: entry.serial });
        }
        self.entries.insert(entry.serial, entry);
        Ok(())
    }

    /// The X509-SVID with this serial number, if it is recorded: live, or expired less than
    /// [`KEPT`](Self::KEPT) ago (it may be there longer).
    #[must_use]
    pub fn find(&self, serial: &Serial) -> Option<&LedgerEntry> {
        self.entries.get(serial)
    }

    /// Every entry, in the order of serial numbers.
    pub fn entries(&self) -> impl Iterator<Item = &LedgerEntry> {
        self.entries.values()
    }

    /// Until when X509-SVIDs may live of which this record knows nothing.
    #[must_use]
    pub fn unrecorded_until(&self) -> Option<UnixTime> {
        self.unrecorded_until
    }

    /// What lives at `now` and was issued in a generation before `generation`; `None` if nothing does.
    ///
    /// Unrecorded X509-SVIDs are older than every generation but the first, which is 0.
    #[must_use]
    pub fn live_before(&self, generation: u64, now: UnixTime) -> Option<Waiting> {
        let unrecorded_until = self
            .unrecorded_until
            .filter(|until| generation > 0 && *until >= now);
        let (mut live, mut until) = (0_usize, unrecorded_until);
        let mut holders = BTreeSet::new();
        let old = self
            .entries
            .values()
            .filter(|entry| entry.generation < generation);
        for entry in old.filter(|entry| entry.is_live(now)) {
            live = live.saturating_add(1);
            until = until.max(Some(entry.not_after));
            holders.insert(&entry.id);
            if holders.len() > Waiting::MAX_HOLDERS {
                holders.pop_last();
            }
        }
        let holders = holders.into_iter().cloned().collect();
        Some(Waiting { live, holders, unrecorded_until, until: until? })
    }

    /// How many entries expired more than [`KEPT`](Self::KEPT) ago.
    #[must_use]
    pub fn stale(&self, now: UnixTime) -> usize {
        self.entries
            .values()
            .filter(|entry| entry.is_stale(now))
            .count()
    }

    /// Drops the entries that expired more than [`KEPT`](Self::KEPT) ago.
    pub fn sweep(&mut self, now: UnixTime) {
        self.entries.retain(|_, entry| !entry.is_stale(now));
        self.swept = self.entries.len();
    }

    /// Whether so much was recorded since the last sweep that another one pays.
    pub(crate) fn is_sweep_due(&self) -> bool {
        self.entries.len() > self.swept.saturating_mul(2).max(SWEPT_FROM)
    }
}

/// One X509-SVID that was issued.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LedgerEntry {
    /// Its serial number.
    pub serial: Serial,
    /// Whom it names.
    pub id: SpiffeId,
    /// Its last valid second.
    pub not_after: UnixTime,
    /// The [generation](crate::Rotation::generation) in which it was issued.
    pub generation: u64,
}

impl LedgerEntry {
    /// Puts an entry together.
    #[must_use]
    pub fn new(serial: Serial, id: SpiffeId, not_after: UnixTime, generation: u64) -> Self {
        Self { serial, id, not_after, generation }
    }

    /// Whether it can still be used at `now`. Its last second counts.
    #[must_use]
    pub fn is_live(&self, now: UnixTime) -> bool {
        self.not_after >= now
    }

    fn is_stale(&self, now: UnixTime) -> bool {
        is_stale(self.not_after, now)
    }
}

/// Whether what lived until `until` ended more than [`Ledger::KEPT`] ago.
pub(crate) fn is_stale(until: UnixTime, now: UnixTime) -> bool {
    until.as_secs().saturating_add(Ledger::KEPT.as_secs()) < now.as_secs()
}

/// What a step of a rotation waits for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Waiting {
    /// How many recorded X509-SVIDs are too old and live.
    pub live: usize,
    /// Whom they name: each ID once, in order, at most [`MAX_HOLDERS`](Self::MAX_HOLDERS).
    pub holders: Vec<SpiffeId>,
    /// Until when others may live that were issued before the record began.
    pub unrecorded_until: Option<UnixTime>,
    /// The last second in which one of all these can live.
    pub until: UnixTime,
}

impl Waiting {
    /// How many IDs are listed at most.
    pub const MAX_HOLDERS: usize = 10;
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} older X509-SVIDs live", self.live)?;
        for (place, id) in self.holders.iter().enumerate() {
            write!(f, "{}{id}", if place == 0 { " (" } else { ", " })?;
        }
        if !self.holders.is_empty() {
            f.write_str(if self.holders.len() < self.live { ", ...)" } else { ")" })?;
        }
        if self.unrecorded_until.is_some() {
            f.write_str(" and others may, of before the record")?;
        }
        write!(f, ", until {} at the latest", self.until.as_secs())
    }
}

/// A serial number was drawn that is in use: its source is broken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the serial number {serial} was issued before")]
#[non_exhaustive]
pub struct RepeatedSerial {
    /// The number.
    pub serial: Serial,
}

/// Below this many entries no sweep pays.
const SWEPT_FROM: usize = 1024;
