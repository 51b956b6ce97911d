//! A TLS client that does what it is told, and tells what it saw.

use std::{io, sync::Arc};

use meshtls_rustls::{
    TlsProfile,
    rustls::{
        self, AlertDescription, ClientConfig, ClientConnection, RootCertStore,
        SupportedProtocolVersion,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName},
        version::{TLS12, TLS13},
    },
};
use meshtls_svid::X509Svid;
use meshtls_testkit::{RawClient, TestCa};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How the other end took it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Saw {
    Alert(AlertDescription),
    Reset,
    Closed,
    /// The client itself found fault with the server.
    Fault(String),
}

/// What the client is to present and offer.
pub(crate) struct Hello<'a> {
    pub(crate) alpn: &'a [&'a str],
    pub(crate) certificate: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    pub(crate) version: Version,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

impl Version {
    fn only(self) -> &'static [&'static SupportedProtocolVersion] {
        const TLS12_ONLY: &[&SupportedProtocolVersion] = &[&TLS12];
        const TLS13_ONLY: &[&SupportedProtocolVersion] = &[&TLS13];
        match self {
            Self::Tls12 => TLS12_ONLY,
            Self::Tls13 => TLS13_ONLY,
        }
    }
}

/// Presents `svid`, in TLS 1.3.
pub(crate) fn with_svid<'a>(svid: &X509Svid, alpn: &'a [&'a str]) -> Hello<'a> {
    let certificate = Some((svid.chain().to_vec(), svid.private_key().clone_key()));
    Hello { alpn, certificate, version: Version::Tls13 }
}

/// Presents nothing, in TLS 1.3.
pub(crate) fn anonymous<'a>(alpn: &'a [&'a str]) -> Hello<'a> {
    Hello { alpn, certificate: None, version: Version::Tls13 }
}

pub(crate) struct Client<IO> {
    pub(crate) io: IO,
    tls: ClientConnection,
    /// Every byte that was sent.
    pub(crate) sent: Vec<u8>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Client<IO> {
    pub(crate) fn new(profile: &TlsProfile, io: IO, hello: Hello<'_>) -> Self {
        let alpn: Vec<&[u8]> = hello.alpn.iter().map(|name| name.as_bytes()).collect();
        let raw = RawClient::new(Arc::clone(profile.provider()))
            .with_alpn(&alpn)
            .with_versions(hello.version.only());
        let raw = match hello.certificate {
            None => raw,
            Some((chain, key)) => raw.with_certificate(&chain, &key),
        };
        Self::with_config(raw.config(), io)
    }

    /// Presents nothing, and trusts only servers whose certificate `ca` issued.
    pub(crate) fn trusting(profile: &TlsProfile, io: IO, ca: &TestCa, version: Version) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(ca.bundle().anchors().iter().cloned());
        let builder = ClientConfig::builder_with_details(
            Arc::clone(profile.provider()),
            Arc::clone(profile.time()),
        );
        let config = builder
            .with_protocol_versions(version.only())
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self::with_config(Arc::new(config), io)
    }

    fn with_config(config: Arc<ClientConfig>, io: IO) -> Self {
        let name = ServerName::try_from("server.test").unwrap();
        let tls = ClientConnection::new(config, name).unwrap();
        Self { io, tls, sent: Vec::new() }
    }

    /// Until the client takes the handshake for done. In TLS 1.3 the server has not judged the client by then.
    pub(crate) async fn handshake(&mut self) -> Result<(), Saw> {
        while self.tls.is_handshaking() {
            self.flush().await?;
            if self.tls.is_handshaking() {
                self.fill().await?;
            }
        }
        self.flush().await
    }

    /// Sends the `ClientHello` and no more.
    pub(crate) async fn hello(&mut self) {
        self.flush().await.unwrap();
    }

    pub(crate) async fn send(&mut self, text: &[u8]) -> Result<(), Saw> {
        io::Write::write_all(&mut self.tls.writer(), text).unwrap();
        self.flush().await
    }

    /// Reads `len` decrypted bytes.
    pub(crate) async fn receive(&mut self, len: usize) -> Result<Vec<u8>, Saw> {
        let mut text = vec![0; len];
        let mut at = 0;
        while at < len {
            match io::Read::read(&mut self.tls.reader(), &mut text[at..]) {
                Ok(0) => return Err(Saw::Closed),
                Ok(n) => at += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.fill().await?,
                Err(_) => return Err(Saw::Closed),
            }
        }
        Ok(text)
    }

    /// What ends a connection that must not succeed.
    pub(crate) async fn ending(&mut self) -> Saw {
        match self.handshake().await {
            Err(saw) => saw,
            Ok(()) => match self.receive(1).await {
                Err(saw) => saw,
                Ok(_) => panic!("the server answered"),
            },
        }
    }

    /// Takes what the server says up to the end of its handshake, and does not answer yet.
    pub(crate) async fn listen(&mut self) {
        self.flush().await.unwrap();
        while self.tls.is_handshaking() {
            self.fill().await.unwrap();
        }
    }

    /// Whether the server said `close_notify`.
    pub(crate) fn was_told_of_the_end(&mut self) -> bool {
        self.tls.process_new_packets().unwrap().peer_has_closed()
    }

    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.tls.alpn_protocol()
    }

    async fn flush(&mut self) -> Result<(), Saw> {
        while self.tls.wants_write() {
            let from = self.sent.len();
            self.tls.write_tls(&mut self.sent).unwrap();
            self.io
                .write_all(&self.sent[from..])
                .await
                .map_err(|error| saw(&error))?;
        }
        self.io.flush().await.map_err(|error| saw(&error))
    }

    async fn fill(&mut self) -> Result<(), Saw> {
        let mut bytes = [0; 4096];
        let n = self
            .io
            .read(&mut bytes)
            .await
            .map_err(|error| saw(&error))?;
        let mut received = &bytes[..n];
        // At the end of the stream it is told so by an empty read.
        loop {
            self.tls.read_tls(&mut received).unwrap();
            match self.tls.process_new_packets() {
                Ok(_) => {}
                Err(rustls::Error::AlertReceived(alert)) => return Err(Saw::Alert(alert)),
                Err(error) => {
                    self.flush().await?;
                    return Err(Saw::Fault(error.to_string()));
                }
            }
            if received.is_empty() {
                break;
            }
        }
        if n == 0 && self.tls.is_handshaking() { Err(Saw::Closed) } else { Ok(()) }
    }
}

pub(crate) fn saw(error: &io::Error) -> Saw {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Saw::Reset,
        kind => Saw::Fault(kind.to_string()),
    }
}

/// How a plaintext connection ends that must not be answered.
pub(crate) async fn ending<IO: AsyncRead + Unpin>(io: &mut IO) -> Saw {
    match io.read(&mut [0; 64]).await {
        Ok(0) => Saw::Closed,
        Ok(_) => panic!("the server answered"),
        Err(error) => saw(&error),
    }
}
