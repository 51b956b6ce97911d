//! `rotation.pem`: a whole state of a rotation in one file, which one rename replaces.
//!
//! ```text
//! # meshtls rotation 1
//! # phase prepared
//! # generation 3
//! # authority trusted-since 0 signed-until 0
//! # key
//! -----BEGIN PRIVATE KEY----- ...
//! # certificate
//! -----BEGIN CERTIFICATE----- ...
//! # chain
//! # roots
//! -----BEGIN CERTIFICATE----- ...
//! # authority ...
//! # end
//! ```
//!
//! The authority that signs comes first. PEM has no line that begins with `#`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use meshtls_identity::TrustDomain;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::{ASN1Time, FromDer as _};
use zeroize::Zeroizing;

use super::StoreError;
use crate::rotation::Root;
use crate::{Authority, AuthorityPem, FromPemError, KeyPair, Phase, Rotation, Signer as _, pem};

/// At what time an authority that is read has to be valid.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    Exactly(UnixTime),
    /// At the moment of its life that is next to now: one that has expired can still be rotated out, and says that it
    /// has expired when it is to issue.
    Near(UnixTime),
}

impl At {
    fn now(self) -> UnixTime {
        match self {
            Self::Exactly(now) | Self::Near(now) => now,
        }
    }

    /// `path` is the signing certificate and what is above it: all of them end what the authority can do, and so does the last
    /// of the roots.
    pub(super) fn of(
        self,
        path: &[CertificateDer<'static>],
        roots: &[CertificateDer<'static>],
    ) -> UnixTime {
        let now = self.now();
        let Self::Near(_) = self else { return now };
        let lives = |certificates: &[CertificateDer<'static>]| {
            certificates.iter().filter_map(life).collect::<Vec<_>>()
        };
        let (path, roots) = (lives(path), lives(roots));
        let begin = path.iter().map(|(from, _)| *from).max();
        let last_root = roots.iter().map(|(_, to)| *to).max();
        let end = path.iter().map(|(_, to)| *to).chain(last_root).min();
        now.max(begin.unwrap_or(now)).min(end.unwrap_or(now))
    }
}

/// The file as text. `None` if a key is missing, which the caller rules out.
pub(super) fn write(rotation: &Rotation, keys: &[Arc<KeyPair>]) -> Option<Zeroizing<String>> {
    let mut parts = vec![Zeroizing::new(format!(
        "{MAGIC}\n# phase {}\n# generation {}\n",
        rotation.phase(),
        rotation.generation()
    ))];
    let signing = rotation.signing_root();
    for root in std::iter::once(signing).chain(rotation.other_root()) {
        let Root { authority, trusted_since, signed_until } = root;
        let key = keys.iter().find(|key| is_key_of(key, authority))?;
        let certificate = pem::certificates(std::slice::from_ref(authority.certificate()));
        parts.push(Zeroizing::new(format!(
            "{AUTHORITY}trusted-since {trusted_since} signed-until {signed_until}\n{KEY}"
        )));
        parts.push(key.to_pem());
        parts.push(Zeroizing::new(format!(
            "{CERTIFICATE}{certificate}{CHAIN}{}{ROOTS}{}",
            pem::certificates(authority.intermediates()),
            pem::certificates(authority.roots()),
        )));
    }
    parts.push(Zeroizing::new(END.to_owned()));
    // Room for all of it, so that no copy of a key is left behind by growing.
    let length = parts
        .iter()
        .fold(0_usize, |sum, part| sum.saturating_add(part.len()));
    let mut text = Zeroizing::new(String::with_capacity(length));
    parts.iter().for_each(|part| text.push_str(part));
    Some(text)
}

/// Reads it back. Every authority is loaded as if it were plugged in: keys, chains and roots fit.
pub(super) fn read(
    bytes: &[u8],
    trust_domain: &TrustDomain,
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    at: At,
) -> Result<(Rotation, Vec<Arc<KeyPair>>), StateError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| StateError::Format { line: line_at(bytes, error.valid_up_to()) })?;
    let body = text
        .strip_suffix(END)
        .ok_or_else(|| StateError::at_end(text))?;
    let mut parts = body.split(AUTHORITY);
    let head = parts.next().unwrap_or_default();
    let (phase, generation) = read_head(head).ok_or(StateError::Format { line: 1 })?;
    let (mut roots, mut keys) = (vec![], vec![]);
    let mut line = head.lines().count();
    for part in parts {
        let parsed = Part::read(part).ok_or(StateError::Format { line: line.saturating_add(1) })?;
        line = line.saturating_add(part.lines().count());
        // Only who signs has to be valid.
        let at = if roots.is_empty() { at } else { At::Near(at.now()) };
        let (authority, key) = parsed
            .pem
            .load(trust_domain.clone(), algorithms, |path, roots| at.of(path, roots))
            .map_err(StateError::Authority)?;
        let Part { trusted_since, signed_until, .. } = parsed;
        roots.push(Root { authority: Arc::new(authority), trusted_since, signed_until });
        keys.push(key);
    }
    let mut roots = roots.into_iter();
    let rotation = match (roots.next(), roots.next(), roots.next()) {
        (Some(signing), other, None) => Rotation::restore(phase, generation, signing, other),
        _ => None,
    };
    let rotation = rotation.ok_or_else(|| StateError::at_end(text))?;
    Ok((rotation, keys))
}

/// Whether `key` is what `authority` signs with.
pub(super) fn is_key_of(key: &KeyPair, authority: &Authority) -> bool {
    key.public_key() == authority.signer().public_key()
}

/// Why the text is no state.
#[derive(Debug)]
pub(super) enum StateError {
    Format { line: usize },
    Authority(FromPemError),
}

impl StateError {
    fn at_end(text: &str) -> Self {
        Self::Format { line: text.lines().count() }
    }

    pub(super) fn at(self, path: PathBuf) -> StoreError {
        match self {
            Self::Format { line } => StoreError::Damaged { path, line },
            Self::Authority(source) => StoreError::Unusable { path, source },
        }
    }
}

/// One authority as it is written down.
struct Part<'a> {
    trusted_since: u64,
    signed_until: u64,
    pem: AuthorityPem<'a>,
}

impl<'a> Part<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (head, rest) = text.split_once(KEY)?;
        let (key, rest) = rest.split_once(CERTIFICATE)?;
        let (certificate, rest) = rest.split_once(CHAIN)?;
        let (chain, roots) = rest.split_once(ROOTS)?;
        let head = head.strip_prefix("trusted-since ")?.strip_suffix('\n')?;
        let (trusted_since, signed_until) = head.split_once(" signed-until ")?;
        let pem = AuthorityPem::intermediate(
            certificate.as_bytes(),
            key.as_bytes(),
            chain.as_bytes(),
            roots.as_bytes(),
        );
        Some(Self {
            trusted_since: trusted_since.parse().ok()?,
            signed_until: signed_until.parse().ok()?,
            pem,
        })
    }
}

fn read_head(head: &str) -> Option<(Phase, u64)> {
    let rest = head.strip_prefix(MAGIC)?.strip_prefix("\n# phase ")?;
    let (phase, generation) = rest.strip_suffix('\n')?.split_once("\n# generation ")?;
    let phases = [Phase::Steady, Phase::Prepared, Phase::Activated, Phase::Retired];
    let phase = phases.into_iter().find(|known| known.label() == phase)?;
    Some((phase, generation.parse().ok()?))
}

fn line_at(bytes: &[u8], offset: usize) -> usize {
    let before = bytes.iter().take(offset);
    before
        .filter(|byte| **byte == b'\n')
        .count()
        .saturating_add(1)
}

/// The first and the last second of a certificate.
fn life(certificate: &CertificateDer<'static>) -> Option<(UnixTime, UnixTime)> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let validity = certificate.validity();
    Some((second(validity.not_before)?, second(validity.not_after)?))
}

fn second(time: ASN1Time) -> Option<UnixTime> {
    let seconds = u64::try_from(time.timestamp()).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

const MAGIC: &str = "# meshtls rotation 1";
const AUTHORITY: &str = "# authority ";
const KEY: &str = "# key\n";
const CERTIFICATE: &str = "# certificate\n";
const CHAIN: &str = "# chain\n";
const ROOTS: &str = "# roots\n";
const END: &str = "# end\n";
