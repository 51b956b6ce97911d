//! federation: two trust domains exchange their bundles over bundle endpoints, and their workloads talk by mutual TLS.
//!
//! Each domain was given the other's first authority when the relation was made. Since then it has a second one, which
//! issues its workloads' certificates and is only in the document that its endpoint serves (profile `https_spiffe`).
//! What to expect: two fetched bundles, two calls, and the refusal of a third domain, which names the domains. The exit
//! code is 0 if all of that came, else 1. Everything stays on loopback and in memory.

#![expect(clippy::print_stdout, reason = "a program talks to its user")]

use std::{error::Error, sync::Arc, time::Duration};

use clap::Parser;
use meshtls::ca::{Authority, AuthorityOptions, KeyType, RandomSerials};
use meshtls::identity::{AcceptedDomains, IdMatcher};
use meshtls::rustls::rustls::ServerConfig;
use meshtls::rustls::{AlpnAnswer, HandshakeError, MeshClient, MeshServer, TlsProfile, WithCauses};
use meshtls::source::{BundleEndpoint, Federation, UnixTime};
use meshtls::svid::{SvidSnapshot, TrustBundle, TrustBundles, X509Svid};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Two trust domains exchange their bundles; their workloads then trust each other, and nobody else's.
#[derive(Parser)]
struct Arguments {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    let Arguments {} = Arguments::parse();
    run().await.map_err(|error| WithCauses(&*error).to_string())
}

async fn run() -> Fallible<()> {
    let (east, west) = (Domain::new("east.example")?, Domain::new("west.example")?);
    let third = Domain::new("third.example")?;
    let (to_east, to_west) = (east.endpoint().await?, west.endpoint().await?);
    let shop = east.workload("shop", to_west).await?;
    let ledger = west.workload("ledger", to_east).await?;
    println!("{}", meet(&shop, &ledger).await?);
    println!("{}", meet(&ledger, &shop).await?);
    let stranger = third.workload("stranger", west.endpoint().await?).await?;
    let refusal = meet(&stranger, &ledger)
        .await
        .err()
        .ok_or("the third domain was let in")?;
    let reason = refusal.downcast_ref().map(HandshakeError::reason);
    println!("third.example is refused: {}", WithCauses(&*refusal));
    if reason == Some("unknown_trust_domain") { Ok(()) } else { Err(refusal) }
}

/// A trust domain: the authority that others were told of, and the one that came later.
struct Domain(Authority, Authority);

impl Domain {
    fn new(name: &str) -> Fallible<Self> {
        let (id, options) = (name.parse::<meshtls::TrustDomain>()?, AuthorityOptions::default());
        let root =
            || Authority::self_signed(id.clone(), &options, UnixTime::now(), &mut RandomSerials);
        Ok(Self(root()?, root()?))
    }

    fn bundle(&self) -> Fallible<TrustBundle> {
        let both = [self.0.trust_bundle().anchors(), self.1.trust_bundle().anchors()].concat();
        Ok(TrustBundle::new(self.0.trust_domain().clone(), both)?)
    }

    /// Serves the bundle document over HTTPS, and gives what others have to know to fetch it.
    async fn endpoint(&self) -> Fallible<BundleEndpoint> {
        let document = self.bundle()?.to_jwks()?;
        let length = document.len();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{document}");
        let own = svid(&self.0, "bundle-endpoint")?;
        let provider = Arc::clone(TlsProfile::ring().provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(own.chain().to_vec(), own.private_key().clone_key())?;
        let tls = TlsAcceptor::from(Arc::new(config));
        let tcp = TcpListener::bind("127.0.0.1:0").await?;
        let (url, id) = (format!("https://{}/", tcp.local_addr()?), own.id().clone());
        let (domain, told) = (self.0.trust_domain().clone(), self.0.trust_bundle());
        tokio::spawn(async move {
            while let Ok((tcp, _)) = tcp.accept().await {
                let Ok(mut stream) = tls.accept(tcp).await else { continue };
                stream.read_u8().await.ok();
                stream.write_all(answer.as_bytes()).await.ok();
                stream.shutdown().await.ok();
            }
        });
        Ok(BundleEndpoint::https_spiffe(domain, &url, id, Some(told))?)
    }

    /// A workload that trusts its own domain, and another one by what that one's endpoint serves.
    async fn workload(&self, name: &str, other: BundleEndpoint) -> Fallible<SvidSnapshot> {
        let federation = Federation::new(TlsProfile::ring()).endpoint(other)?;
        let (mut federated, _watch) = (federation.bundles(), federation.watch());
        tokio::time::timeout(Duration::from_secs(10), federated.changed()).await?;
        let (own, others) = (svid(&self.1, name)?, federated.current());
        println!("{} has fetched {others:?}", own.id());
        let bundles = TrustBundles::new(others.iter().cloned().chain([self.bundle()?]));
        Ok(SvidSnapshot::new(Arc::new(own), Arc::new(bundles), 0))
    }
}

fn svid(authority: &Authority, path: &str) -> Fallible<X509Svid> {
    let id = format!("spiffe://{}/{path}", authority.trust_domain()).parse()?;
    Ok(authority.issue_svid(&id, KeyType::P256, None, UnixTime::now(), &mut RandomSerials)?)
}

/// One connection by mutual TLS: whom each end has verified.
async fn meet(from: &SvidSnapshot, to: &SvidSnapshot) -> Fallible<String> {
    let (profile, expected) = (TlsProfile::ring(), IdMatcher::Exact(to.svid().id().clone()));
    let server = MeshServer::new(&profile, to, &AcceptedDomains::Any)?;
    let client = MeshClient::new(&profile, from)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    let accept = server.accept(listener.accept().await?.0, AlpnAnswer::None);
    let (accepted, connected) = tokio::join!(accept, client.connect(near, None, &expected, &[]));
    let (caller, called) = (accepted?.1, connected?.1);
    Ok(format!("{} calls {} by {}", caller.id(), called.id(), called.tls_version()))
}
