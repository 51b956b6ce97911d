//! The client outside the mesh where `curl` is not installed: plain HTTP/1.1 over TCP, curl's exit codes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

/// curl's exit codes: malformed URL, connect failed, nothing came back, receiving failed.
const MALFORMED_URL: u8 = 3;
const CONNECT: u8 = 7;
const EMPTY_REPLY: u8 = 52;
const RECEIVE: u8 = 56;

/// Sends one request and prints the status code, or `000` and curl's exit code for what went wrong.
pub(crate) fn run(url: &str, head: bool) -> ExitCode {
    match request(url, head) {
        Ok(status) => {
            print!("\n{status}");
            ExitCode::SUCCESS
        }
        Err(code) => {
            print!("\n000");
            ExitCode::from(code)
        }
    }
}

fn request(url: &str, head: bool) -> Result<String, u8> {
    let (authority, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or(MALFORMED_URL)?;
    let address: SocketAddr = authority.parse().map_err(|_not_an_address| MALFORMED_URL)?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(|_refused| CONNECT)?;
    stream
        .set_read_timeout(Some(TIMEOUT))
        .map_err(|_unset| RECEIVE)?;
    let method = if head { "HEAD" } else { "GET" };
    write!(stream, "{method} /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n")
        .map_err(|_broken| RECEIVE)?;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    match (text.split_whitespace().nth(1), read) {
        (Some(status), _) if text.starts_with("HTTP/1.1 ") => Ok(status.to_owned()),
        (_, Err(error)) if error.kind() == ErrorKind::ConnectionReset => Err(RECEIVE),
        (_, Err(_broken)) => Err(RECEIVE),
        (_, Ok(_)) => Err(EMPTY_REPLY),
    }
}

const TIMEOUT: Duration = Duration::from_secs(5);
