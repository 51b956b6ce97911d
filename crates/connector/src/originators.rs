//! The TLS clients for what rules want of SIMPLE and MUTUAL, made of files, credentials and the system's authorities.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use meshtls_policy::{ClientCredential, Roots};
use meshtls_rustls::{OriginationClient, OriginationConfigError, TlsProfile};
use meshtls_svid::{KeyedChain, KeyedChainError, LoadError, ServerAuthorities, read_file};
use zeroize::Zeroizing;

use crate::origination::Originate;
use crate::system_roots::SystemRoots;
use crate::{Credential, CredentialResolver, OriginationUnavailable};

/// Makes TLS clients. Files and credentials are read for every connection, so that new ones count at once; what they hold is
/// parsed again only if it has changed.
#[derive(Debug)]
pub(crate) struct Originators {
    pub(crate) profile: TlsProfile,
    pub(crate) settings: OriginationSettings,
    pub(crate) known: Mutex<Vec<Known>>,
}

/// What the builder says about SIMPLE and MUTUAL.
#[derive(Debug, Default)]
pub(crate) struct OriginationSettings {
    pub(crate) system_roots: SystemRoots,
    pub(crate) credentials: Option<Arc<dyn CredentialResolver>>,
    pub(crate) may_skip_verification: bool,
}

/// A client and what it was made of.
#[derive(Debug)]
pub(crate) struct Known {
    wanted: Originate,
    made_of: Material,
    client: OriginationClient,
}

impl Originators {
    pub(crate) fn new(profile: TlsProfile, settings: OriginationSettings) -> Self {
        Self { profile, settings, known: Mutex::default() }
    }

    /// The client for `wanted`.
    pub(crate) fn client(
        &self,
        wanted: &Originate,
    ) -> Result<OriginationClient, OriginationUnavailable> {
        if let Some(objection) = self.objection(wanted) {
            return Err(objection);
        }
        let material = self.material(wanted)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known
            .iter()
            .find(|known| known.wanted == *wanted && known.made_of == material)
        {
            return Ok(same.client.clone());
        }
        let client = self.build(&material)?;
        known.retain(|known| known.wanted != *wanted);
        if known.len() >= MAX_KNOWN {
            known.remove(0);
        }
        let (wanted, made_of) = (wanted.clone(), material);
        known.push(Known { wanted, made_of, client: client.clone() });
        Ok(client)
    }

    /// Why `wanted` cannot be done, whatever files and credentials hold.
    pub(crate) fn objection(&self, wanted: &Originate) -> Option<OriginationUnavailable> {
        let verifies = !wanted.skips_verification();
        if !verifies && !self.settings.may_skip_verification {
            return Some(OriginationUnavailable::InsecureSkipVerify);
        }
        let name = match (&wanted.credential, &wanted.origination.roots) {
            (Some(ClientCredential::Credential(name)), _) => name,
            (_, Roots::Credential(name)) if verifies => name,
            _ => return None,
        };
        match self.settings.credentials {
            Some(_) => None,
            None => Some(OriginationUnavailable::NoCredentialResolver { name: name.clone() }),
        }
    }

    fn material(&self, wanted: &Originate) -> Result<Material, OriginationUnavailable> {
        let crl = || {
            wanted
                .origination
                .crl
                .as_deref()
                .map(TextFile::read)
                .transpose()
        };
        let trust = match &wanted.origination.roots {
            _ if wanted.skips_verification() => Trust::Anybody,
            Roots::System => Trust::System { crl: crl()? },
            Roots::File(path) => Trust::File { authorities: TextFile::read(path)?, crl: crl()? },
            // A credential has its own lists: Istio looks at `caCrl` for files only.
            Roots::Credential(name) => match self.credential(name)?.authorities {
                Some(authorities) => Trust::Credential(authorities),
                None => return Err(lacks(name, "authorities")),
            },
        };
        let own = match &wanted.credential {
            None => Own::Nothing,
            Some(ClientCredential::Files { certificate, private_key }) => Own::Files {
                certificate: TextFile::read(certificate)?,
                private_key: TextFile::read(private_key)?,
            },
            Some(ClientCredential::Credential(name)) => match self.credential(name)?.certificate {
                Some(certificate) => Own::Credential { name: name.clone(), certificate },
                None => return Err(lacks(name, "certificate")),
            },
        };
        Ok(Material { trust, own })
    }

    fn credential(&self, name: &str) -> Result<Credential, OriginationUnavailable> {
        let name = name.to_owned();
        match &self.settings.credentials {
            None => Err(OriginationUnavailable::NoCredentialResolver { name }),
            Some(resolver) => resolver
                .credential(&name)
                .map_err(|source| OriginationUnavailable::Credential { name, source }),
        }
    }

    fn build(&self, material: &Material) -> Result<OriginationClient, OriginationUnavailable> {
        let own = material.own.certificate()?;
        let client = match self.authorities(&material.trust)? {
            Some(authorities) => OriginationClient::new(&self.profile, authorities, own.as_deref()),
            None => {
                OriginationClient::dangerous_without_verification(&self.profile, own.as_deref())
            }
        };
        client.map_err(|source| match (&material.own, source) {
            (_, source @ OriginationConfigError::Provider(_)) | (Own::Nothing, source) => {
                OriginationUnavailable::Profile(source)
            }
            (Own::Files { certificate, .. }, source) => {
                let of = format!("`{}`", certificate.path);
                OriginationUnavailable::ClientCertificate { of, source }
            }
            (Own::Credential { name, .. }, source) => {
                let of = format!("credential `{name}`");
                OriginationUnavailable::ClientCertificate { of, source }
            }
        })
    }

    /// `None`: nobody needs to vouch.
    fn authorities(
        &self,
        trust: &Trust,
    ) -> Result<Option<Arc<ServerAuthorities>>, OriginationUnavailable> {
        let (authorities, crl) = match trust {
            Trust::Anybody => return Ok(None),
            Trust::Credential(authorities) => return Ok(Some(Arc::clone(authorities))),
            Trust::System { crl: None } => return self.settings.system_roots.shared().map(Some),
            Trust::System { crl } => (self.settings.system_roots.own()?, crl),
            Trust::File { authorities: TextFile { path, text }, crl } => {
                let authorities = ServerAuthorities::from_pem(text)
                    .map_err(|source| LoadError::Bundle { path: path.into(), source })?;
                (authorities, crl)
            }
        };
        let authorities = match crl {
            None => authorities,
            Some(TextFile { path, text }) => authorities
                .with_revocation_pem(text)
                .map_err(|source| LoadError::RevocationLists { path: path.into(), source })?,
        };
        Ok(Some(Arc::new(authorities)))
    }
}

fn lacks(name: &str, part: &'static str) -> OriginationUnavailable {
    OriginationUnavailable::CredentialLacks { name: name.to_owned(), part }
}

/// What a client is made of, as it was read.
#[derive(Debug, PartialEq)]
struct Material {
    trust: Trust,
    own: Own,
}

#[derive(Debug)]
enum Trust {
    Anybody,
    System { crl: Option<TextFile> },
    File { authorities: TextFile, crl: Option<TextFile> },
    Credential(Arc<ServerAuthorities>),
}

#[derive(Debug)]
enum Own {
    Nothing,
    Files { certificate: TextFile, private_key: TextFile },
    Credential { name: String, certificate: Arc<KeyedChain> },
}

impl Own {
    fn certificate(&self) -> Result<Option<Arc<KeyedChain>>, OriginationUnavailable> {
        match self {
            Self::Nothing => Ok(None),
            Self::Credential { certificate, .. } => Ok(Some(Arc::clone(certificate))),
            Self::Files { certificate, private_key } => {
                let own = KeyedChain::from_pem(&certificate.text, &private_key.text);
                let own = own.map_err(|source| {
                    let at_fault = match source {
                        KeyedChainError::Key(_) => private_key,
                        _ => certificate,
                    };
                    LoadError::KeyedChain { path: (&at_fault.path).into(), source }
                })?;
                Ok(Some(Arc::new(own)))
            }
        }
    }
}

/// Texts are compared by what they hold, values of a resolver by their address: they are kept, so it is not used again.
impl PartialEq for Trust {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Anybody, Self::Anybody) => true,
            (Self::System { crl: a }, Self::System { crl: b }) => a == b,
            (Self::File { authorities: a, crl: x }, Self::File { authorities: b, crl: y }) => {
                a == b && x == y
            }
            (Self::Credential(a), Self::Credential(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl PartialEq for Own {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, Self::Nothing) => true,
            (
                Self::Files { certificate: a, private_key: x },
                Self::Files { certificate: b, private_key: y },
            ) => a == b && x == y,
            (Self::Credential { certificate: a, .. }, Self::Credential { certificate: b, .. }) => {
                Arc::ptr_eq(a, b)
            }
            _ => false,
        }
    }
}

/// A file and its text, which may be a private key.
#[derive(PartialEq)]
struct TextFile {
    path: String,
    text: Zeroizing<Vec<u8>>,
}

impl TextFile {
    fn read(path: &str) -> Result<Self, LoadError> {
        Ok(Self { path: path.to_owned(), text: read_file(Path::new(path))? })
    }
}

impl std::fmt::Debug for TextFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// How many clients are kept. A rule needs one; those of rules that are gone are pushed out.
const MAX_KNOWN: usize = 64;
