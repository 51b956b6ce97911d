//! The server itself.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use meshtls::ca::store::SharedAuthority;
use meshtls::ca::{
    AuditError, AuditEvent, AuditLog, AuthorityOptions, IssuancePolicy, RandomSerials,
};
use meshtls::istio_ca::{ClientCertificate, IstioCaServer, JwtCallers, ServerCertificate};
use meshtls::rustls::TlsProfile;
use meshtls::source::UnixTime;
use meshtls::{ServiceAccountId, TrustDomain};

use crate::{join_tokens, tokens_in};

#[derive(Args)]
pub(crate) struct ServeArguments {
    /// Where to listen.
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// The directory of the authority, made when it is missing.
    #[arg(long, value_name = "DIR")]
    ca_dir: PathBuf,
    /// The trust domain whose IDs are issued.
    #[arg(long, value_name = "TD", default_value = "cluster.local")]
    trust_domain: TrustDomain,
    /// The keys of whoever signs JWTs for callers, as a JWKS file. Replace it by a rename.
    #[arg(long, value_name = "FILE", requires = "issuer")]
    jwks: Option<PathBuf>,
    /// Who signs JWTs for callers: their claim `iss`.
    #[arg(long, value_name = "ISS", requires = "jwks")]
    issuer: Option<String>,
    /// For whom JWTs must be meant.
    #[arg(long, value_name = "AUD", default_value = JwtCallers::DEFAULT_AUDIENCE)]
    audience: String,
    /// Where the join tokens are. Default: `join-tokens` in the directory of the authority.
    #[arg(long, value_name = "DIR")]
    join_tokens: Option<PathBuf>,
    /// How long a certificate lives that is asked for without a life, and the server's own. Default: a day, and an hour.
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u64>,
    /// A certificate to show to clients that know the server by a DNS name (PEM): ztunnel and istio-agent.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its key.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

pub(crate) async fn run(arguments: &ServeArguments) -> Result<(), Box<dyn Error>> {
    let (domain, profile) = (&arguments.trust_domain, TlsProfile::ring());
    let authority = Arc::new(SharedAuthority::open_or_create(
        &arguments.ca_dir,
        domain,
        &AuthorityOptions::default(),
        profile.provider().signature_verification_algorithms.all,
        UnixTime::now(),
        &mut RandomSerials,
    )?);
    let mut policy = IssuancePolicy::default();
    if let Some(seconds) = arguments.ttl {
        let ttl = Duration::from_secs(seconds);
        let least = ttl.min(IssuancePolicy::DEFAULT_MIN_TTL);
        policy = policy.with_ttl(least, ttl, meshtls::ca::Authority::MAX_TTL)?;
    }
    let tokens =
        join_tokens(tokens_in(&arguments.ca_dir, arguments.join_tokens.as_deref()), domain)?;
    let mut server = IstioCaServer::new(authority, policy, Arc::new(ToStderr), profile)
        .authenticator(Arc::new(ClientCertificate::default()))
        .authenticator(Arc::new(Arc::new(tokens)));
    if let (Some(jwks), Some(issuer)) = (&arguments.jwks, &arguments.issuer) {
        let callers = JwtCallers::new(domain.clone(), jwks, issuer).audience(&arguments.audience);
        server = server.authenticator(Arc::new(Arc::new(callers)));
    }
    let certificate = match (&arguments.cert, &arguments.key) {
        (Some(chain), Some(key)) => ServerCertificate::files(chain, key),
        _ => {
            let id = ServiceAccountId::new(domain, "istio-system", "istiod")?;
            let own = ServerCertificate::issued(id.into());
            match arguments.ttl {
                Some(seconds) => own.with_ttl(Duration::from_secs(seconds)),
                None => own,
            }
        }
    };
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    println!("listening on {}", listener.local_addr()?);
    server.serve(listener, certificate, ended()).await?;
    Ok(())
}

/// One line for each request.
#[derive(Debug)]
struct ToStderr;

impl AuditLog for ToStderr {
    fn record(&self, event: &AuditEvent<'_>) -> Result<(), AuditError> {
        use std::io::Write as _;
        writeln!(std::io::stderr(), "ca-server: {event}").map_err(AuditError::new)
    }
}

/// Waits for SIGINT, and on Unix for SIGTERM. Where no signal can be waited for, it ends at once.
async fn ended() {
    #[cfg(unix)]
    {
        let terminate = tokio::signal::unix::SignalKind::terminate();
        if let Ok(mut terminated) = tokio::signal::unix::signal(terminate) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
        }
    }
    #[cfg(not(unix))]
    drop(tokio::signal::ctrl_c().await);
}
