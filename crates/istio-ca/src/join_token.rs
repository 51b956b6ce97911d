//! One-time tokens for machines without a platform that vouches for them.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::AuthenticatedBy;
use meshtls_identity::{SpiffeId, TrustDomain};
use meshtls_rustls::rustls::crypto::CryptoProvider;
use meshtls_rustls::rustls::crypto::hash::{Hash, HashAlgorithm};
use meshtls_svid::read_file;
use rustls_pki_types::UnixTime;
use zeroize::Zeroizing;

use crate::authenticator::{Authenticator, AuthenticatorFuture, Caller, NotAuthenticated, Shown};
use crate::join_record::JoinRecord;

/// One-time tokens in a directory, which the processes of a machine may share. Each lets whoever shows it first become one SPIFFE ID,
/// once, and until it expires.
///
/// The directory never holds a token, only its hash (SHA-256 over a fixed prefix and the token): a token is 256 random bits, so there
/// is nothing to guess, and no need for the slow hashes that passwords want. A token is looked up by its hash, so that nothing is
/// compared with a secret, and no time tells of one.
///
/// | file | is |
/// | --- | --- |
/// | `<hash>.token` | a token that nobody has used: its ID and when it expires |
/// | `<hash>.used` | one that was used, kept until [`sweep`](Self::sweep) removes it |
///
/// A token is used by renaming its file, which at most one process can do, and which is on the disk before anything is issued: after a
/// crash between the two the token is gone, and nobody has a certificate by it. So is it when the rest of the request is refused.
///
/// Whoever can write to the directory can let anybody in. It is made for its owner only, and refused if others may write to it.
pub struct JoinTokens {
    directory: PathBuf,
    trust_domain: TrustDomain,
    provider: Arc<CryptoProvider>,
    sha256: &'static dyn Hash,
}

impl JoinTokens {
    /// The longest time that a token may wait for its use: seven days (our bound).
    pub const MAX_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// Opens `directory`, which is made if it is missing. Tokens are for IDs of `trust_domain`.
    ///
    /// # Errors
    ///
    /// * [`JoinTokenError::Directory`]: it can neither be opened nor made.
    /// * [`JoinTokenError::Exposed`]: others than its owner may write to it.
    /// * [`JoinTokenError::NoSha256`]: `provider` has no cipher suite with SHA-256.
    pub fn open(
        directory: impl Into<PathBuf>,
        trust_domain: TrustDomain,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, JoinTokenError> {
        let directory = directory.into();
        make(&directory).map_err(|error| JoinTokenError::at(&directory, error))?;
        let exposed = exposed(&directory).map_err(|error| JoinTokenError::at(&directory, error))?;
        if let Some(mode) = exposed {
            return Err(JoinTokenError::Exposed { path: directory, mode });
        }
        let sha256 = provider
            .cipher_suites
            .iter()
            .filter_map(|suite| Some(suite.tls13()?.common.hash_provider))
            .find(|hash| hash.algorithm() == HashAlgorithm::SHA256)
            .ok_or(JoinTokenError::NoSha256)?;
        Ok(Self { directory, trust_domain, provider, sha256 })
    }

    /// Makes a token for `id`, which expires `life` after `now`. It is given here once, and nowhere again.
    ///
    /// # Errors
    ///
    /// * [`JoinTokenError::ForeignId`]: `id` is no workload of the trust domain.
    /// * [`JoinTokenError::Life`]: `life` is zero, or longer than [`MAX_LIFE`](Self::MAX_LIFE).
    /// * [`JoinTokenError::Random`], [`JoinTokenError::Directory`]: it cannot be drawn or written.
    pub fn make(
        &self,
        id: &SpiffeId,
        life: Duration,
        now: UnixTime,
    ) -> Result<JoinToken, JoinTokenError> {
        if !id.is_member_of(&self.trust_domain) || id.path().is_empty() {
            return Err(JoinTokenError::ForeignId { presented: id.clone() });
        }
        if life.as_secs() == 0 || life > Self::MAX_LIFE {
            return Err(JoinTokenError::Life { life });
        }
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        self.provider
            .secure_random
            .fill(&mut *secret)
            .map_err(|_failed| JoinTokenError::Random)?;
        let expires = now.as_secs().saturating_add(life.as_secs());
        let record = JoinRecord { id: id.clone(), expires };
        let hash = self.hash(&*secret);
        let write = || {
            let unfinished = self.directory.join(format!("{hash}.new"));
            let mut file = private_file(&unfinished)?;
            file.write_all(record.to_string().as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, self.unused(&hash))?;
            sync(&self.directory)
        };
        write().map_err(|error| JoinTokenError::at(&self.directory, error))?;
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + SECRET_BYTES * 2));
        text.push_str(PREFIX);
        push_hex(&mut text, &*secret);
        Ok(JoinToken(text))
    }

    /// Uses `token` up, and tells for whom it was.
    ///
    /// # Errors
    ///
    /// [`UseTokenError`]. After [`UseTokenError::NotDurable`] the token may be used up.
    pub fn use_up(&self, token: &str, now: UnixTime) -> Result<UsedToken, UseTokenError> {
        let secret = secret(token).ok_or(UseTokenError::NotAToken)?;
        let hash = self.hash(&*secret);
        let unused = self.unused(&hash);
        let text = match read_file(&unused) {
            Ok(text) => text,
            Err(error) => return Err(self.why_not(&hash, error)),
        };
        let record: JoinRecord = str::from_utf8(&text)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(UseTokenError::Malformed)?;
        if record.expires < now.as_secs() {
            return Err(UseTokenError::Expired { at: record.expires });
        }
        if !record.id.is_member_of(&self.trust_domain) || record.id.path().is_empty() {
            return Err(UseTokenError::ForeignId { presented: record.id });
        }
        // Of several processes one can rename it: for the others it is not there any more.
        match fs::rename(&unused, self.used(&hash)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(UseTokenError::UsedBefore);
            }
            Err(error) => return Err(UseTokenError::Store(error)),
        }
        sync(&self.directory).map_err(UseTokenError::NotDurable)?;
        Ok(UsedToken { id: record.id, name: hash.name() })
    }

    /// Removes the tokens that have expired, used or not, and gives their number.
    ///
    /// # Errors
    ///
    /// [`JoinTokenError::Directory`].
    pub fn sweep(&self, now: UnixTime) -> Result<usize, JoinTokenError> {
        let mut removed = 0_usize;
        let mut sweep = || {
            for entry in fs::read_dir(&self.directory)? {
                let path = entry?.path();
                let ours = path
                    .extension()
                    .is_some_and(|kind| kind == UNUSED || kind == USED);
                let Some(record) = ours.then(|| read_file(&path).ok()).flatten() else { continue };
                let record = str::from_utf8(&record)
                    .ok()
                    .and_then(|text| text.parse::<JoinRecord>().ok());
                if record.is_some_and(|record| record.expires < now.as_secs()) {
                    fs::remove_file(&path)?;
                    removed = removed.saturating_add(1);
                }
            }
            sync(&self.directory)
        };
        sweep().map_err(|error| JoinTokenError::at(&self.directory, error))?;
        Ok(removed)
    }

    /// A token that is not there: used before, never made, or not readable.
    fn why_not(&self, hash: &TokenHash, error: meshtls_svid::LoadError) -> UseTokenError {
        match error {
            meshtls_svid::LoadError::Read { source, .. }
                if source.kind() == io::ErrorKind::NotFound =>
            {
                if self.used(hash).exists() {
                    UseTokenError::UsedBefore
                } else {
                    UseTokenError::Unknown
                }
            }
            meshtls_svid::LoadError::Read { source, .. } => UseTokenError::Store(source),
            other => UseTokenError::Store(io::Error::other(other)),
        }
    }

    /// One hash is enough: the secret has 256 random bits. The prefix keeps it apart from hashes made for anything else.
    fn hash(&self, secret: &[u8]) -> TokenHash {
        let mut hash = self.sha256.start();
        hash.update(DOMAIN);
        hash.update(secret);
        let mut text = String::new();
        push_hex(&mut text, hash.finish().as_ref());
        TokenHash(text)
    }

    fn unused(&self, hash: &TokenHash) -> PathBuf {
        self.directory.join(format!("{hash}.{UNUSED}"))
    }

    fn used(&self, hash: &TokenHash) -> PathBuf {
        self.directory.join(format!("{hash}.{USED}"))
    }
}

impl fmt::Debug for JoinTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinTokens")
            .field("directory", &self.directory)
            .field("trust_domain", &self.trust_domain)
            .finish_non_exhaustive()
    }
}

impl Authenticator for Arc<JoinTokens> {
    fn by(&self) -> AuthenticatedBy {
        AuthenticatedBy::JoinToken
    }

    fn authenticate<'a>(&'a self, shown: &'a Shown) -> AuthenticatorFuture<'a> {
        let (tokens, now) = (Self::clone(self), shown.now);
        let token = shown
            .bearer
            .as_ref()
            // The token of somebody else's kind is not ours to judge.
            .filter(|bearer| bearer.starts_with(PREFIX))
            .cloned();
        Box::pin(async move {
            let token = token.ok_or(NotAuthenticated::NotShown)?;
            let used = tokio::task::spawn_blocking(move || tokens.use_up(&token, now));
            match used.await {
                Ok(Ok(used)) => Ok(Caller::new(used.id).with_credential(used.name)),
                Ok(Err(error)) if error.is_the_stores() => {
                    Err(NotAuthenticated::cannot_tell(error.reason(), error))
                }
                Ok(Err(error)) => Err(NotAuthenticated::refused(error.reason(), error)),
                Err(ended) => Err(NotAuthenticated::cannot_tell("join_token_store", ended)),
            }
        })
    }
}

/// A token, to be shown once. It is overwritten when it is dropped, and `Debug` does not show it.
pub struct JoinToken(Zeroizing<String>);

impl JoinToken {
    /// The token's text: `meshtls-join-` and 64 hexadecimal digits.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinToken(..)")
    }
}

/// A token that was used up right now.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct UsedToken {
    /// For whom it was.
    pub id: SpiffeId,
    /// The beginning of its hash: tells tokens apart, and gives none away.
    pub name: String,
}

/// The hash of a token, in hexadecimal digits.
struct TokenHash(String);

impl TokenHash {
    fn name(&self) -> String {
        self.0.chars().take(16).collect()
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why there is no new token, or no directory for any.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinTokenError {
    /// The directory cannot be used.
    #[error("the directory `{}` cannot be used", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than its owner may write to the directory, and so let anybody in.
    #[error("others than its owner may write to `{}` (mode {mode:03o})", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The crypto provider has no cipher suite with SHA-256, and so no SHA-256.
    #[error("the crypto provider has no SHA-256")]
    NoSha256,
    /// The crypto provider gave no random bytes.
    #[error("the crypto provider gave no random bytes")]
    Random,
    /// The ID is no workload of the trust domain.
    #[error("{presented} is no workload of the own trust domain")]
    ForeignId {
        /// The ID asked for.
        presented: SpiffeId,
    },
    /// A token that never expires, or has expired at once.
    #[error("a life of {} s, wanted 1 to {} s", life.as_secs(), JoinTokens::MAX_LIFE.as_secs())]
    Life {
        /// The life asked for.
        life: Duration,
    },
}

impl JoinTokenError {
    fn at(directory: &Path, source: io::Error) -> Self {
        Self::Directory { path: directory.to_owned(), source }
    }

    /// A short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Directory { .. } => "join_token_directory",
            Self::Exposed { .. } => "join_token_directory_exposed",
            Self::NoSha256 => "no_sha256",
            Self::Random => "no_random",
            Self::ForeignId { .. } => "join_token_foreign_id",
            Self::Life { .. } => "join_token_life",
        }
    }
}

/// Why a token lets nobody in. The token is never shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UseTokenError {
    /// Not the text of a token.
    #[error("the text is no join token")]
    NotAToken,
    /// No such token was made here, or it was swept away.
    #[error("the join token is unknown")]
    Unknown,
    /// It was used before.
    #[error("the join token was used before")]
    UsedBefore,
    /// It has expired.
    #[error("the join token expired at {at}")]
    Expired {
        /// Its last second, since the Unix epoch.
        at: u64,
    },
    /// Its file does not hold what was written.
    #[error("the file of the join token is malformed")]
    Malformed,
    /// It is for an ID of another trust domain.
    #[error("the join token is for {presented}, which is no workload of the own trust domain")]
    ForeignId {
        /// The ID in its file.
        presented: SpiffeId,
    },
    /// The directory cannot be used.
    #[error("the directory of the join tokens cannot be used")]
    Store(#[source] io::Error),
    /// It was used up, but that may not outlive a crash: nothing is issued.
    #[error("the use of the join token cannot be made durable")]
    NotDurable(#[source] io::Error),
}

impl UseTokenError {
    /// A short label for metrics. It stays the same over releases.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotAToken => "join_token_malformed",
            Self::Unknown => "join_token_unknown",
            Self::UsedBefore => "join_token_used",
            Self::Expired { .. } => "join_token_expired",
            Self::Malformed => "join_token_file_malformed",
            Self::ForeignId { .. } => "join_token_foreign_id",
            Self::Store(_) => "join_token_store",
            Self::NotDurable(_) => "join_token_not_durable",
        }
    }

    /// Whether the token is not at fault.
    fn is_the_stores(&self) -> bool {
        matches!(self, Self::Store(_))
    }
}

/// The secret in a token's text.
fn secret(token: &str) -> Option<Zeroizing<[u8; SECRET_BYTES]>> {
    let hex = token.strip_prefix(PREFIX)?.as_bytes();
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    if hex.len() != SECRET_BYTES * 2 {
        return None;
    }
    for (byte, pair) in secret.iter_mut().zip(hex.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(secret)
}

/// Lower case only, so that a token has one text.
fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character.saturating_sub(b'0')),
        b'a'..=b'f' => Some(character.saturating_sub(b'a').saturating_add(10)),
        _ => None,
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
}

fn make(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// The mode of a directory to which others may write.
#[cfg(unix)]
fn exposed(directory: &Path) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(directory)?.permissions().mode() & 0o777;
    Ok((mode & 0o022 != 0).then_some(mode))
}

#[cfg(not(unix))]
fn exposed(_: &Path) -> io::Result<Option<u32>> {
    Ok(None)
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes what was renamed in `directory` outlive a crash.
#[cfg(unix)]
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

const SECRET_BYTES: usize = 32;
const PREFIX: &str = "meshtls-join-";
const DOMAIN: &[u8] = b"meshtls join token 1\0";
const UNUSED: &str = "token";
const USED: &str = "used";

#[cfg(test)]
mod tests;
