//! The listener: order of completion, bounds, errors of accept, overload and shutdown.

#![expect(clippy::unwrap_used, reason = "helpers of a test end it by a panic")]

mod common;

use std::{
    future::{Future, pending},
    io,
    net::SocketAddr,
    time::Duration,
};

use meshtls_acceptor::{AcceptorBuilder, Inbound, Incoming, Listener, PortProtocol, Ready};
use meshtls_policy::MtlsMode::{self, Permissive, Strict};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use PortProtocol::{Auto, Tcp};
use common::{
    CLIENT, Server, ca,
    client::{Client, Saw, ending, with_svid},
    identity, profile, profiles,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

/// Gives what it is told to, errors included, then waits for ever.
struct Script(mpsc::UnboundedReceiver<io::Result<DuplexStream>>);

impl Incoming for Script {
    type Io = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, Option<SocketAddr>)> {
        match self.0.recv().await {
            Some(next) => next.map(|io| (io, None)),
            None => pending().await,
        }
    }
}

struct Fixture {
    server: Server,
    listener: Listener<DuplexStream>,
    script: mpsc::UnboundedSender<io::Result<DuplexStream>>,
}

impl Fixture {
    fn new(
        mode: MtlsMode,
        tune: impl FnOnce(AcceptorBuilder<Ready>) -> AcceptorBuilder<Ready>,
    ) -> Self {
        let ca = ca();
        let server = Server::with(&profile(), identity(&ca, ca.bundles()), mode, Auto, tune);
        let (script, next) = mpsc::unbounded_channel();
        let listener = Listener::spawn(server.acceptor.clone(), Script(next));
        Self { server, listener, script }
    }

    /// A new connection's near end.
    fn connect(&self) -> DuplexStream {
        let (near, far) = duplex(1 << 16);
        self.script.send(Ok(far)).unwrap();
        near
    }

    fn fail(&self, code: i32) {
        self.script
            .send(Err(io::Error::from_raw_os_error(code)))
            .unwrap();
    }

    async fn accept(&mut self) -> Inbound<DuplexStream> {
        timeout(60 * SECOND, self.listener.accept())
            .await
            .unwrap()
            .unwrap()
    }
}

async fn nothing<T: std::fmt::Debug>(future: impl Future<Output = T>) {
    let result = timeout(Duration::from_millis(1), future).await;
    assert!(result.is_err(), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn connections_come_in_the_order_in_which_they_are_ready() {
    let mut fixture = Fixture::new(Permissive, |builder| builder);
    let mut slow = fixture.connect();
    let mut fast = fixture.connect();
    nothing(fixture.listener.accept()).await;
    fast.write_all(b"GET /fast HTTP/1.1\r\n\r\n").await.unwrap();
    let first = fixture.accept().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\n\r\n").await.unwrap();
    let second = fixture.accept().await;
    for (inbound, want) in [(first, "GET /fast"), (second, "GET /slow")] {
        let mut text = vec![0; want.len()];
        inbound.into_stream().read_exact(&mut text).await.unwrap();
        assert_eq!(text, want.as_bytes());
    }
}

/// A thousand that say nothing, and hellos of one byte per second, hold up nobody.
#[tokio::test(start_paused = true)]
async fn slow_peers_hold_up_nobody() {
    let mut fixture = Fixture::new(Permissive, |builder| builder);
    let silent: Vec<_> = (0..1000).map(|_| fixture.connect()).collect();
    for mut loris in (0..100).map(|_| fixture.connect()) {
        tokio::spawn(async move {
            for byte in [0x16, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3].into_iter().cycle() {
                if loris.write_all(&[byte]).await.is_err() {
                    return;
                }
                sleep(SECOND).await;
            }
        });
    }
    sleep(5 * SECOND).await;
    let start = Instant::now();
    let mut honest = fixture.connect();
    honest.write_all(GET).await.unwrap();
    assert!(matches!(fixture.accept().await, Inbound::Plaintext(_)));
    assert_eq!(start.elapsed(), Duration::ZERO);

    // All of them are gone after their deadline, and their places are free.
    fixture.server.heard.wait_for(1101).await;
    let labels = fixture.server.heard.labels();
    let count = |label| labels.iter().filter(|seen| **seen == label).count();
    assert_eq!((count("silent"), count("incomplete_hello"), count("plaintext")), (1000, 100, 1));
    assert_eq!(start.elapsed().as_secs(), 5);
    drop(silent);
}

/// More silent connections than there may be: the oldest give way, so the next honest one is served at once.
#[tokio::test(start_paused = true)]
async fn a_flood_of_silent_connections() {
    let mut fixture = Fixture::new(Permissive, |builder| builder.max_pending(50));
    let silent: Vec<_> = (0..1000).map(|_| fixture.connect()).collect();
    let mut honest = fixture.connect();
    honest.write_all(GET).await.unwrap();
    let start = Instant::now();
    assert!(matches!(fixture.accept().await, Inbound::Plaintext(_)));
    assert_eq!(start.elapsed(), Duration::ZERO);
    fixture.server.heard.wait_for(1001).await;
    let labels = fixture.server.heard.labels();
    let overloaded = labels
        .iter()
        .filter(|label| **label == "overloaded")
        .count();
    assert!((950..=951).contains(&overloaded), "{overloaded}");
    drop(silent);
}

/// Hellos whose clients then say nothing take all handshakes; an honest client waits little more than a second.
#[tokio::test(start_paused = true)]
async fn a_flood_of_stalled_handshakes() {
    let ca = ca();
    for (provider, profile) in profiles() {
        let server = Server::with(&profile, identity(&ca, ca.bundles()), Strict, Tcp, |builder| {
            builder.max_handshakes(4)
        });
        let svid = ca.svid(CLIENT);
        let mut stalled = Vec::new();
        for _ in 0..4 {
            let (near, far) = duplex(1 << 16);
            let mut client = Client::new(&profile, near, with_svid(&svid, &["istio"]));
            let acceptor = server.acceptor.clone();
            tokio::spawn(async move { acceptor.accept(far, None).await });
            // Sends its hello and no more.
            client.hello().await;
            stalled.push(client);
        }
        tokio::task::yield_now().await;
        let (near, far) = duplex(1 << 16);
        let mut honest = Client::new(&profile, near, with_svid(&svid, &["istio"]));
        let start = Instant::now();
        let (inbound, shaken) = tokio::join!(server.acceptor.accept(far, None), honest.handshake());
        shaken.unwrap();
        assert!(matches!(inbound, Ok(Inbound::Mesh(_))), "{provider}: {inbound:?}");
        assert!(start.elapsed() < 2 * SECOND, "{provider}: {:?}", start.elapsed());
        assert_eq!(server.heard.labels(), ["overloaded", "mesh"], "{provider}");
    }
}

/// The loop survives whatever accept says, reports an episode once, and goes on as soon as it can.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn errors_of_accept() {
    const EINTR: i32 = 4;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ECONNABORTED: i32 = if cfg!(target_os = "linux") { 103 } else { 53 };
    const ENOBUFS: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };

    let mut fixture = Fixture::new(Permissive, |builder| builder);
    for code in [EMFILE, ENFILE, ECONNABORTED, EINTR, ENOBUFS] {
        fixture.fail(code);
        let mut client = fixture.connect();
        client.write_all(GET).await.unwrap();
        let start = Instant::now();
        assert!(matches!(fixture.accept().await, Inbound::Plaintext(_)), "after error {code}");
        assert!(
            start.elapsed() < Duration::from_millis(5),
            "after error {code}: {:?}",
            start.elapsed()
        );
    }
    assert_eq!(fixture.server.heard.accept_failures().len(), 1, "one episode");
    sleep(10 * SECOND).await;
    fixture.fail(EMFILE);
    let mut client = fixture.connect();
    client.write_all(GET).await.unwrap();
    fixture.accept().await;
    assert_eq!(fixture.server.heard.accept_failures().len(), 2, "another episode");
}

/// An error that does not go away costs no CPU: the pauses grow to half a second.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn an_outage_of_accept() {
    let mut fixture = Fixture::new(Permissive, |builder| builder);
    for _ in 0..100 {
        fixture.fail(24);
    }
    let mut client = fixture.connect();
    client.write_all(GET).await.unwrap();
    let start = Instant::now();
    fixture.accept().await;
    let seconds = start.elapsed().as_secs();
    assert!((45..50).contains(&seconds), "{seconds} s for 100 errors");
    assert_eq!(fixture.server.heard.accept_failures().len(), 1);
}

/// Without descriptors, the oldest silent connection gives up its own.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn out_of_descriptors() {
    let fixture = Fixture::new(Permissive, |builder| builder);
    let (mut first, _second) = (fixture.connect(), fixture.connect());
    sleep(Duration::from_millis(10)).await;
    fixture.fail(24);
    assert_eq!(ending(&mut first).await, Saw::Closed);
    assert_eq!(fixture.server.heard.labels(), ["overloaded"]);
}

/// Nobody takes the connections: no more are accepted than may wait.
#[tokio::test(start_paused = true)]
async fn an_application_that_does_not_take_its_connections() {
    let mut fixture = Fixture::new(Permissive, |builder| builder);
    let mut clients = Vec::new();
    for _ in 0..200 {
        let mut client = fixture.connect();
        client.write_all(GET).await.unwrap();
        clients.push(client);
        sleep(Duration::from_millis(1)).await;
    }
    let accepted = fixture.server.heard.all().len();
    assert!((64..=66).contains(&accepted), "{accepted}");
    for _ in 0..200 {
        fixture.accept().await;
    }
    assert_eq!(fixture.server.heard.all().len(), 200);
}

/// What is on its way at a shutdown becomes ready within the grace, and what does not is reset at its end.
#[tokio::test(start_paused = true)]
async fn shutdown_with_a_hard_deadline() {
    let mut fixture = Fixture::new(Permissive, |builder| builder);
    let mut in_time = fixture.connect();
    let mut late = fixture.connect();
    sleep(SECOND).await;
    let start = Instant::now();
    fixture.listener.shutdown().begin(5 * SECOND);
    sleep(Duration::from_millis(1)).await;
    assert!(fixture.script.is_closed(), "nothing is accepted any more");
    sleep(4 * SECOND).await;
    in_time.write_all(GET).await.unwrap();
    assert!(matches!(fixture.accept().await, Inbound::Plaintext(_)));
    assert!(fixture.listener.accept().await.is_none());
    assert_eq!(start.elapsed().as_secs(), 5);
    assert_eq!(ending(&mut late).await, Saw::Closed);
    assert_eq!(fixture.server.heard.labels(), ["plaintext", "shutting_down"]);
}

/// A second shutdown brings the deadline forward, never back.
#[tokio::test(start_paused = true)]
async fn shutdown_can_be_hurried() {
    for (second, want) in [(1, 1), (100, 9)] {
        let mut fixture = Fixture::new(Permissive, |builder| builder);
        let _silent = fixture.connect();
        sleep(Duration::from_millis(1)).await;
        let start = Instant::now();
        let shutdown = fixture.listener.shutdown();
        shutdown.begin(9 * SECOND);
        sleep(Duration::from_millis(1)).await;
        shutdown.begin(second * SECOND);
        assert!(fixture.listener.accept().await.is_none());
        assert_eq!(start.elapsed().as_secs(), want);
    }
}

/// What is ready and not taken does not hold up a shutdown.
#[tokio::test(start_paused = true)]
async fn shutdown_with_a_full_queue() {
    let mut fixture = Fixture::new(Permissive, |builder| builder);
    let mut clients: Vec<_> = (0..64).map(|_| fixture.connect()).collect();
    sleep(Duration::from_millis(1)).await;
    for client in &mut clients {
        client.write_all(GET).await.unwrap();
    }
    sleep(Duration::from_millis(1)).await;
    fixture.listener.shutdown().begin(SECOND);
    sleep(2 * SECOND).await;
    let mut taken = 0;
    while fixture.listener.accept().await.is_some() {
        taken += 1;
    }
    assert_eq!(taken, 64);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_listener_closes_everything() {
    let fixture = Fixture::new(Permissive, |builder| builder);
    let mut silent = fixture.connect();
    let mut ready = fixture.connect();
    ready.write_all(GET).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    drop(fixture.listener);
    assert_eq!(ending(&mut silent).await, Saw::Closed);
    assert_eq!(ending(&mut ready).await, Saw::Closed);
    assert!(fixture.script.is_closed());
    let mut labels = fixture.server.heard.labels();
    labels.sort_unstable();
    assert_eq!(labels, ["cancelled", "plaintext"]);
}

/// Dropping the future of `accept` again and again loses nothing.
#[tokio::test(start_paused = true)]
async fn accept_is_cancel_safe() {
    let mut fixture = Fixture::new(Permissive, |builder| builder);
    let mut clients: Vec<_> = (0..20).map(|_| fixture.connect()).collect();
    let mut taken = 0;
    for client in &mut clients {
        client.write_all(GET).await.unwrap();
        while timeout(Duration::ZERO, fixture.listener.accept())
            .await
            .is_ok()
        {
            taken += 1;
        }
    }
    while taken < 20 {
        if timeout(Duration::from_micros(10), fixture.listener.accept())
            .await
            .is_ok()
        {
            taken += 1;
        }
    }
    nothing(fixture.listener.accept()).await;
}

/// Over real sockets: silent ones, resets, and honest clients in between.
#[tokio::test]
async fn over_tcp() {
    for (provider, profile) in profiles() {
        let ca = ca();
        let svid = ca.svid(CLIENT);
        let server = Server::new_with_profile(&profile, &ca, Permissive, Auto);
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let mut listener = Listener::spawn(server.acceptor.clone(), socket);
        let mut silent = Vec::new();
        for round in 0..20 {
            let name = format!("round {round} with {provider}");
            for _ in 0..5 {
                silent.push(TcpStream::connect(address).await.unwrap());
            }
            let reset = TcpStream::connect(address).await.unwrap();
            reset.set_zero_linger().unwrap();
            drop(reset);
            let mut honest = Client::new(
                &profile,
                TcpStream::connect(address).await.unwrap(),
                with_svid(&svid, &["istio"]),
            );
            let from = honest.io.local_addr().unwrap();
            let (inbound, shaken) =
                tokio::join!(timeout(10 * SECOND, listener.accept()), honest.handshake());
            shaken.unwrap();
            let inbound = inbound.unwrap().unwrap();
            assert_eq!(inbound.connection().peer_addr(), Some(from), "{name}");
            let Inbound::Mesh(mut mesh) = inbound else { panic!("{name}: {inbound:?}") };
            mesh.stream.write_all(b"hello").await.unwrap();
            mesh.stream.flush().await.unwrap();
            assert_eq!(honest.receive(5).await.unwrap(), b"hello");
        }
    }
}
