//! A listener: accepts connections side by side and hands them out as they become ready.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    acceptor::{Acceptor, Stop},
    backoff::Backoff,
    inbound::Inbound,
    transport::Transport,
};

/// Where connections come from.
pub trait Incoming: Send + 'static {
    /// A connection.
    type Io: Transport;

    /// Waits for the next connection, and gives it with the address of its other end, if it has one.
    ///
    /// An error is taken for a passing one: the listener pauses for a moment and asks again.
    ///
    /// # Cancel safety
    ///
    /// It must be cancel safe: dropping the future must not lose a connection.
    fn accept(&mut self)
    -> impl Future<Output = io::Result<(Self::Io, Option<SocketAddr>)>> + Send;
}

impl Incoming for TcpListener {
    type Io = TcpStream;

    /// Sets `TCP_NODELAY`, as Envoy does.
    async fn accept(&mut self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        let (stream, peer_addr) = Self::accept(self).await?;
        // A peer that is gone already shows up on the first read.
        stream.set_nodelay(true).ok();
        Ok((stream, Some(peer_addr)))
    }
}

/// Accepts connections in tasks of its own, and hands out each as soon as it is ready: a slow peer holds up no other.
///
/// At most 64 ready connections wait to be taken; then no new ones are accepted until some are. Dropping the listener
/// closes it, and everything that was not taken.
pub struct Listener<IO = TcpStream> {
    ready: mpsc::Receiver<Inbound<IO>>,
    shutdown: Shutdown,
}

impl<IO: Transport> Listener<IO> {
    /// Spawns the tasks that accept the connections of `incoming`, on the current tokio runtime.
    ///
    /// # Panics
    ///
    /// If there is no current runtime.
    pub fn spawn(acceptor: Acceptor, incoming: impl Incoming<Io = IO>) -> Self {
        let (sender, ready) = mpsc::channel(READY);
        let (deadline, shutdown) = watch::channel(None);
        tokio::spawn(run(acceptor, incoming, sender, shutdown));
        Self { ready, shutdown: Shutdown { deadline: Arc::new(deadline) } }
    }

    /// Waits for the next connection that is ready. `None` after a [`Shutdown`], when all were handed out.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a connection is handed out once and never lost.
    pub async fn accept(&mut self) -> Option<Inbound<IO>> {
        self.ready.recv().await
    }

    /// As [`accept`](Self::accept), for hand-written futures and streams.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Inbound<IO>>> {
        self.ready.poll_recv(cx)
    }

    /// A handle by which the listener can be shut down from elsewhere.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }
}

impl<IO> fmt::Debug for Listener<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("ready", &self.ready.len())
            .finish_non_exhaustive()
    }
}

/// Shuts a [`Listener`] down.
#[derive(Clone, Debug)]
pub struct Shutdown {
    deadline: Arc<watch::Sender<Option<Instant>>>,
}

impl Shutdown {
    /// Closes the listening socket at once and lets connections that are on their way become ready for `grace` more; what is
    /// left then is reset and reported as `shutting_down`. A second call can only bring the deadline forward.
    pub fn begin(&self, grace: Duration) {
        let now = Instant::now();
        let asked = now.checked_add(grace).unwrap_or(now);
        self.deadline
            .send_modify(|deadline| *deadline = Some(deadline.map_or(asked, |set| set.min(asked))));
    }
}

/// The accept loop. It ends after a shutdown, or when nobody can take a connection any more.
async fn run<I: Incoming>(
    acceptor: Acceptor,
    mut incoming: I,
    ready: mpsc::Sender<Inbound<I::Io>>,
    mut shutdown: watch::Receiver<Option<Instant>>,
) {
    let (stop, stopped) = watch::channel(false);
    // Dropping it ends its tasks.
    let mut tasks = JoinSet::new();
    let mut backoff = Backoff::default();
    let mut pause = None;
    loop {
        tokio::select! {
            biased;
            asked = shutdown.wait_for(Option::is_some) => match asked {
                Ok(_) => break,
                Err(_listener_dropped) => return,
            },
            () = ready.closed() => return,
            Some(_done) = tasks.join_next() => {},
            next = next(&mut incoming, &ready, pause) => match next {
                Ok((io, peer_addr)) => {
                    backoff.succeeded();
                    pause = None;
                    tasks.spawn(accept(acceptor.clone(), io, peer_addr, ready.clone(), Stop::when(stopped.clone())));
                },
                Err(error) => pause = Some(after(&error, &acceptor, &mut backoff)),
            },
        }
    }

    drop(incoming);
    while !tasks.is_empty() {
        let deadline = shutdown.borrow_and_update().unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            () = ready.closed() => return,
            Some(_done) = tasks.join_next() => {},
            () = sleep_until(deadline), if !*stop.borrow() => {
                stop.send_replace(true);
            },
            _brought_forward = shutdown.changed() => {},
        }
    }
}

/// The next connection, when there is room for it and the pause is over. Cancel safe.
async fn next<I: Incoming>(
    incoming: &mut I,
    ready: &mpsc::Sender<Inbound<I::Io>>,
    pause: Option<Instant>,
) -> io::Result<(I::Io, Option<SocketAddr>)> {
    // Those that are ready and wait for room come first. A closed channel is seen by the caller.
    drop(ready.reserve().await.ok());
    if let Some(pause) = pause {
        sleep_until(pause).await;
    }
    incoming.accept().await
}

/// Takes one connection to its end.
async fn accept<IO: Transport>(
    acceptor: Acceptor,
    io: IO,
    peer_addr: Option<SocketAddr>,
    ready: mpsc::Sender<Inbound<IO>>,
    mut stop: Stop,
) {
    // A refusal has been reported, and the connection closed.
    let Ok(inbound) = acceptor.accept_until(io, peer_addr, &mut stop).await else { return };
    tokio::select! {
        biased;
        room = ready.reserve() => {
            if let Ok(room) = room {
                room.send(inbound);
            }
        },
        () = stop.requested() => {},
    }
}

/// Until when to pause after `error`.
fn after(error: &io::Error, acceptor: &Acceptor, backoff: &mut Backoff) -> Instant {
    let now = Instant::now();
    let pause = backoff.failed(now);
    if pause.report
        && let Some(observer) = acceptor.observer()
    {
        observer.accept_failed(error);
    }
    if is_out_of_descriptors(error) {
        // A client that has said nothing yet gives its descriptor to one that may speak.
        acceptor.shed_oldest();
    }
    now.checked_add(pause.length).unwrap_or(now)
}

/// `EMFILE` or `ENFILE`; [`io::ErrorKind`] has no name for them.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    // The same numbers on Linux, macOS and the BSDs.
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

const READY: usize = 64;
