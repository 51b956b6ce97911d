//! Where a workload's identity and policies come from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use meshtls_policy::Resources;
use meshtls_source::IdentityPaths;
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
    Path(PathBuf),
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
        Self::Path(path.as_ref().to_owned())
    }
}

impl From<Resources> for PoliciesFrom {
    fn from(resources: Resources) -> Self {
        Self::Value(resources)
    }
}
