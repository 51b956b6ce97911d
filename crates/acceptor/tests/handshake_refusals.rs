//! What a client can do after a good hello, other than to prove who it is: the refusal's variant, its label, what the client
//! saw, and exactly one event. Once per crypto provider, over a real socket.

mod common;

use std::io;

use meshtls_acceptor::{PortProtocol::Tcp, Refusal};
use meshtls_policy::MtlsMode::Strict;
use meshtls_rustls::{
    HandshakeError, TlsMinimum,
    rustls::{AlertDescription, Error},
};
use meshtls_testkit::TestCa;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use common::{
    CLIENT, Server, ca,
    client::{Client, Hello, Saw, Version, ending, with_svid},
    profiles,
    refused::{last_of, play},
};

/// The client has no trust in our certificate, and says so by an alert.
#[tokio::test]
async fn a_client_that_refuses_our_certificate() {
    let (ca, trusted_by_client) = (ca(), TestCa::new("other.example"));
    for (provider, profile) in profiles() {
        for version in [Version::Tls13, Version::Tls12] {
            let name = format!("{version:?} with {provider}");
            let server = Server::new_with_profile(&profile, &ca, Strict, Tcp);
            let (refusal, saw) = play(&server, async |io: TcpStream| {
                let mut client = Client::trusting(&profile, io, &trusted_by_client, version);
                let fault = client.handshake().await;
                let unknown = "invalid peer certificate: UnknownIssuer".to_owned();
                assert_eq!(fault, Err(Saw::Fault(unknown)), "{version:?}");
                last_of(&mut client.io).await
            })
            .await;
            let Refusal::Handshake(HandshakeError::AlertReceived(received)) = &refusal else {
                panic!("{name}: {refusal:?}")
            };
            assert_eq!(received.alert.code(), 48, "{name}");
            assert_eq!((refusal.reason(), saw), ("alert_received", Saw::Closed), "{name}");
            assert!(server.heard.only().handshake.is_some(), "{name}");
        }
    }
}

/// The hello was good, or at least whole, and what follows is no TLS handshake.
#[tokio::test]
async fn a_client_that_breaks_the_protocol() {
    type Row<'a> = (&'a str, Version, TlsMinimum, &'a [u8], fn(&Error) -> bool, u8);
    let second_hello: &[u8] = &[22, 3, 3, 0, 4, 1, 0, 0, 0];
    let undecipherable: &[u8] =
        &[23, 3, 3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let rows: [Row<'_>; 4] = [
        (
            "a record that cannot be decrypted",
            Version::Tls13,
            TlsMinimum::Tls12,
            undecipherable,
            |error| matches!(error, Error::DecryptError),
            20,
        ),
        (
            "application data",
            Version::Tls12,
            TlsMinimum::Tls12,
            undecipherable,
            |error| matches!(error, Error::InappropriateMessage { .. }),
            10,
        ),
        (
            "a second, empty hello",
            Version::Tls12,
            TlsMinimum::Tls12,
            second_hello,
            |error| matches!(error, Error::InvalidMessage(_)),
            50,
        ),
        (
            "a version that is off",
            Version::Tls12,
            TlsMinimum::Tls13,
            &[],
            |error| matches!(error, Error::PeerIncompatible(_)),
            70,
        ),
    ];
    let ca = ca();
    let svid = ca.svid(CLIENT);
    for (provider, profile) in profiles() {
        for (name, version, minimum, bytes, want, alert) in rows {
            let name = format!("{name}, {version:?} with {provider}");
            let profile = profile.clone().with_minimum_version(minimum);
            let server = Server::new_with_profile(&profile, &ca, Strict, Tcp);
            let hello = Hello { version, ..with_svid(&svid, &["istio"]) };
            let (refusal, (saw, then)) = play(&server, async |io: TcpStream| {
                let mut client = Client::new(&profile, io, hello);
                client.hello().await;
                // The server's flight, or its alert.
                client.io.readable().await.unwrap();
                client.io.write_all(bytes).await.unwrap();
                (client.ending().await, ending(&mut client.io).await)
            })
            .await;
            let Refusal::Handshake(HandshakeError::Tls(error)) = &refusal else {
                panic!("{name}: {refusal:?}")
            };
            assert!(want(error), "{name}: {error:?}");
            assert_eq!(refusal.reason(), "tls_protocol", "{name}");
            assert_eq!(saw, Saw::Alert(AlertDescription::from(alert)), "{name}");
            assert_eq!(then, Saw::Closed, "{name}: in order, without a reset");
            assert!(server.heard.only().handshake.is_some(), "{name}");
        }
    }
}

/// The client ends or resets its connection instead of answering our flight.
#[tokio::test]
async fn a_connection_that_ends_in_the_handshake() {
    let ca = ca();
    let svid = ca.svid(CLIENT);
    for (provider, profile) in profiles() {
        for version in [Version::Tls13, Version::Tls12] {
            for (reset, want, label) in [
                (false, io::ErrorKind::UnexpectedEof, "closed_in_handshake"),
                (true, io::ErrorKind::ConnectionReset, "transport"),
            ] {
                let name = format!("{label}, {version:?} with {provider}");
                let server = Server::new_with_profile(&profile, &ca, Strict, Tcp);
                let hello = Hello { version, ..with_svid(&svid, &["istio"]) };
                let (refusal, saw) = play(&server, async |io: TcpStream| {
                    let mut client = Client::new(&profile, io, hello);
                    client.hello().await;
                    client.io.readable().await.unwrap();
                    if reset {
                        client.io.set_zero_linger().unwrap();
                        return Saw::Reset;
                    }
                    client.io.shutdown().await.unwrap();
                    last_of(&mut client.io).await
                })
                .await;
                assert!(
                    matches!(&refusal, Refusal::Handshake(HandshakeError::Io(error)) if error.kind() == want),
                    "{name}: {refusal:?}"
                );
                assert_eq!(refusal.reason(), label, "{name}");
                // Where the client did not reset it itself, it sees an end without an alert.
                assert_eq!(saw, if reset { Saw::Reset } else { Saw::Closed }, "{name}");
                assert!(server.heard.only().handshake.is_some(), "{name}");
            }
        }
    }
}
