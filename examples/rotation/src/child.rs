//! One of the two processes, as the conductor sees it: lines in, lines out. It ends with the value, by its pid.

use std::error::Error;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child as Process, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

pub(crate) struct Child {
    process: Process,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this program anew in the role `role`.
    pub(crate) fn start(role: &[&str], identity: &[&Path]) -> Result<Self, Box<dyn Error>> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(role)
            .args(identity)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a child without pipes".into());
        };
        Ok(Self { process, input, output: BufReader::new(output).lines() })
    }

    /// Tells it to do something.
    pub(crate) async fn tell(&mut self, command: &str) -> Result<(), Box<dyn Error>> {
        self.input
            .write_all(format!("{command}\n").as_bytes())
            .await?;
        Ok(self.input.flush().await?)
    }

    /// Waits for a line that begins with `prefix`, and gives the rest of it. Other lines are passed over.
    pub(crate) async fn wait_for(&mut self, prefix: &str) -> Result<String, Box<dyn Error>> {
        let wait = async {
            while let Some(line) = self.output.next_line().await? {
                if let Some(rest) = line.strip_prefix(prefix) {
                    return Ok(rest.to_owned());
                }
            }
            Err(format!("a child ended before it said `{prefix}`").into())
        };
        timeout(PATIENCE, wait)
            .await
            .map_err(|elapsed| format!("a child did not say `{prefix}` in time: {elapsed}"))?
    }

    /// Waits for a report.
    pub(crate) async fn report<T: DeserializeOwned>(&mut self) -> Result<T, Box<dyn Error>> {
        Ok(serde_json::from_str(&self.wait_for("report ").await?)?)
    }

    /// The generation of the identity that it told of last.
    pub(crate) async fn last_generation(&mut self) -> Result<u64, Box<dyn Error>> {
        let mut last = 0;
        // What it said until now is there already.
        while let Ok(line) = timeout(Duration::from_millis(200), self.output.next_line()).await {
            let line = line?.ok_or("a child ended")?;
            if let Some(generation) = line.strip_prefix("generation ") {
                last = generation.parse()?;
            }
        }
        Ok(last)
    }

    /// Tells it to end, and waits for that.
    pub(crate) async fn end(mut self) -> Result<(), Box<dyn Error>> {
        drop(self.input);
        timeout(PATIENCE, self.process.wait()).await??;
        Ok(())
    }
}

/// How long the conductor waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);
