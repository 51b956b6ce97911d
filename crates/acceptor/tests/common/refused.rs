//! A connection that must be refused, over a real socket.

use std::{future::Future, mem::discriminant, time::Duration};

use meshtls_acceptor::Refusal;
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use super::{
    PORT, Server,
    client::{Saw, saw},
    tcp_pair,
};

/// Accepts one connection that must be refused, and checks that the one event says the same as the error.
pub(crate) async fn refused(server: &Server, io: TcpStream) -> Refusal {
    let peer_addr = io.peer_addr().unwrap();
    let refusal = server.acceptor.accept(io, peer_addr).await.unwrap_err();
    let heard = server.heard.only();
    assert!(!heard.accepted);
    assert_eq!(heard.refused, Some(discriminant(&refusal)));
    assert_eq!(heard.label, refusal.reason());
    assert_eq!(heard.peer_addr, Some(peer_addr));
    assert_eq!(heard.port, PORT);
    assert_eq!(heard.winner, "mesh policy istio-system/default");
    refusal
}

/// A server that is refusing `client`, and what became of both.
pub(crate) async fn play<T, F: Future<Output = T>>(
    server: &Server,
    client: impl FnOnce(TcpStream) -> F,
) -> (Refusal, T) {
    let (near, far) = tcp_pair().await;
    let both = async { tokio::join!(refused(server, far), client(near)) };
    timeout(Duration::from_secs(30), both).await.unwrap()
}

/// How a connection ends, after whatever the server said before.
pub(crate) async fn last_of(io: &mut TcpStream) -> Saw {
    loop {
        match io.read(&mut [0; 4096]).await {
            Ok(0) => return Saw::Closed,
            Ok(_) => {}
            Err(error) => return saw(&error),
        }
    }
}
