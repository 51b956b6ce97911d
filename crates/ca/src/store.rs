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
//! | `rotation.pem` | from the first step of a rotation on: the whole state, keys included. **The truth** where it is there: the four above are then copies of what signs and is trusted, for programs that know only those |
//! | `ledger` | what was issued: one line for each X509-SVID, appended before it is handed out |
//! | `.lock` | nothing; held by who changes something |
//!
//! Everything that changes does so in one place: a new root with the name of `ca-cert.pem`, a step with that of
//! `rotation.pem`, an issuance with a line's end in `ledger`. A process that dies anywhere leaves the state before or
//! after. Locks, renames and appended lines have to mean what they mean on a local file system: do not share the directory
//! over a network.

mod error;
mod files;
mod ledger_file;
mod shared;
mod state_file;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use meshtls_identity::TrustDomain;
use rustls_pki_types::{SignatureVerificationAlgorithm, UnixTime};

pub use self::error::{StepError, StoreError};
use self::files::{Held, Readers, read, read_key, write};
pub use self::shared::SharedAuthority;
use self::state_file::At;
use crate::{
    Authority, AuthorityOptions, AuthorityPem, FromPemError, GenerateError, KeyPair,
    LoadAuthorityError, Rotation, SerialSource, pem,
};

/// A directory that holds an authority.
#[derive(Debug)]
pub struct CaDir {
    path: PathBuf,
}

/// What is in a directory at one moment.
#[derive(Debug)]
struct Loaded {
    rotation: Rotation,
    /// Those of the authorities in `rotation`.
    keys: Vec<Arc<KeyPair>>,
    /// The file that holds the truth, kept open.
    held: Held,
}

impl CaDir {
    /// Opens the authority in the directory `path`, or makes a self-signed root there.
    ///
    /// Several processes may do so at once: one of them makes the root, the others wait and then open it. A
    /// process that died in the middle leaves a key without a certificate; the next one goes on from there. The
    /// directory is made if need be, readable by its owner only. `options` and `serials` count when a root is
    /// made, `algorithms`, those of the crypto provider, when one is opened.
    ///
    /// What is given is the authority as it is now: it does not follow a rotation, and what it issues is not
    /// recorded, so no rotation waits for it. [`SharedAuthority`] does both.
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
        if !directory.is_complete()? {
            let _lock = directory.create_and_lock()?;
            directory.complete(trust_domain, options, algorithms, now, serials)?;
        }
        let loaded = directory.load(trust_domain, algorithms, At::Exactly(now))?;
        Ok(loaded.rotation.to_authority())
    }

    /// Makes the directory if need be, and waits for its lock.
    fn create_and_lock(&self) -> Result<fs::File, StoreError> {
        files::create_directory(&self.path)?;
        files::check_directory(&self.path)?;
        files::lock(&self.file(LOCK))
    }

    /// Whether there is an authority: then nothing is made any more.
    fn is_complete(&self) -> Result<bool, StoreError> {
        Ok(self.has(STATE)? || self.has(CERTIFICATE)?)
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
        if self.is_complete()? {
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

    /// Reads the state. No lock is needed: what is read came to be in one rename.
    fn load(
        &self,
        trust_domain: &TrustDomain,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        at: At,
    ) -> Result<Loaded, StoreError> {
        files::check_directory(&self.path)?;
        if !self.has(STATE)? {
            let plain = self.load_plain(trust_domain, algorithms, at);
            // The first step may have been taken in the meantime, and its copies be half written.
            if !self.has(STATE)? {
                return plain;
            }
        }
        self.load_state(trust_domain, algorithms, at)
    }

    fn load_state(
        &self,
        trust_domain: &TrustDomain,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        at: At,
    ) -> Result<Loaded, StoreError> {
        let path = self.file(STATE);
        let (text, held) = files::read_key_and_hold(&path)?;
        let (rotation, keys) = state_file::read(&text, trust_domain, algorithms, at)
            .map_err(|error| error.at(path))?;
        Ok(Loaded { rotation, keys, held })
    }

    fn load_plain(
        &self,
        trust_domain: &TrustDomain,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        at: At,
    ) -> Result<Loaded, StoreError> {
        for needed in [KEY, ROOTS] {
            if !self.has(needed)? {
                return Err(self.missing(needed, CERTIFICATE));
            }
        }
        let (certificate, held) = files::read_and_hold(&self.file(CERTIFICATE))?;
        let key = read_key(&self.file(KEY))?;
        let roots = read(&self.file(ROOTS))?;
        let chain = if self.has(CHAIN)? { read(&self.file(CHAIN))? } else { Vec::new() };
        let pem = AuthorityPem::intermediate(&certificate, &key, &chain, &roots);
        let (authority, key) = pem
            .load(trust_domain.clone(), algorithms, |path, roots| at.of(path, roots))
            .map_err(|error| self.unusable(error))?;
        Ok(Loaded { rotation: Rotation::steady(authority), keys: vec![key], held })
    }

    /// Whether what was loaded is still the truth: one or two looks at names, no reading.
    fn is_current(&self, loaded: &Loaded) -> Result<bool, StoreError> {
        let (state, certificate) = (self.file(STATE), self.file(CERTIFICATE));
        if loaded.held.is_of(&state) {
            return loaded.held.is_still_there();
        }
        if self.has(STATE)? {
            return Ok(false);
        }
        match loaded.held.is_still_there()? {
            true => Ok(true),
            // The first step was taken between the two looks, and its copies written.
            false if self.has(STATE)? => Ok(false),
            false => Err(StoreError::Exchanged { path: certificate }),
        }
    }

    /// Takes the next state: with the new name of `rotation.pem`. The lock is held.
    fn commit(
        &self,
        rotation: &Rotation,
        keys: &[Arc<KeyPair>],
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let path = self.file(STATE);
        let text = state_file::write(rotation, keys)
            .ok_or_else(|| StoreError::Damaged { path: path.clone(), line: 0 })?;
        // What would not be read again is not written.
        if !files::is_readable_length(text.len()) {
            return Err(StoreError::NotAFile { path });
        }
        let trust_domain = rotation.signing().trust_domain();
        state_file::read(text.as_bytes(), trust_domain, algorithms, At::Near(now))
            .map_err(|error| error.at(path.clone()))?;
        write(&path, text.as_bytes(), Readers::Owner)
    }

    /// Brings the four copies in line with the state. The lock is held.
    fn publish(&self, loaded: &Loaded) -> Result<(), StoreError> {
        if !loaded.held.is_of(&self.file(STATE)) {
            return Ok(()); // They are the state.
        }
        let signing = loaded.rotation.signing();
        let key = loaded
            .keys
            .iter()
            .find(|key| state_file::is_key_of(key, signing));
        let roots = pem::certificates(&loaded.rotation.roots().certificates);
        let chain = pem::certificates(signing.intermediates());
        let certificate = pem::certificates(std::slice::from_ref(signing.certificate()));
        self.copy(ROOTS, roots.as_bytes(), Readers::All)?;
        if !chain.is_empty() {
            self.copy(CHAIN, chain.as_bytes(), Readers::All)?;
        } else if self.has(CHAIN)? {
            files::remove(&self.file(CHAIN))?;
        }
        if let Some(key) = key {
            self.copy(KEY, key.to_pem().as_bytes(), Readers::Owner)?;
        }
        self.copy(CERTIFICATE, certificate.as_bytes(), Readers::All)
    }

    fn copy(&self, name: &str, contents: &[u8], readers: Readers) -> Result<(), StoreError> {
        let path = self.file(name);
        if files::holds(&path, contents) {
            // Half a key of before may lie beside it.
            files::remove_unfinished(&path)
        } else {
            write(&path, contents, readers)
        }
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

const KEY: &str = "ca-key.pem";
const ROOTS: &str = "root-cert.pem";
const CHAIN: &str = "cert-chain.pem";
const CERTIFICATE: &str = "ca-cert.pem";
const STATE: &str = "rotation.pem";
const LEDGER: &str = "ledger";
const LOCK: &str = ".lock";
