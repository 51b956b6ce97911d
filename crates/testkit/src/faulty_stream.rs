//! A stream that is cut into pieces, slowed down, or broken off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Wraps a stream, and makes it as bad as networks are. Without faults it changes nothing.
#[derive(Debug)]
pub struct FaultyStream<S> {
    inner: S,
    reading: Direction,
    writing: Direction,
}

/// How one direction of a stream is spoiled.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Faults {
    /// At most so many bytes in one read or write. Zero counts as one.
    pub chunk: Option<usize>,
    /// A wait before each read or write. Under tokio's paused clock it takes no time.
    pub delay: Option<Duration>,
    /// What happens after so many bytes.
    pub end: Option<(u64, Ending)>,
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a stream ends in order or not")]
pub enum Ending {
    /// In order: a read gives nothing, a write fails with `BrokenPipe`.
    Closed,
    /// With a reset: both fail with `ConnectionReset`.
    Reset,
}

impl Faults {
    /// Cuts everything into pieces of at most `bytes`.
    #[must_use]
    pub fn chunks(bytes: usize) -> Self {
        Self { chunk: Some(bytes), ..Self::default() }
    }

    /// Ends after `bytes`.
    #[must_use]
    pub fn ending(bytes: u64, end: Ending) -> Self {
        Self { end: Some((bytes, end)), ..Self::default() }
    }

    /// Waits before each read or write.
    #[must_use]
    pub fn with_delay(self, delay: Duration) -> Self {
        Self { delay: Some(delay), ..self }
    }
}

impl<S> FaultyStream<S> {
    /// Spoils what is read from, and what is written to, `inner`.
    #[must_use]
    pub fn new(inner: S, reading: Faults, writing: Faults) -> Self {
        Self { inner, reading: Direction::new(reading), writing: Direction::new(writing) }
    }

    /// The stream inside.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FaultyStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { inner, reading, .. } = self.get_mut();
        let room = match ready!(reading.poll_room(context, buffer.remaining())) {
            Ok(room) => room,
            Err(Ending::Closed) => return Poll::Ready(Ok(())),
            Err(Ending::Reset) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        };
        let mut bytes = vec![0; room];
        let mut piece = ReadBuf::new(&mut bytes);
        ready!(Pin::new(inner).poll_read(context, &mut piece))?;
        reading.moved(piece.filled().len());
        buffer.put_slice(piece.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FaultyStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { inner, writing, .. } = self.get_mut();
        let room = match ready!(writing.poll_room(context, bytes.len())) {
            Ok(room) => room,
            Err(Ending::Closed) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Err(Ending::Reset) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        };
        let piece = bytes.get(..room).unwrap_or(bytes);
        let written = ready!(Pin::new(inner).poll_write(context, piece))?;
        writing.moved(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

/// One direction: its faults, and how far it is.
#[derive(Debug)]
struct Direction {
    faults: Faults,
    moved: u64,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Direction {
    fn new(faults: Faults) -> Self {
        Self { faults, moved: 0, waiting: None }
    }

    /// How many of `wanted` bytes may move now, after the delay.
    fn poll_room(
        &mut self,
        context: &mut Context<'_>,
        wanted: usize,
    ) -> Poll<Result<usize, Ending>> {
        if let Some(delay) = self.faults.delay {
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(delay)));
            ready!(waiting.as_mut().poll(context));
        }
        let room = wanted.min(self.faults.chunk.unwrap_or(usize::MAX).max(1));
        Poll::Ready(match self.faults.end {
            None => Ok(room),
            Some((end, how)) => match end.saturating_sub(self.moved) {
                0 => Err(how),
                left => Ok(room.min(usize::try_from(left).unwrap_or(usize::MAX))),
            },
        })
    }

    fn moved(&mut self, bytes: usize) {
        self.moved = self
            .moved
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.waiting = None;
    }
}
