//! The file `ledger`: what was issued, one line for each X509-SVID.
//!
//! ```text
//! meshtls ledger 1 unrecorded-until 0
//! 4f1d0c...(32 digits) 3 1800086400 spiffe://prod.example/ns/pay/sa/ledger
//! ```
//!
//! A line is the serial number, the generation, the last valid second and the ID. It counts once its end is written:
//! what is behind the last line's end was being written when a process died, and is cut off.

use std::path::Path;
use std::time::Duration;

use rustls_pki_types::UnixTime;

use super::StoreError;
use super::files::{self, Appended, Readers};
use crate::ledger::is_stale;
use crate::{Ledger, LedgerEntry, Serial};

/// The record, and how much of the file is in it. It is used by whoever holds the lock of the directory.
#[derive(Debug, Default)]
pub(super) struct LedgerFile {
    ledger: Ledger,
    file: Option<Appended>,
    /// How many bytes of the file are in `ledger`.
    length: u64,
    /// How many lines they are.
    lines: usize,
}

impl LedgerFile {
    /// Makes an empty record, unless there is one.
    pub(super) fn create(
        path: &Path,
        unrecorded_until: Option<UnixTime>,
    ) -> Result<(), StoreError> {
        match Appended::open(path)? {
            Some(_) => Ok(()),
            None => files::write(path, head(unrecorded_until).as_bytes(), Readers::Owner),
        }
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes in what other processes have recorded, and cuts off what a dead one began.
    ///
    /// A record that is gone is begun anew; what it held may live until `unrecorded_until`.
    pub(super) fn catch_up(
        &mut self,
        path: &Path,
        unrecorded_until: UnixTime,
    ) -> Result<(), StoreError> {
        let known = match &self.file {
            Some(file) => file.is_still_there()? && file.length()? >= self.length,
            None => false,
        };
        if !known {
            Self::create(path, Some(unrecorded_until))?;
            *self = Self { file: Appended::open(path)?, ..Self::default() };
        }
        let Some(file) = &mut self.file else {
            return Err(StoreError::Damaged { path: path.to_owned(), line: 0 });
        };
        let bytes = file.read_from(self.length)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        let (whole, torn) = bytes
            .split_at_checked(whole.map_or(0, |at| at.saturating_add(1)))
            .unwrap_or_default();
        for line in whole.split_inclusive(|byte| *byte == b'\n') {
            self.lines = self.lines.saturating_add(1);
            let text = std::str::from_utf8(line)
                .ok()
                .and_then(|line| line.strip_suffix('\n'));
            let taken = text.and_then(|text| take(text, self.lines, &mut self.ledger));
            if taken.is_none() {
                let damaged = StoreError::Damaged { path: path.to_owned(), line: self.lines };
                *self = Self::default();
                return Err(damaged);
            }
        }
        self.length = self
            .length
            .saturating_add(u64::try_from(whole.len()).unwrap_or(u64::MAX));
        if torn.is_empty() { Ok(()) } else { file.cut(self.length) }
    }

    /// Records an X509-SVID; its serial number is unused. After an error nothing is recorded.
    pub(super) fn append(&mut self, path: &Path, entry: LedgerEntry) -> Result<(), StoreError> {
        let line = line(&entry);
        let (Some(file), false) = (&mut self.file, self.ledger.find(&entry.serial).is_some())
        else {
            return Err(StoreError::Damaged { path: path.to_owned(), line: 0 });
        };
        if let Err(error) = file.append(line.as_bytes()) {
            // What cannot be cut off now is read by the next one: at most a torn line, or one for nobody.
            return match file.cut(self.length) {
                Ok(()) | Err(_) => Err(error),
            };
        }
        self.length = self
            .length
            .saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        self.lines = self.lines.saturating_add(1);
        // Cannot fail: the number was looked up above.
        match self.ledger.record(entry) {
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Forgets what expired long ago, and writes the file anew if most of it did.
    pub(super) fn compact(&mut self, path: &Path, now: UnixTime) -> Result<(), StoreError> {
        if !self.ledger.is_sweep_due() {
            return Ok(());
        }
        self.ledger.sweep(now);
        let live = self.ledger.entries().count();
        if self.lines < live.saturating_mul(2) {
            return Ok(());
        }
        let unrecorded_until = self.ledger.unrecorded_until();
        let mut text = head(unrecorded_until.filter(|until| !is_stale(*until, now)));
        self.ledger
            .entries()
            .for_each(|entry| text.push_str(&line(entry)));
        files::write(path, text.as_bytes(), Readers::Owner)?;
        // The next one that catches up sees another file.
        Ok(())
    }
}

fn head(unrecorded_until: Option<UnixTime>) -> String {
    format!("{HEAD}{}\n", unrecorded_until.map_or(0, |until| until.as_secs()))
}

fn line(entry: &LedgerEntry) -> String {
    let LedgerEntry { serial, id, not_after, generation } = entry;
    format!("{serial} {generation} {} {id}\n", not_after.as_secs())
}

/// The first line is the head, the others are entries.
fn take(text: &str, number: usize, ledger: &mut Ledger) -> Option<()> {
    if number == 1 {
        let until = text.strip_prefix(HEAD)?.parse().ok()?;
        *ledger = match until {
            0 => Ledger::new(),
            until => {
                Ledger::with_unrecorded(UnixTime::since_unix_epoch(Duration::from_secs(until)))
            }
        };
        return Some(());
    }
    let mut words = text.splitn(4, ' ');
    let serial = words.next().filter(|digits| digits.len() == 32)?;
    let serial = Serial::new(u128::from_str_radix(serial, 16).ok()?.to_be_bytes())?;
    let generation = words.next()?.parse().ok()?;
    let not_after = Duration::from_secs(words.next()?.parse().ok()?);
    let id = words.next()?.parse().ok()?;
    let entry = LedgerEntry::new(serial, id, UnixTime::since_unix_epoch(not_after), generation);
    ledger.record(entry).ok()
}

const HEAD: &str = "meshtls ledger 1 unrecorded-until ";
