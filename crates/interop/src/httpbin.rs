//! A running `httpbin`: the real program, built here, in a process of its own.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use crate::built;

/// A running `httpbin`. Dropping it ends the process, by its pid.
#[derive(Debug)]
pub struct Httpbin {
    child: Child,
    listeners: Vec<SocketAddr>,
    admin: SocketAddr,
}

impl Httpbin {
    /// The program with an admin port on loopback; what else it needs is for the caller to add.
    ///
    /// # Panics
    ///
    /// If it cannot be built.
    #[must_use]
    pub fn command() -> Command {
        let mut command = Command::new(built("httpbin"));
        command.args(["--admin", "127.0.0.1:0"]);
        command
    }

    /// Starts `command` and waits until it says that it is ready.
    ///
    /// # Panics
    ///
    /// If it does not start, or is not ready within a minute.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let lines = child.stdout.take().map(lines_of);
        // From here on a panic ends the process as well.
        let mut httpbin =
            Self { child, listeners: Vec::new(), admin: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let Some(lines) = lines else { panic!("{command:?} has no standard output") };
        loop {
            let line = lines
                .recv_timeout(READY)
                .unwrap_or_else(|error| panic!("{command:?} is not ready: {error}"));
            if let Some(rest) = line.strip_prefix("listening on ") {
                httpbin.listeners.push(address(rest));
            } else if let Some(rest) = line.strip_prefix("admin on ") {
                httpbin.admin = address(rest);
                return httpbin;
            }
        }
    }

    /// Where each `--listen` listens, in their order.
    #[must_use]
    pub fn listeners(&self) -> &[SocketAddr] {
        &self.listeners
    }

    /// Where its admin routes are.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }
}

impl Drop for Httpbin {
    fn drop(&mut self) {
        // It may have ended by itself; its test has noticed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The address at the beginning of `text`.
fn address(text: &str) -> SocketAddr {
    text.split(' ')
        .next()
        .unwrap_or_default()
        .parse()
        .unwrap_or_else(|error| panic!("`{text}` begins with no address: {error}"))
}

/// Reads the lines of a child to their end, so that its pipe never fills.
fn lines_of(output: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Nobody listens once the server is ready; reading goes on all the same.
            drop(sender.send(line));
        }
    });
    receiver
}

const READY: Duration = Duration::from_secs(60);
