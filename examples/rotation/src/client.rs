//! The client: it connects as it is told on standard input, and reports.
//!
//! | command | what it does |
//! | --- | --- |
//! | `open N` | opens N connections that stay open, with a request every 100 ms |
//! | `burst N` | N new connections, one after the other; then a report |
//! | `run RATE` | RATE new connections a second until `stop`; then a report |
//! | `open?` | a report of the connections that stay open |

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use flags::WorkloadFlags;
use meshtls::connector::{ConnectError, Connector, Outbound};
use meshtls::{PoliciesFrom, Workload};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines, Stdin};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::report::{Calls, Held};

pub(crate) async fn call(port: u16, flags: &WorkloadFlags) -> Result<(), Box<dyn Error>> {
    let workload = flags
        .builder()?
        .services(PoliciesFrom::text("server.yaml", service(port)))
        .reporter(Arc::new(|report: &meshtls::source::Report<'_>| println!("{report}")))
        .start()?;
    let mut changes = workload
        .identity_changes()
        .ok_or("the identity is not renewed here")?;
    tokio::spawn(async move {
        loop {
            println!("generation {}", changes.next().await.generation());
        }
    });
    let connector = Arc::new(workload.connector());
    let open = Arc::new(Open::default());
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    println!("ready");
    while let Some(line) = input.next_line().await? {
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("open", count) => {
                for _ in 0..count.parse()? {
                    let stream = connect(&connector).await?;
                    tokio::spawn(stay(stream, Arc::clone(&open)));
                }
                println!("opened");
            }
            ("open?", _) => report(&open.report())?,
            ("burst", count) => {
                let mut tally = Tally::new();
                for _ in 0..count.parse()? {
                    tally.count(once(&connector).await);
                }
                tally.report(&workload)?;
            }
            ("run", rate) => {
                let tally = run(&connector, rate.parse()?, &mut input).await?;
                tally.report(&workload)?;
            }
            _ => return Err(format!("no command: {line}").into()),
        }
    }
    Ok(())
}

/// Connects `rate` times a second, whatever becomes of the connections, until the next line of `input`.
async fn run(
    connector: &Arc<Connector>,
    rate: u32,
    input: &mut Lines<BufReader<Stdin>>,
) -> Result<Tally, Box<dyn Error>> {
    let mut tally = Tally::new();
    let mut calls = JoinSet::new();
    let mut ticks = interval(Duration::from_secs(1) / rate.max(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let connector = Arc::clone(connector);
                calls.spawn(async move { once(&connector).await });
            }
            Some(called) = calls.join_next() => tally.count(called?),
            line = input.next_line() => {
                line?;
                break;
            }
        }
    }
    while let Some(called) = calls.join_next().await {
        tally.count(called?);
    }
    Ok(tally)
}

/// A new connection, a full handshake and one request.
async fn once(connector: &Connector) -> Result<(), Failure> {
    let call = async {
        let mut stream = connect(connector).await?;
        ping(&mut stream).await
    };
    tokio::time::timeout(DEADLINE, call)
        .await
        .unwrap_or_else(|elapsed| Err(Failure("timeout", elapsed.to_string())))
}

async fn connect(connector: &Connector) -> Result<impl AsyncPing + use<>, Failure> {
    match connector.connect(HOST, 7000).await {
        Ok(Outbound::Mesh(mesh)) => Ok(mesh.stream),
        Ok(other) => Err(Failure("not_mesh", format!("{other:?}"))),
        Err(error) => Err(error.into()),
    }
}

async fn ping(stream: &mut impl AsyncPing) -> Result<(), Failure> {
    let exchange = async {
        stream.write_all(b"ping\n").await?;
        stream.flush().await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await
    };
    // Only here a TLS 1.3 client learns that the server refused it.
    exchange
        .await
        .map(|_| ())
        .map_err(|error| Failure("broken", error.to_string()))
}

/// One of the connections that stay open.
async fn stay(mut stream: impl AsyncPing, open: Arc<Open>) {
    open.opened.fetch_add(1, Ordering::SeqCst);
    while ping(&mut stream).await.is_ok() {
        open.requests.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_millis(100)).await;
    }
    open.broken.fetch_add(1, Ordering::SeqCst);
}

/// What a connection is to this program.
trait AsyncPing: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static {}
impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static> AsyncPing for S {}

#[derive(Default)]
struct Open {
    opened: AtomicU32,
    broken: AtomicU32,
    requests: AtomicU64,
}

impl Open {
    fn report(&self) -> Held {
        Held {
            opened: self.opened.load(Ordering::SeqCst),
            broken: self.broken.load(Ordering::SeqCst),
            requests: self.requests.load(Ordering::SeqCst),
        }
    }
}

/// Connections by how they ended.
struct Tally {
    begun: Instant,
    calls: Calls,
}

impl Tally {
    fn new() -> Self {
        let failed = BTreeMap::new();
        let calls = Calls { good: 0, failed, example: None, seconds: 0.0, generation: None };
        Self { begun: Instant::now(), calls }
    }

    fn count(&mut self, called: Result<(), Failure>) {
        match called {
            Ok(()) => self.calls.good = self.calls.good.saturating_add(1),
            Err(Failure(reason, text)) => {
                let count = self.calls.failed.entry(reason.to_owned()).or_default();
                *count = count.saturating_add(1);
                self.calls.example.get_or_insert(text);
            }
        }
    }

    fn report(mut self, workload: &Workload) -> Result<(), Box<dyn Error>> {
        self.calls.seconds = self.begun.elapsed().as_secs_f64();
        self.calls.generation = workload
            .identity()
            .map(|snapshot| snapshot.generation())
            .ok();
        report(&self.calls)
    }
}

fn report(report: &impl Serialize) -> Result<(), Box<dyn Error>> {
    println!("report {}", serde_json::to_string(report)?);
    Ok(())
}

/// A stable label, and the sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}: {1}")]
struct Failure(&'static str, String);

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self(error.reason(), meshtls::rustls::WithCauses(&error).to_string())
    }
}

fn service(port: u16) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{ name: server, namespace: default }}\nspec:\n  \
         hosts: [{HOST}]\n  location: MESH_INTERNAL\n  resolution: STATIC\n  \
         ports: [{{ number: 7000, name: tcp, protocol: TCP }}]\n  \
         endpoints:\n  - address: 127.0.0.1\n    ports: {{ tcp: {port} }}\n    serviceAccount: server\n"
    )
}

const HOST: &str = "server.default.svc.cluster.local";
const DEADLINE: Duration = Duration::from_secs(10);
