//! The flags that the example programs share: who the process is, and where its identity and policies come from.
//!
//! `httpbin` and `meshcurl` flatten [`WorkloadFlags`] into their own arguments.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use meshtls::istio_ca::{CaTrust, IstioCaClient};
use meshtls::rustls::TlsProfile;
use meshtls::source::WhenStale;
use meshtls::{
    IdentityFrom, PoliciesFrom, ServiceAccountId, TrustDomain, Workload, WorkloadBuilder,
};

/// Who the process is in the mesh.
#[derive(Args, Debug)]
#[expect(clippy::exhaustive_structs, reason = "flags of example programs, in no published crate")]
pub struct WorkloadFlags {
    /// The namespace of this workload.
    #[arg(long, value_name = "NS", default_value = "default")]
    pub namespace: String,
    /// The service account of this workload.
    #[arg(long, value_name = "SA", default_value = "default")]
    pub service_account: String,
    /// A label of this workload, which selectors of policies match. Repeatable.
    #[arg(long = "label", value_name = "K=V", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// The trust domain of the mesh.
    #[arg(long, value_name = "TD", default_value = "cluster.local")]
    pub trust_domain: TrustDomain,
    /// The namespace whose policies hold for the whole mesh.
    #[arg(long, value_name = "NS", default_value = "istio-system")]
    pub root_namespace: String,
    /// A file or a directory of policies (YAML or JSON), read again when it changes.
    #[arg(long, value_name = "PATH")]
    pub policies: Option<PathBuf>,
    /// How many seconds the policy files may be unreadable or bad, and what happens then: `keep` the last good ones, `strict` on
    /// every port, or `not-ready`. Default: the last good ones stay in force for ever.
    #[arg(long, value_name = "SECONDS=THEN", value_parser = policies_stale, requires = "policies")]
    pub policies_stale: Option<(Duration, WhenStale)>,
    /// Where the identity comes from.
    #[command(flatten)]
    pub identity: IdentityFlags,
}

/// A shared CA directory, three PEM files, or a certificate authority at the other end of a network.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
#[expect(clippy::exhaustive_structs, reason = "flags of example programs, in no published crate")]
pub struct IdentityFlags {
    /// A directory with an embedded certificate authority, made when it is missing, shared by the processes of one machine.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["cert", "key", "roots", "ca"])]
    pub ca_dir: Option<PathBuf>,
    /// The certificate chain of this workload, leaf first (PEM).
    #[arg(long, value_name = "FILE", requires_all = ["key", "roots"])]
    pub cert: Option<PathBuf>,
    /// The private key of this workload (PEM).
    #[arg(long, value_name = "FILE", requires_all = ["cert", "roots"])]
    pub key: Option<PathBuf>,
    /// The trust anchors of the mesh (PEM).
    #[arg(long, value_name = "FILE", requires_all = ["cert", "key"])]
    pub roots: Option<PathBuf>,
    /// A certificate authority that speaks Istio's API, such as `ca-server`: its address.
    #[arg(long, value_name = "ADDR", requires_all = ["ca_roots", "ca_token"], conflicts_with_all = ["cert", "key", "roots"])]
    pub ca: Option<String>,
    /// The roots by which that authority is trusted until it has answered (PEM).
    #[arg(long, value_name = "FILE", requires = "ca")]
    pub ca_roots: Option<PathBuf>,
    /// The token that is shown to it: a JWT, or a join token. Once there is an identity, that is shown instead.
    #[arg(long, value_name = "FILE", requires = "ca")]
    pub ca_token: Option<PathBuf>,
    /// How many seconds each certificate lives. Default: what the authority gives, 24 hours. Not for PEM files.
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["cert", "key", "roots"])]
    pub svid_ttl: Option<u64>,
}

impl WorkloadFlags {
    /// The builder of the workload that the flags describe.
    ///
    /// # Errors
    ///
    /// The names do not make a SPIFFE ID, or the identity flags are incomplete.
    pub fn builder(&self) -> Result<WorkloadBuilder, Box<dyn Error>> {
        let id = ServiceAccountId::new(&self.trust_domain, &self.namespace, &self.service_account)?;
        let mut builder = Workload::builder(id, self.identity.source(&self.trust_domain)?)
            .root_namespace(&self.root_namespace);
        if let Some(seconds) = self.identity.svid_ttl {
            builder = builder.svid_ttl(Duration::from_secs(seconds));
        }
        for (key, value) in &self.labels {
            builder = builder.label(key, value);
        }
        if let Some(path) = &self.policies {
            let mut from = PoliciesFrom::path(path);
            if let Some((max_age, then)) = self.policies_stale {
                from = from.stale_after(max_age, then);
            }
            builder = builder.policies(from);
        }
        Ok(builder)
    }
}

impl IdentityFlags {
    fn source(&self, trust_domain: &TrustDomain) -> Result<IdentityFrom, Box<dyn Error>> {
        if let Some(directory) = &self.ca_dir {
            return Ok(IdentityFrom::ca_dir(directory));
        }
        if let (Some(cert), Some(key), Some(roots)) = (&self.cert, &self.key, &self.roots) {
            return Ok(IdentityFrom::pem_files(cert, key, roots));
        }
        if let (Some(address), Some(roots), Some(token)) =
            (&self.ca, &self.ca_roots, &self.ca_token)
        {
            // Who `ca-server` is in its own trust domain.
            let ca = ServiceAccountId::new(trust_domain, "istio-system", "istiod")?;
            let trust = CaTrust::spiffe_id(roots, ca.into());
            let client = IstioCaClient::new(address, trust, TlsProfile::ring()).token_file(token);
            return Ok(IdentityFrom::istio_ca(client));
        }
        Err("an identity is needed: --ca-dir DIR, or --cert FILE --key FILE --roots FILE, or --ca ADDR --ca-roots FILE --ca-token FILE"
            .into())
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is no label: write KEY=VALUE")),
    }
}

fn policies_stale(text: &str) -> Result<(Duration, WhenStale), String> {
    let then = |name| match name {
        "keep" => Some(WhenStale::Keep),
        "strict" => Some(WhenStale::Strict),
        "not-ready" => Some(WhenStale::NotReady),
        _ => None,
    };
    text.split_once('=')
        .and_then(|(seconds, name)| Some((Duration::from_secs(seconds.parse().ok()?), then(name)?)))
        .ok_or_else(|| {
            format!("`{text}` is no bound: write SECONDS=keep, SECONDS=strict or SECONDS=not-ready")
        })
}

#[cfg(test)]
mod tests {
    use super::{Duration, WhenStale, policies_stale};

    #[test]
    fn a_bound_on_the_age_of_policies() {
        for (text, then) in [
            ("300=keep", WhenStale::Keep),
            ("300=strict", WhenStale::Strict),
            ("300=not-ready", WhenStale::NotReady),
        ] {
            assert_eq!(policies_stale(text), Ok((Duration::from_secs(300), then)), "{text}");
        }
        for text in ["300", "300=", "=keep", "-1=keep", "5m=keep", "300=Strict"] {
            assert!(policies_stale(text).is_err(), "{text}");
        }
    }
}
