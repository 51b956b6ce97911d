//! The handshake bytes of a run of TLS records, read in place.

use crate::sniff::HelloDefect;

/// A `ClientHello` takes at most this many bytes on the wire, record headers included: 16 KiB, the
/// limit of Envoy's inspector. It is also the longest prefix that is ever looked at.
pub const MAX_CLIENT_HELLO: usize = 16 * 1024;

/// Why reading ended before there was a `ClientHello`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stop {
    /// What is there is right so far.
    NeedMore,
    /// No `ClientHello`, or not a well-formed one.
    Unreadable,
    /// A `ClientHello` that is refused everywhere.
    Defect(HelloDefect),
}

/// A cursor over the content of consecutive handshake records.
///
/// It checks a record's header when it gets there. Records without content are skipped.
#[derive(Clone, Debug)]
pub(crate) struct Records<'a> {
    /// What follows, up to the limit.
    wire: &'a [u8],
    /// Content bytes left in the record that was opened last.
    in_record: usize,
    /// Bytes that may still arrive within the limit.
    to_come: usize,
}

impl<'a> Records<'a> {
    pub(crate) fn new(prefix: &'a [u8]) -> Self {
        let wire = prefix.get(..MAX_CLIENT_HELLO).unwrap_or(prefix);
        Self { wire, in_record: 0, to_come: MAX_CLIENT_HELLO.saturating_sub(wire.len()) }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Stop> {
        self.run(1)?.first().copied().ok_or(Stop::Unreadable)
    }

    /// Gives the next `len` content bytes as a message of their own and goes on behind them.
    pub(crate) fn message(&mut self, len: usize) -> Result<Message<'a>, Stop> {
        if len > self.wire.len().saturating_add(self.to_come) {
            return Err(Stop::Defect(HelloDefect::TooLarge));
        }
        let message = Message { records: self.clone(), left: len };
        self.pass(len, |_| {})?;
        Ok(message)
    }

    /// Goes on behind the next `len` content bytes, showing them to `seen` run by run.
    fn pass(&mut self, mut len: usize, mut seen: impl FnMut(&'a [u8])) -> Result<(), Stop> {
        while len > 0 {
            let run = self.run(len)?;
            len = len.saturating_sub(run.len());
            seen(run);
        }
        Ok(())
    }

    /// The next 1 to `max` content bytes that lie in one record. `max` is not 0.
    fn run(&mut self, max: usize) -> Result<&'a [u8], Stop> {
        while self.in_record == 0 {
            self.open_record()?;
        }
        let len = max.min(self.in_record).min(self.wire.len());
        match self.wire.split_at_checked(len) {
            Some((run, rest)) if len > 0 => {
                self.wire = rest;
                self.in_record = self.in_record.saturating_sub(len);
                Ok(run)
            }
            _ => Err(self.end_of_wire()),
        }
    }

    fn open_record(&mut self) -> Result<(), Stop> {
        match *self.wire {
            [HANDSHAKE, 3, _, high, low, ref content @ ..] => {
                self.wire = content;
                self.in_record = usize::from(u16::from_be_bytes([high, low]));
                if self.in_record > MAX_RECORD { Err(Stop::Unreadable) } else { Ok(()) }
            }
            [] | [HANDSHAKE] | [HANDSHAKE, 3, ..] => Err(self.end_of_wire()),
            _ => Err(Stop::Unreadable),
        }
    }

    const fn end_of_wire(&self) -> Stop {
        match self.to_come {
            0 => Stop::Defect(HelloDefect::TooLarge),
            _ => Stop::NeedMore,
        }
    }
}

/// A part of a handshake message whose length is known and whose bytes are all there.
#[derive(Clone, Debug)]
pub(crate) struct Message<'a> {
    records: Records<'a>,
    left: usize,
}

impl<'a> Message<'a> {
    pub(crate) const fn len(&self) -> usize {
        self.left
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.left == 0
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Stop> {
        self.take(1)?;
        self.records.u8()
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Stop> {
        Ok(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    pub(crate) fn skip(&mut self, len: usize) -> Result<(), Stop> {
        self.take(len)?;
        self.records.pass(len, |_| {})
    }

    /// A vector with a length field of one byte (RFC 8446 section 3.4).
    pub(crate) fn vector8(&mut self) -> Result<Self, Stop> {
        let len = usize::from(self.u8()?);
        self.vector(len)
    }

    /// A vector with a length field of two bytes (RFC 8446 section 3.4).
    pub(crate) fn vector16(&mut self) -> Result<Self, Stop> {
        let len = usize::from(self.u16()?);
        self.vector(len)
    }

    /// All bytes that are left, as one piece.
    pub(crate) fn into_bytes(mut self) -> Result<Vec<u8>, Stop> {
        let mut bytes = Vec::with_capacity(self.left);
        self.records
            .pass(self.left, |run| bytes.extend_from_slice(run))?;
        Ok(bytes)
    }

    fn vector(&mut self, len: usize) -> Result<Self, Stop> {
        self.take(len)?;
        self.records.message(len)
    }

    fn take(&mut self, len: usize) -> Result<(), Stop> {
        self.left = self.left.checked_sub(len).ok_or(Stop::Unreadable)?;
        Ok(())
    }
}

/// `ContentType` handshake(22), RFC 8446 section 5.1.
const HANDSHAKE: u8 = 22;

/// 2^14 bytes of content, and what TLS 1.2 allowed on top for protection (RFC 5246 section 6.2.3):
/// the limit of common implementations, rustls among them, for every record.
const MAX_RECORD: usize = (1 << 14) + 2048;
