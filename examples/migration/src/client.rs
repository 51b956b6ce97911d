//! The clients of the story: one child process for each request.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// What one request came to: the client's status line and exit code, nothing interpreted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// The HTTP status, `000` when there was none.
    pub(crate) status: String,
    /// What came before it: the body.
    pub(crate) body: String,
    /// The exit code of the client's process.
    pub(crate) exit: i32,
    /// What the client wrote to standard error.
    pub(crate) complaint: String,
}

impl Cell {
    fn read(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout);
        let (body, status) = text.rsplit_once('\n').unwrap_or(("", &text));
        Self {
            status: status.to_owned(),
            body: body.to_owned(),
            exit: output.status.code().unwrap_or(-1),
            complaint: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }
    }

    /// Status and exit code as the expected tables write them, such as `200` or `000 exit 56`.
    pub(crate) fn outcome(&self) -> String {
        match self.exit {
            0 => self.status.clone(),
            code => format!("{} exit {code}", self.status),
        }
    }
}

/// As the task's shell loop prints it: the status, then a line for an exit code other than 0.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.status)?;
        match self.exit {
            0 => Ok(()),
            code => write!(f, "\ncommand terminated with exit code {code}"),
        }
    }
}

/// The method of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
}

/// A client outside the mesh: it knows no identity and speaks plaintext.
pub(crate) enum Legacy {
    /// The real curl, at this path.
    Curl(PathBuf),
    /// This program, as its own legacy client.
    BuiltIn(PathBuf),
}

impl Legacy {
    /// Takes `curl` from the search path, or stands in for it.
    pub(crate) fn find() -> io::Result<Self> {
        let curl = Command::new("curl")
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match curl {
            Ok(status) if status.success() => Ok(Self::Curl(PathBuf::from("curl"))),
            _ => Ok(Self::BuiltIn(std::env::current_exe()?)),
        }
    }

    /// Who answers, for the first line of the story.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Curl(_) => "curl",
            Self::BuiltIn(_) => "built-in (curl is not installed)",
        }
    }

    /// Sends one plaintext request.
    pub(crate) fn request(&self, method: Method, url: &str) -> io::Result<Cell> {
        let mut command = match self {
            Self::Curl(path) => {
                let mut curl = Command::new(path);
                curl.args(["--silent", "--max-time", "5", "--write-out", STATUS]);
                curl
            }
            Self::BuiltIn(path) => {
                let mut client = Command::new(path);
                client.arg("legacy-client");
                client
            }
        };
        if method == Method::Head {
            command.arg("--head");
        }
        Ok(Cell::read(&command.arg(url).output()?))
    }
}

/// A client inside the mesh: `meshcurl` with an identity.
pub(crate) struct MeshClient {
    pub(crate) program: PathBuf,
    pub(crate) namespace: &'static str,
    pub(crate) trust_domain: &'static str,
    pub(crate) ca_dir: PathBuf,
    pub(crate) policies: PathBuf,
    pub(crate) services: PathBuf,
}

impl MeshClient {
    /// Sends one request to a service of the mesh.
    pub(crate) fn request(&self, method: Method, url: &str) -> io::Result<Cell> {
        let mut command = Command::new(&self.program);
        command
            .args([
                "--namespace",
                self.namespace,
                "--service-account",
                "curl",
                "--trust-domain",
                self.trust_domain,
            ])
            .arg("--ca-dir")
            .arg(&self.ca_dir)
            .arg("--policies")
            .arg(&self.policies)
            .arg("--services")
            .arg(&self.services)
            .args(["--silent", "--show-error", "--max-time", "5", "--write-out", STATUS]);
        if method == Method::Head {
            command.arg("--head");
        }
        Ok(Cell::read(&command.arg(url).output()?))
    }
}

/// The status on a line of its own, behind the body.
const STATUS: &str = "\\n%{http_code}";
