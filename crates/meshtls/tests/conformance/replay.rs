//! `client_tls` over real sockets: the connector plays each case against servers made for what the case expects, those that it has to
//! accept and those that it has to refuse.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use meshtls::connector::{Connector, Destination, Outbound, Unnamed};
use meshtls::identity::{AcceptedDomains, SpiffeId};
use meshtls::policy::{Address, Discovery, Endpoint, PolicyHandle, PolicySet, ServiceView};
use meshtls::rustls::rustls::server::Acceptor;
use meshtls::rustls::{AlpnAnswer, MeshServer, TlsProfile};
use meshtls::svid::{SvidHandle, SvidSnapshot, TrustBundles};
use meshtls_testkit::{ManualClock, RawServer, Revocations, TestCa};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::LazyConfigAcceptor;

use crate::case::{Case, port, text, texts};
use crate::destination_rule::rules;
use crate::outbound::{service, settings};
use crate::peer_authentication::{policies, workload};

pub(crate) fn check(case: &Case<'_>) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let world = World::new(case)?;
    runtime.block_on(async {
        match text(&case.expected()["mode"])? {
            "DISABLE" => plaintext(&world).await,
            "ISTIO_MUTUAL" => mesh(&world).await,
            "SIMPLE" => web(&world, Presents::Nothing).await,
            "MUTUAL" => web(&world, Presents::Certificate).await,
            other => Err(format!("there is no mode {other}").into()),
        }
    })
}

async fn plaintext(world: &World<'_>) -> Result<(), Box<dyn Error>> {
    let played = world.play(Server::Plaintext).await?;
    played.connected_as("plaintext")?;
    played.saw(None, Presents::Nothing)
}

async fn mesh(world: &World<'_>) -> Result<(), Box<dyn Error>> {
    let expected = world.case.expected();
    let sni = sendable(expected["sni"].as_str());
    let accepted = texts(&expected["accepted_sans"])?;
    let ids: Vec<SpiffeId> = accepted
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    let stranger = format!("spiffe://{}/ns/nobody/sa/nobody", world.domain);
    let stranger = Server::Mesh(stranger.parse()?, Signed::ByTheMesh);
    if accepted.is_empty() {
        // Istio checks no name then; here that has to be asked for.
        world.play(stranger.clone()).await?.failed_with("unnamed")?;
        world.unnamed.set(Unnamed::AcceptAnybody);
        let played = world.play(stranger).await?;
        played.connected_as("mesh")?;
        played.saw(sni, Presents::Certificate)?;
        let id = format!("spiffe://{}/ns/nobody/sa/nobody", world.domain);
        let unknown = Server::Mesh(id.parse()?, Signed::BySomebodyElse);
        return world.play(unknown).await?.failed_with("untrusted_issuer");
    }
    if ids.is_empty() {
        return world.play(stranger).await?.failed_with("no_mesh_name");
    }
    for id in ids {
        let played = world.play(Server::Mesh(id, Signed::ByTheMesh)).await?;
        played.connected_as("mesh")?;
        played.saw(sni, Presents::Certificate)?;
    }
    world.play(stranger).await?.failed_with("secure_naming")
}

async fn web(world: &World<'_>, presents: Presents) -> Result<(), Box<dyn Error>> {
    let expected = world.case.expected();
    let host = world.host();
    let sni = match expected["sni_from_authority"] == true {
        true => sendable(Some(&host)),
        false => sendable(expected["sni"].as_str()),
    };
    let server = |name: &str, signed, demands| Server::Web(name.to_owned(), signed, demands);
    let mode = match presents {
        Presents::Nothing => "simple",
        Presents::Certificate => "mutual",
    };
    let accepted = match expected["san_from_authority"] == true {
        true => vec![host.as_str()],
        false => texts(&expected["accepted_sans"])?,
    };
    let any = ["whoever.example"];
    let good = if accepted.is_empty() { &any[..] } else { &accepted[..] };
    for name in good {
        let played = world
            .play(server(name, Signed::ByTheMesh, presents))
            .await?;
        played.connected_as(mode)?;
        played.saw(sni, presents)?;
    }
    if presents == Presents::Nothing {
        // A server that demands a certificate gets none.
        let demanding = server(good[0], Signed::ByTheMesh, Presents::Certificate);
        world.play(demanding).await?.failed_with("exchange")?;
    }
    let unknown = world
        .play(server(good[0], Signed::BySomebodyElse, presents))
        .await?;
    if world.skips_verification {
        return unknown.connected_as(mode);
    }
    unknown.failed_with("untrusted_issuer")?;
    if !accepted.is_empty() {
        let wrong = server("wrong.example", Signed::ByTheMesh, presents);
        world.play(wrong).await?.failed_with("wrong_server_name")?;
    }
    Ok(())
}

/// rustls sends no name with a wildcard in it, of more than 253 bytes, or that is an address.
fn sendable(sni: Option<&str>) -> Option<&str> {
    use meshtls::rustls::rustls::pki_types::ServerName;
    sni.filter(|name| matches!(ServerName::try_from(*name), Ok(ServerName::DnsName(_))))
}

/// The other end of a connection.
#[derive(Clone)]
enum Server {
    Plaintext,
    /// A member of the mesh that is this one.
    Mesh(SpiffeId, Signed),
    /// A server outside of it with this name, and whether it demands a certificate.
    Web(String, Signed, Presents),
}

#[derive(Clone, Copy, PartialEq)]
enum Signed {
    ByTheMesh,
    BySomebodyElse,
}

/// What a client presents to a server that asks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Presents {
    Nothing,
    Certificate,
}

/// A case, with what its rules name: authorities, files.
struct World<'a> {
    case: &'a Case<'a>,
    domain: String,
    authorities: BTreeMap<String, TestCa>,
    web: TestCa,
    profile: TlsProfile,
    folder: Folder,
    skips_verification: bool,
    unnamed: Cell<Unnamed>,
}

impl<'a> World<'a> {
    fn new(case: &'a Case<'a>) -> Result<Self, Box<dyn Error>> {
        let domain = text(&case.field("mesh")["trustDomain"])?.to_owned();
        let mut authorities = BTreeMap::from([(domain.clone(), TestCa::new(&domain))]);
        for name in texts(&case.expected()["accepted_sans"])? {
            if let Ok(id) = name.parse::<SpiffeId>() {
                let domain = id.trust_domain().as_str();
                authorities
                    .entry(domain.to_owned())
                    .or_insert_with(|| TestCa::new(domain));
            }
        }
        let web = TestCa::new("web.example");
        let profile = TlsProfile::ring().with_time(Arc::new(ManualClock::new(web.now())));
        let skip = "\"insecureSkipVerify\":true";
        Ok(Self {
            case,
            domain,
            authorities,
            web,
            profile,
            folder: Folder::new(case.id())?,
            skips_verification: case.field("destinationRules").to_string().contains(skip),
            unnamed: Cell::new(Unnamed::Refuse),
        })
    }

    /// The host that the caller names.
    fn host(&self) -> String {
        let host = self.case.field("service")["hostname"]
            .as_str()
            .unwrap_or_default();
        host.replace('*', "any")
    }

    /// Connects once to `server`, which listens on a port of the loopback.
    ///
    /// That port stands for the endpoint's in the policies too: they speak of ports only to tell them apart.
    async fn play(&self, server: Server) -> Result<Played, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (connector, to) = self.client(port)?;
        let client = async {
            let outcome = async {
                let outbound = connector
                    .connect_to(&to)
                    .await
                    .map_err(|error| error.reason())?;
                let way = match &outbound {
                    Outbound::Mesh(_) => "mesh",
                    Outbound::Originated(originated) => originated.mode.label(),
                    Outbound::Plaintext(_) => "plaintext",
                };
                let mut stream = outbound.into_stream();
                let exchange = async {
                    stream.write_all(b"ping").await?;
                    stream.flush().await?;
                    let mut answer = [0; 4];
                    stream.read_exact(&mut answer).await.map(|_| answer)
                };
                match exchange.await {
                    Ok(answer) if answer == *b"pong" => Ok(way),
                    Ok(_) | Err(_) => Err("exchange"),
                }
            };
            // Whatever the outcome, the server need not wait for another connection.
            let outcome = outcome.await;
            drop(TcpStream::connect(("127.0.0.1", port)).await);
            outcome
        };
        let serve = async {
            let (tcp, _) = listener.accept().await?;
            self.serve(&server, tcp).await
        };
        let (outcome, seen) = tokio::join!(client, serve);
        Ok(Played { outcome, seen: seen.ok() })
    }

    fn client(&self, listener: u16) -> Result<(Connector, Destination), Box<dyn Error>> {
        let case = self.case;
        let (place, own) = (case.field("endpoint"), port(&case.field("endpoint")["port"])?);
        let mut authentications = case.field("peerAuthentications").clone();
        rename_port(&mut authentications, own, listener);
        let mut destination_rules = case.field("destinationRules").clone();
        self.write_files(&mut destination_rules)?;
        let resources =
            policies(&authentications)?.with_destination_rules(rules(&destination_rules)?);
        let mesh = settings(case.field("mesh"))?;

        let loopback = || Address::Ip([127, 0, 0, 1].into());
        let endpoint = Endpoint::new(loopback(), listener, workload(place)?);
        let mut view = service(case, &endpoint)?;
        for endpoint in &mut view.endpoints {
            (endpoint.address, endpoint.port) = (loopback(), listener);
            for (key, value) in workload(place)?.labels.iter() {
                // What a rule selects by, but for the label that says whether it is in the mesh.
                if endpoint.workload.labels.get(key).is_none() {
                    endpoint.workload.labels.insert(key, value);
                }
            }
        }
        let client = workload(case.field("client"))?;
        let id = format!("spiffe://{}/ns/{}/sa/client", self.domain, client.namespace);
        let own = self
            .authorities
            .get(&self.domain)
            .ok_or("the mesh has no authority")?;
        let subset = case.field("subset").as_str().unwrap_or_default();
        // The address that the caller has stands for a headless service without endpoints.
        let to = match view.endpoints.is_empty() {
            true => Destination::new("127.0.0.1", listener),
            false => Destination::new(self.host(), view.port),
        };
        let connector = Connector::builder(self.profile.clone())
            .svid(Arc::new(SvidHandle::new(own.svid(&id), self.bundles())))
            .policy(PolicyHandle::new(PolicySet::compile(mesh, &resources)))
            .discovery(Arc::new(Only(Arc::new(view))))
            .client(client)
            .unnamed(self.unnamed.get())
            .system_roots(self.web.bundle().anchors().to_vec())
            .dangerous_allow_insecure_skip_verify()
            .build();
        Ok((connector, to.subset(subset)))
    }

    fn bundles(&self) -> TrustBundles {
        TrustBundles::new(self.authorities.values().map(TestCa::bundle))
    }

    async fn serve(&self, server: &Server, mut tcp: TcpStream) -> Result<Seen, Box<dyn Error>> {
        match server {
            Server::Plaintext => {
                pong(&mut tcp).await?;
                Ok(Seen { sni: None, presented: Presents::Nothing })
            }
            Server::Mesh(id, signed) => {
                let domain = id.trust_domain().as_str();
                let somebody = TestCa::new(domain);
                let authority = match signed {
                    Signed::ByTheMesh => self.authorities.get(domain).ok_or("no authority")?,
                    Signed::BySomebodyElse => &somebody,
                };
                let svid = Arc::new(authority.svid(id.as_str()));
                let snapshot = SvidSnapshot::new(svid, Arc::new(self.bundles()), 0);
                let server = MeshServer::new(&self.profile, &snapshot, &AcceptedDomains::Any)?;
                let (mut stream, peer) = server.accept(tcp, AlpnAnswer::None).await?;
                pong(&mut stream).await?;
                let sni = peer.server_name().map(str::to_owned);
                Ok(Seen { sni, presented: Presents::Certificate })
            }
            Server::Web(name, signed, demands) => {
                let somebody = TestCa::new("somebody.example");
                let authority = match signed {
                    Signed::ByTheMesh => &self.web,
                    Signed::BySomebodyElse => &somebody,
                };
                let own = authority.web_certificate(&[name]);
                let provider = Arc::clone(self.profile.provider());
                let tls = RawServer::new(provider, own.chain(), own.private_key());
                let config = match demands {
                    Presents::Nothing => tls.config(),
                    Presents::Certificate => tls.asking_for_certificate().config(),
                };
                let start = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
                let sni = start.client_hello().server_name().map(str::to_owned);
                let mut stream = start.into_stream(config).await?;
                let presented = match stream.get_ref().1.peer_certificates() {
                    None | Some([]) => Presents::Nothing,
                    Some(_) => Presents::Certificate,
                };
                pong(&mut stream).await?;
                Ok(Seen { sni, presented })
            }
        }
    }

    /// Writes what the rules name, and puts the paths in place of those that the case has.
    fn write_files(&self, value: &mut Value) -> Result<(), Box<dyn Error>> {
        let own = self.web.web_certificate(&["client.example"]);
        let files = [
            ("caCertificates", self.web.bundle().to_pem()),
            ("caCrl", self.web.revocation_list_pem(Revocations::Nobody)),
            ("clientCertificate", own.chain_pem()),
            ("privateKey", own.key_pem().to_string()),
        ];
        let mut paths = BTreeMap::new();
        for (name, text) in files {
            let path = self.folder.0.join(name);
            fs::write(&path, text)?;
            paths.insert(name, path.display().to_string());
        }
        put_paths(value, &paths);
        Ok(())
    }
}

fn put_paths(value: &mut Value, paths: &BTreeMap<&str, String>) {
    for (name, value) in value.as_object_mut().into_iter().flatten() {
        match paths.get(name.as_str()) {
            Some(path) if value != "system" && value.is_string() => *value = path.clone().into(),
            _ => put_paths(value, paths),
        }
    }
    for value in value.as_array_mut().into_iter().flatten() {
        put_paths(value, paths);
    }
}

/// Puts `to` in place of port `from`, and the other way round.
fn rename_port(policies: &mut Value, from: u16, to: u16) {
    for policy in policies.as_array_mut().into_iter().flatten() {
        let Some(ports) = policy["portLevelMtls"].as_object_mut() else { continue };
        let (from, to) = (from.to_string(), to.to_string());
        let (of_from, of_to) = (ports.remove(&from), ports.remove(&to));
        ports.extend(of_from.map(|mode| (to, mode)));
        ports.extend(of_to.map(|mode| (from, mode)));
    }
}

async fn pong<IO>(io: &mut IO) -> Result<(), Box<dyn Error>>
where
    IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut heard = [0; 4];
    io.read_exact(&mut heard).await?;
    if heard != *b"ping" {
        return Err("the client sent something else".into());
    }
    io.write_all(b"pong").await?;
    io.shutdown().await?;
    Ok(())
}

/// What a server saw of a client that it let in.
struct Seen {
    sni: Option<String>,
    presented: Presents,
}

/// How a connection went: which way it was made, or the reason why it was not.
struct Played {
    outcome: Result<&'static str, &'static str>,
    seen: Option<Seen>,
}

impl Played {
    fn connected_as(&self, way: &str) -> Result<(), Box<dyn Error>> {
        match self.outcome {
            Ok(seen) if seen == way => Ok(()),
            seen => Err(format!("on the wire: {seen:?}, expected a connection by {way}").into()),
        }
    }

    fn failed_with(&self, reason: &str) -> Result<(), Box<dyn Error>> {
        match self.outcome {
            Err(seen) if seen == reason => Ok(()),
            seen => Err(format!("on the wire: {seen:?}, expected a failure by {reason}").into()),
        }
    }

    fn saw(&self, sni: Option<&str>, presented: Presents) -> Result<(), Box<dyn Error>> {
        let seen = self
            .seen
            .as_ref()
            .ok_or("on the wire: the server saw no client")?;
        if seen.sni.as_deref() != sni {
            return Err(format!("on the wire: server name {:?}, not {sni:?}", seen.sni).into());
        }
        if seen.presented != presented {
            return Err(format!("on the wire: presented {:?}", seen.presented).into());
        }
        Ok(())
    }
}

/// Knows one service, whatever is asked for.
#[derive(Debug)]
struct Only(Arc<ServiceView>);

impl Discovery for Only {
    fn service(&self, _client: &str, _host: &str, _port: u16) -> Option<Arc<ServiceView>> {
        Some(Arc::clone(&self.0))
    }
}

/// A folder of one case, which goes with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(id: &str) -> Result<Self, Box<dyn Error>> {
        let id: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = format!("meshtls-replay-{}-{id}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
