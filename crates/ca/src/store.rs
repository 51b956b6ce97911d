//! An authority kept in a directory, which several processes may share.
//!
//! The files have the names of Istio's plugged-in CA, so a directory made for that can be used here:
//!
//! | file | holds |
//! | --- | --- |
//! | `ca-key.pem` | the signing key; only its owner may read it |
//! | `root-cert.pem` | the roots: what others must trust |
//! | `cert-chain.pem` | the certificates between the signing one and a root; may be missing |
//! | `ca-cert.pem` | the signing certificate; written last, so a directory that has it is complete |
//! | `.lock` | nothing; held by who creates |

mod files;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use meshtls_identity::TrustDomain;
use rustls_pki_types::{SignatureVerificationAlgorithm, UnixTime};

use self::files::{Readers, read, read_key, write};
use crate::{
    Authority, AuthorityOptions, AuthorityPem, FromPemError, GenerateError, KeyPair,
    LoadAuthorityError, SerialSource,
};

/// A directory that holds an authority.
#[derive(Debug)]
pub struct CaDir {
    path: PathBuf,
}

impl CaDir {
    /// Opens the authority in the directory `path`, or makes a self-signed root there.
    ///
    /// Several processes may do so at once: one of them makes the root, the others wait and then open it. A
    /// process that died in the middle leaves a key without a certificate; the next one goes on from there. The
    /// directory is made if need be, readable by its owner only. `options` and `serials` count when a root is
    /// made, `algorithms`, those of the crypto provider, when one is opened.
    ///
    /// # Errors
    ///
    /// [`StoreError`] names the file and what to do about it. No file is ever replaced.
    pub fn open_or_create(
        path: &Path,
        trust_domain: &TrustDomain,
        options: &AuthorityOptions,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<Authority, StoreError> {
        let directory = Self { path: path.to_owned() };
        if !directory.has(CERTIFICATE)? {
            files::create_directory(path)?;
            files::check_directory(path)?;
            let _lock = files::lock(&directory.file(LOCK))?;
            directory.complete(trust_domain, options, algorithms, now, serials)?;
        }
        directory.open(trust_domain, algorithms, now)
    }

    /// Makes what is missing. The lock is held.
    fn complete(
        &self,
        trust_domain: &TrustDomain,
        options: &AuthorityOptions,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        now: UnixTime,
        serials: &mut dyn SerialSource,
    ) -> Result<(), StoreError> {
        if self.has(CERTIFICATE)? {
            return Ok(()); // Another process was faster.
        }
        let key = match (self.has(KEY)?, self.has(ROOTS)?) {
            (true, true) => return self.complete_root(trust_domain, algorithms, now),
            (true, false) => KeyPair::from_pem(&read_key(&self.file(KEY))?)
                .map_err(|error| self.unusable(FromPemError::Key(error)))?,
            (false, true) => return Err(self.missing(KEY, ROOTS)),
            (false, false) => {
                let key = KeyPair::generate(options.key_type)
                    .map_err(|error| self.not_made(error.into()))?;
                write(&self.file(KEY), key.to_pem().as_bytes(), Readers::Owner)?;
                key
            }
        };
        let root = Authority::self_signed_with(
            trust_domain.clone(),
            Arc::new(key),
            options.lifetime,
            now,
            serials,
        )
        .map_err(|error| self.not_made(error.into()))?;
        let pem = root.trust_bundle().to_pem();
        write(&self.file(ROOTS), pem.as_bytes(), Readers::All)?;
        write(&self.file(CERTIFICATE), pem.as_bytes(), Readers::All)
    }

    /// Key and root are there: either the root is the key's, or a file was forgotten.
    fn complete_root(
        &self,
        trust_domain: &TrustDomain,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let (key, root) = (read_key(&self.file(KEY))?, read(&self.file(ROOTS))?);
        let pem = AuthorityPem::root(&root, &key);
        match Authority::from_pem(trust_domain.clone(), &pem, algorithms, now) {
            Ok(_) => write(&self.file(CERTIFICATE), &root, Readers::All),
            Err(FromPemError::Load(LoadAuthorityError::KeyMismatch)) => {
                Err(self.missing(CERTIFICATE, ROOTS))
            }
            Err(error) => Err(self.unusable(error)),
        }
    }

    fn open(
        &self,
        trust_domain: &TrustDomain,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        now: UnixTime,
    ) -> Result<Authority, StoreError> {
        files::check_directory(&self.path)?;
        for needed in [KEY, ROOTS] {
            if !self.has(needed)? {
                return Err(self.missing(needed, CERTIFICATE));
            }
        }
        let certificate = read(&self.file(CERTIFICATE))?;
        let key = read_key(&self.file(KEY))?;
        let roots = read(&self.file(ROOTS))?;
        let chain = if self.has(CHAIN)? { read(&self.file(CHAIN))? } else { Vec::new() };
        let pem = AuthorityPem::intermediate(&certificate, &key, &chain, &roots);
        Authority::from_pem(trust_domain.clone(), &pem, algorithms, now)
            .map_err(|error| self.unusable(error))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn has(&self, name: &str) -> Result<bool, StoreError> {
        let path = self.file(name);
        match fs::metadata(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StoreError::Io { doing: "look at", path, source }),
        }
    }

    fn missing(&self, name: &str, beside: &str) -> StoreError {
        StoreError::Missing { path: self.file(name), beside: self.file(beside) }
    }

    fn not_made(&self, source: GenerateError) -> StoreError {
        StoreError::NotMade { path: self.path.clone(), source }
    }

    /// Blames the file that the error is about.
    fn unusable(&self, source: FromPemError) -> StoreError {
        let name = match &source {
            FromPemError::Key(_) => KEY,
            FromPemError::Chain => CHAIN,
            FromPemError::Roots | FromPemError::Load(LoadAuthorityError::Roots(_)) => ROOTS,
            FromPemError::Certificate | FromPemError::Load(_) => CERTIFICATE,
        };
        StoreError::Unusable { path: self.file(name), source }
    }
}

/// Why a directory does not give an authority, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refused an operation.
    #[error("cannot {doing} {}: check that this process may, and that the disk is not full", path.display())]
    Io {
        /// What was tried, such as `write`.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else than a regular file, or more than a megabyte of it.
    #[error("{} is not a regular file of at most 1 MiB: move it away", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Others than its owner have a permission on the key file. Never on platforms without Unix modes.
    #[error("others can reach the key {} (mode {mode:04o}): run `chmod 600 {0}`; if somebody may have read it, replace the authority", path.display())]
    KeyExposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others than its owner may write to the directory or to a file in it, so they could have put another authority there. Never on
    /// platforms without Unix modes.
    #[error("others can write to {} (mode {mode:04o}): run `chmod go-w {0}`, and look whether the authority is still yours", path.display())]
    Writable {
        /// The directory or file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file belongs to somebody else than its directory, and not to root. Never on platforms without Unix modes.
    #[error("{} belongs to user {owner}, its directory to user {directory_owner}: give both to one user", path.display())]
    ForeignOwner {
        /// The file.
        path: PathBuf,
        /// The user ID of its owner.
        owner: u32,
        /// The user ID of the directory's owner.
        directory_owner: u32,
    },
    /// A file that belongs to another is not there.
    #[error("{} is missing, but {} is there: put it back, or move the directory's files away for a new root", path.display(), beside.display())]
    Missing {
        /// The file that is needed.
        path: PathBuf,
        /// The file that needs it.
        beside: PathBuf,
    },
    /// The files are there, and are no authority.
    #[error("{} cannot be used: repair it, or move the directory's files away for a new root", path.display())]
    Unusable {
        /// The file at fault, as far as one is.
        path: PathBuf,
        /// What is wrong.
        source: FromPemError,
    },
    /// No root could be made.
    #[error("no authority could be made for {}", path.display())]
    NotMade {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: GenerateError,
    },
}

const KEY: &str = "ca-key.pem";
const ROOTS: &str = "root-cert.pem";
const CHAIN: &str = "cert-chain.pem";
const CERTIFICATE: &str = "ca-cert.pem";
const LOCK: &str = ".lock";
