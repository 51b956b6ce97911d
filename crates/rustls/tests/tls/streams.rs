//! The streams after the handshake.

use std::io::{ErrorKind, IoSlice};

use meshtls_rustls::AlpnAnswer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, duplex};

use crate::kit::{LEDGER, PROVIDERS, ca, client, exactly, mesh_to_mesh, server};

async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: usize) {
    let piece = vec![7; 10_000];
    for _ in 0..bytes / piece.len() {
        stream.write_all(&piece).await.unwrap();
    }
    stream.shutdown().await.unwrap();
}

async fn count(stream: &mut (impl AsyncRead + Unpin)) -> usize {
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap()
}

/// Each way, with half-close, through a transport that is smaller than a TLS record.
#[tokio::test]
async fn bulk_and_half_close() {
    let ca = ca();
    for provider in PROVIDERS {
        let (server, client) = (server(&ca, &provider.profile()), client(&ca, &provider.profile()));
        let (near, far) = duplex(1_000);
        let matcher = exactly(LEDGER);
        let serve = async {
            let (mut stream, _) = server.accept(near, AlpnAnswer::None).await.unwrap();
            let heard = count(&mut stream).await;
            send(&mut stream, 500_000).await;
            heard
        };
        let connect = async {
            let (mut stream, _) = client.connect(far, None, &matcher, &[]).await.unwrap();
            send(&mut stream, 300_000).await;
            count(&mut stream).await
        };
        assert_eq!(tokio::join!(serve, connect), (300_000, 500_000), "{provider}");
    }
}

#[tokio::test]
async fn vectored_writes() {
    let ca = ca();
    for provider in PROVIDERS {
        let (server, client) = (server(&ca, &provider.profile()), client(&ca, &provider.profile()));
        let (accepted, connected) = mesh_to_mesh(&server, &client, &exactly(LEDGER)).await;
        let (mut near, mut far) = (accepted.unwrap().0, connected.unwrap().0);
        assert!(near.is_write_vectored() && far.is_write_vectored(), "{provider}");
        let pieces = [IoSlice::new(b"one "), IoSlice::new(b"two")];
        assert_eq!(near.write_vectored(&pieces).await.unwrap(), 7, "{provider}");
        assert_eq!(far.write_vectored(&pieces).await.unwrap(), 7, "{provider}");
        near.shutdown().await.unwrap();
        far.shutdown().await.unwrap();
        let mut heard = String::new();
        near.read_to_string(&mut heard).await.unwrap();
        far.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "one twoone two", "{provider}");
    }
}

/// A transport that ends without close_notify may have been cut by somebody in between.
#[tokio::test]
async fn truncation_is_an_error() {
    let ca = ca();
    for provider in PROVIDERS {
        let (server, client) = (server(&ca, &provider.profile()), client(&ca, &provider.profile()));
        let (accepted, connected) = mesh_to_mesh(&server, &client, &exactly(LEDGER)).await;
        let (mut near, far) = (accepted.unwrap().0, connected.unwrap().0);
        drop(far);
        assert_eq!(
            near.read(&mut [0]).await.unwrap_err().kind(),
            ErrorKind::UnexpectedEof,
            "{provider}"
        );

        let (accepted, connected) = mesh_to_mesh(&server, &client, &exactly(LEDGER)).await;
        let (near, mut far) = (accepted.unwrap().0, connected.unwrap().0);
        drop(near);
        assert_eq!(
            far.read(&mut [0]).await.unwrap_err().kind(),
            ErrorKind::UnexpectedEof,
            "{provider}"
        );
    }
}

#[tokio::test]
async fn the_transport_can_be_looked_at() {
    let ca = ca();
    for provider in PROVIDERS {
        let (server, client) = (server(&ca, &provider.profile()), client(&ca, &provider.profile()));
        let (accepted, connected) = mesh_to_mesh(&server, &client, &exactly(LEDGER)).await;
        let (near, far) = (accepted.unwrap().0, connected.unwrap().0);
        let _: (&tokio::io::DuplexStream, &tokio::io::DuplexStream) =
            (near.get_ref(), far.get_ref());
        let shown = format!("{near:?} {far:?}");
        assert_eq!(shown, "ServerStream { .. } ClientStream { heard: false, .. }");
    }
}
