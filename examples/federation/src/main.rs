//! Two trust domains exchange their bundles over bundle endpoints: a second authority, which issues, is only in what each serves.
//! Expect fetched bundles, a call by mutual TLS, and the refusal of a third domain, which names the domains; else exit code 1.

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

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Two trust domains exchange their bundles; their workloads then trust each other, and nobody else's.
#[derive(Parser)]
struct Arguments {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible<()> {
    Arguments::parse();
    let (east, west) = (Domain::new("east.example")?, Domain::new("west.example")?);
    let shop = east.workload("shop", west.endpoint().await?).await?;
    let ledger = west.workload("ledger", east.endpoint().await?).await?;
    println!("{}", meet(&shop, &ledger).await?);
    let third = Domain::new("third.example")?;
    let stranger = third.workload("stranger", west.endpoint().await?).await?;
    let Err(refusal) = meet(&stranger, &ledger).await else { return Err("it was let in".into()) };
    println!("third.example is refused: {}", WithCauses(&*refusal));
    let reason = refusal.downcast_ref().map(HandshakeError::reason);
    if reason == Some("unknown_trust_domain") { Ok(()) } else { Err(refusal) }
}

/// A trust domain: the authority that others were told of, the one that came later, and both as a bundle.
struct Domain(Authority, Authority, TrustBundle);

impl Domain {
    fn new(name: &str) -> Fallible<Self> {
        let (id, options): (meshtls::TrustDomain, _) = (name.parse()?, AuthorityOptions::default());
        let ca =
            || Authority::self_signed(id.clone(), &options, UnixTime::now(), &mut RandomSerials);
        let (one, two) = (ca()?, ca()?);
        let both = [one.roots(), two.roots()].concat();
        Ok(Self(one, two, TrustBundle::new(id.clone(), both)?))
    }

    /// Serves the bundle document, and gives what others have to know to fetch it.
    async fn endpoint(&self) -> Fallible<BundleEndpoint> {
        let json = self.2.to_jwks()?;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{json}", json.len());
        let own = svid(&self.0, "bundle-endpoint")?;
        let config = ServerConfig::builder_with_provider(TlsProfile::ring().provider().to_owned())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(own.chain().to_vec(), own.private_key().clone_key())?;
        let tls = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let (url, id) = (format!("https://{}/", tcp.local_addr()?), own.id().clone());
        tokio::spawn(async move {
            while let Ok((tcp, _)) = tcp.accept().await {
                let Ok(mut stream) = tls.accept(tcp).await else { continue };
                drop(stream.read_u8().await);
                drop(stream.write_all(answer.as_bytes()).await);
                drop(stream.shutdown().await);
            }
        });
        let (domain, told) = (self.0.trust_domain().clone(), self.0.trust_bundle());
        Ok(BundleEndpoint::https_spiffe(domain, &url, id, Some(told))?)
    }

    async fn workload(&self, name: &str, other: BundleEndpoint) -> Fallible<SvidSnapshot> {
        let federation = Federation::new(TlsProfile::ring()).endpoint(other)?;
        let (mut federated, _watch) = (federation.bundles(), federation.watch());
        tokio::time::timeout(Duration::from_secs(10), federated.changed()).await?;
        let (own, others) = (svid(&self.1, name)?, federated.current());
        println!("{} has fetched {others:?}", own.id());
        let bundles = TrustBundles::new(others.iter().cloned().chain([self.2.clone()]));
        Ok(SvidSnapshot::new(own.into(), bundles.into(), 0))
    }
}

fn svid(authority: &Authority, path: &str) -> Fallible<X509Svid> {
    let id = format!("spiffe://{}/{path}", authority.trust_domain()).parse()?;
    Ok(authority.issue_svid(&id, KeyType::P256, None, UnixTime::now(), &mut RandomSerials)?)
}

async fn meet(from: &SvidSnapshot, to: &SvidSnapshot) -> Fallible<String> {
    let (profile, expected) = (TlsProfile::ring(), IdMatcher::Exact(to.svid().id().clone()));
    let server = MeshServer::new(&profile, to, &AcceptedDomains::Any)?;
    let client = MeshClient::new(&profile, from)?;
    let (near, far) = tokio::io::duplex(1 << 14);
    let accept = server.accept(far, AlpnAnswer::None);
    let (accepted, connected) = tokio::join!(accept, client.connect(near, None, &expected, &[]));
    Ok(format!("{} calls {}", accepted?.1.id(), connected?.1.id()))
}
