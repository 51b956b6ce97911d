//! Where a workload's identity and policies come from.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use meshtls_policy::Resources;
use meshtls_source::{IdentityPaths, Issuer, WhenStale};
use meshtls_svid::SvidSource;

/// Where the identity of a workload comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum IdentityFrom {
    /// An embedded certificate authority in a directory, made where it is missing. Processes that name the same directory trust
    /// each other. Whoever can read it can issue any identity: it is for one machine and one owner.
    #[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "ring", feature = "aws-lc-rs"))))]
    CaDir(PathBuf),
    /// PEM files, read again when they change.
    PemFiles(IdentityPaths),
    /// Whoever answers requests, such as a certificate authority at the other end of a network. It is asked in the background: the
    /// workload starts without an identity and refuses handshakes until the first answer
    /// ([`Workload::identity_ready`](crate::Workload::identity_ready) waits for it).
    Issuer(Arc<dyn Issuer>),
    /// A certificate authority that speaks Istio's API, such as istiod or [`IstioCaServer`](crate::istio_ca::IstioCaServer): an
    /// [`Issuer`](Self::Issuer) that is also shown the identity in use, so that a token is needed for the first one only.
    #[cfg(feature = "istio-ca")]
    #[cfg_attr(docsrs, doc(cfg(feature = "istio-ca")))]
    IstioCa(Arc<crate::istio_ca::IstioCaClient>),
    /// Anything that gives snapshots. It keeps itself fresh.
    Source(Arc<dyn SvidSource>),
}

impl IdentityFrom {
    /// [`IdentityFrom::CaDir`].
    #[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "ring", feature = "aws-lc-rs"))))]
    pub fn ca_dir(directory: impl AsRef<Path>) -> Self {
        Self::CaDir(directory.as_ref().to_owned())
    }

    /// [`IdentityFrom::IstioCa`].
    ///
    /// ```no_run
    /// use meshtls::istio_ca::{CaTrust, IstioCaClient};
    /// use meshtls::rustls::TlsProfile;
    /// use meshtls::{IdentityFrom, Workload};
    ///
    /// # #[cfg(feature = "ring")]
    /// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// let trust = CaTrust::spiffe_id(
    ///     "root-cert.pem",
    ///     "spiffe://prod.example/ns/istio-system/sa/istiod".parse()?,
    /// );
    /// let ca = IstioCaClient::new("ca.example:15012", trust, TlsProfile::ring()).token_file("token");
    /// let id = "prod.example/ns/pay/sa/ledger".parse()?;
    /// let workload = Workload::builder(id, IdentityFrom::istio_ca(ca)).start()?;
    /// workload.identity_ready().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "istio-ca")]
    #[cfg_attr(docsrs, doc(cfg(feature = "istio-ca")))]
    #[must_use]
    pub fn istio_ca(client: crate::istio_ca::IstioCaClient) -> Self {
        Self::IstioCa(Arc::new(client))
    }

    /// [`IdentityFrom::PemFiles`]: the chain (leaf first), its key, and the trust anchors of the own trust domain.
    pub fn pem_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
        roots: impl AsRef<Path>,
    ) -> Self {
        Self::PemFiles(IdentityPaths {
            certificate: certificate.as_ref().to_owned(),
            key: key.as_ref().to_owned(),
            roots: roots.as_ref().to_owned(),
        })
    }
}

/// Where policies, or services, come from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum PoliciesFrom {
    /// Nowhere: every port is PERMISSIVE, Istio's default.
    #[default]
    Nowhere,
    /// YAML or JSON text, and the name that errors call it by.
    Text {
        /// Such as a file name.
        name: String,
        /// One document or several.
        text: String,
    },
    /// A file, or a directory of `*.yaml`, `*.yml` and `*.json`. Policies are read again when it changes.
    Path {
        /// The file or directory.
        path: PathBuf,
        /// How old the policies in force may get, and what happens then; `None` lets them get as old as they like.
        stale_after: Option<(Duration, WhenStale)>,
    },
    /// Resources that are parsed already.
    Value(Resources),
}

impl PoliciesFrom {
    /// [`PoliciesFrom::Text`].
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Text { name: name.into(), text: text.into() }
    }

    /// [`PoliciesFrom::Path`].
    pub fn path(path: impl AsRef<Path>) -> Self {
        Self::Path { path: path.as_ref().to_owned(), stale_after: None }
    }

    /// Bounds the age of policies that come from a path: how long their files may be unreadable or bad, and what happens then
    /// ([`PolicyFiles::stale_after`](meshtls_source::PolicyFiles::stale_after)). Whatever else policies come from is read once and
    /// has no age; neither have services.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use meshtls::PoliciesFrom;
    /// use meshtls::source::WhenStale;
    ///
    /// // After five minutes without a good look at the files, every port is STRICT until there is one.
    /// let from = PoliciesFrom::path("policies/").stale_after(Duration::from_secs(300), WhenStale::Strict);
    /// # drop(from);
    /// ```
    #[must_use]
    pub fn stale_after(self, max_age: Duration, then: WhenStale) -> Self {
        match self {
            Self::Path { path, .. } => Self::Path { path, stale_after: Some((max_age, then)) },
            once @ (Self::Nowhere | Self::Text { .. } | Self::Value(_)) => once,
        }
    }
}

impl From<Resources> for PoliciesFrom {
    fn from(resources: Resources) -> Self {
        Self::Value(resources)
    }
}
