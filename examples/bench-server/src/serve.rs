//! As little HTTP/1.1 as the load generator needs.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Answers requests until the client is done.
pub(crate) async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return stream.shutdown().await;
        }
        while let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            if head.starts_with(b"GET /bytes") {
                return endless(stream).await;
            }
            if head.starts_with(b"POST /sink") {
                return swallow(stream).await;
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                .await?;
            stream.flush().await?;
            head.drain(..end.saturating_add(4));
        }
        if head.len() > MAX_HEAD {
            return Err(io::Error::other("the request's head is too large"));
        }
        if head.is_empty() {
            // An idle connection keeps no buffer.
            head = Vec::new();
        }
    }
}

async fn endless(mut stream: impl AsyncWrite + Unpin) -> io::Result<()> {
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n")
        .await?;
    let zeros = vec![0; BULK];
    loop {
        stream.write_all(&zeros).await?;
    }
}

async fn swallow(mut stream: impl AsyncRead + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; BULK];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

const MAX_HEAD: usize = 16 * 1024;
const BULK: usize = 64 * 1024;
