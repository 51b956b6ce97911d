//! PEM in and out. rustls-pki-types decodes; here blocks are found, so that an error can name one.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use zeroize::Zeroizing;

/// Gives every certificate of `text`, in order: at least one.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    all(text, CERTIFICATE)
}

/// Gives every certificate revocation list of `text`, in order: at least one.
pub(crate) fn revocation_lists(
    text: &[u8],
) -> Result<Vec<CertificateRevocationListDer<'static>>, PemError> {
    all(text, REVOCATION_LIST)
}

/// Gives the only private key of `text`.
pub(crate) fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    let blocks = blocks(text)?;
    let mut keys = blocks.iter().filter(|block| KEYS.contains(&block.label));
    let key = keys.next().ok_or_else(|| missing(&blocks, PRIVATE_KEY))?;
    match keys.count() {
        0 => {}
        more => return Err(PemError::SeveralKeys { count: more.saturating_add(1) }),
    }
    if key.is_encrypted() {
        return Err(PemError::Encrypted { block: key.number, line: key.line });
    }
    key.decode()
}

pub(crate) fn write_certificates(certificates: &[CertificateDer<'_>]) -> String {
    let mut out = String::new();
    for certificate in certificates {
        write_block(&mut out, CERTIFICATE, certificate);
    }
    out
}

pub(crate) fn write_private_key(key: &PrivateKeyDer<'_>) -> Zeroizing<String> {
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => PRIVATE_KEY,
    };
    // Room for all of it at once: growing would leave copies behind.
    let room = key.secret_der().len().saturating_mul(2).saturating_add(128);
    let mut out = Zeroizing::new(String::with_capacity(room));
    write_block(&mut out, label, key.secret_der());
    out
}

/// Decodes every block with this label: at least one.
fn all<T: PemObject>(text: &[u8], label: &'static str) -> Result<Vec<T>, PemError> {
    let blocks = blocks(text)?;
    let wanted: Vec<_> = blocks.iter().filter(|block| block.label == label).collect();
    if wanted.is_empty() {
        return Err(missing(&blocks, label));
    }
    wanted.into_iter().map(Block::decode).collect()
}

/// Why a text is not the PEM that was wanted. Blocks and lines count from 1.
///
/// The text itself is left out: it may hold a key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// Nothing but white space.
    #[error("the text is empty")]
    Empty,
    /// Text without any PEM block (a `-----BEGIN ...-----` at the start of a line).
    #[error("there is no PEM block")]
    NoBlock,
    /// There are blocks, but none of the wanted kind.
    #[error("there is no `{wanted}` block, but `{}`", found.join("`, `"))]
    WrongLabel {
        /// The label that was wanted.
        wanted: &'static str,
        /// The labels that are there: at most eight, each of at most 64 printable characters.
        found: Vec<String>,
    },
    /// More than one private key, so nobody can say which.
    #[error("there are {count} private keys, wanted one")]
    SeveralKeys {
        /// How many.
        count: usize,
    },
    /// The private key is encrypted, and no passphrase is ever asked for.
    #[error("block {block} (line {line}) is an encrypted private key")]
    Encrypted {
        /// Which block.
        block: usize,
        /// The line it begins at.
        line: usize,
    },
    /// A block has no end line of its own label.
    #[error("block {block} (line {line}) has no end")]
    NoEnd {
        /// Which block.
        block: usize,
        /// The line it begins at.
        line: usize,
    },
    /// A block's content is not base64, or its first line is not as RFC 7468 section 2 has it.
    #[error("block {block} (line {line}) is not valid PEM")]
    Invalid {
        /// Which block.
        block: usize,
        /// The line it begins at.
        line: usize,
    },
}

/// A block from its first to its last line.
struct Block<'a> {
    number: usize,
    line: usize,
    label: &'a str,
    text: &'a [u8],
}

impl Block<'_> {
    fn decode<T: PemObject>(&self) -> Result<T, PemError> {
        T::from_pem_slice(self.text)
            .map_err(|_text_inside| PemError::Invalid { block: self.number, line: self.line })
    }

    /// In PKCS #8 the label says it, in older files a header (RFC 1421 section 4.6.1.1).
    fn is_encrypted(&self) -> bool {
        let mut rest = self.text;
        self.label == ENCRYPTED
            || std::iter::from_fn(|| next_line(&mut rest)).any(|line| {
                line.starts_with(b"Proc-Type:") && line.trim_ascii_end().ends_with(b"ENCRYPTED")
            })
    }
}

/// Cuts `text` into blocks. What lies between them is a comment (RFC 7468 section 5.2).
fn blocks(text: &[u8]) -> Result<Vec<Block<'_>>, PemError> {
    let mut rest = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    if rest.trim_ascii().is_empty() {
        return Err(PemError::Empty);
    }
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut open: Option<Block<'_>> = None;
    let mut number = 0_usize;
    for line_number in 1_usize.. {
        let from_here = rest;
        let Some(line) = next_line(&mut rest) else { break };
        if let Some(after) = line.strip_prefix(b"-----BEGIN ") {
            if let Some(Block { number, line, .. }) = open {
                return Err(PemError::NoEnd { block: number, line });
            }
            number = number.saturating_add(1);
            let label =
                label(after).ok_or(PemError::Invalid { block: number, line: line_number })?;
            open = Some(Block { number, line: line_number, label, text: from_here });
        } else if let Some(block) = open.take_if(|block| is_end(line, block.label)) {
            let length = block.text.len().saturating_sub(rest.len());
            blocks.push(Block { text: block.text.get(..length).unwrap_or(block.text), ..block });
        }
    }
    match open {
        Some(Block { number, line, .. }) => Err(PemError::NoEnd { block: number, line }),
        None => Ok(blocks),
    }
}

/// Cuts off the first line; LF, CRLF and CR end one.
fn next_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if rest.is_empty() {
        return None;
    }
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r'))
        .unwrap_or(rest.len());
    let (line, tail) = rest.split_at(end);
    *rest = [b"\r\n".as_slice(), b"\n", b"\r"]
        .iter()
        .find_map(|ending| tail.strip_prefix(*ending))
        .unwrap_or(tail);
    Some(line)
}

fn label(after_begin: &[u8]) -> Option<&str> {
    let label = after_begin.trim_ascii_end().strip_suffix(b"-----")?;
    std::str::from_utf8(label)
        .ok()
        .filter(|label| !label.ends_with('-'))
}

fn is_end(line: &[u8], label: &str) -> bool {
    line.strip_prefix(b"-----END ")
        .and_then(|rest| rest.strip_prefix(label.as_bytes()))
        .is_some_and(|rest| rest.starts_with(b"-----"))
}

/// No block of the wanted kind: says what is there instead.
fn missing(blocks: &[Block<'_>], wanted: &'static str) -> PemError {
    const SHOWN: usize = 8;
    const SHOWN_CHARS: usize = 64;
    if blocks.is_empty() {
        return PemError::NoBlock;
    }
    let shown = |block: &Block<'_>| block.label.escape_default().take(SHOWN_CHARS).collect();
    PemError::WrongLabel { wanted, found: blocks.iter().take(SHOWN).map(shown).collect() }
}

/// Writes one block in lines of 64 characters (RFC 7468 section 2).
fn write_block(out: &mut String, label: &str, der: &[u8]) {
    out.extend(["-----BEGIN ", label, "-----\n"]);
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            write_quantum(out, three);
        }
        out.push('\n');
    }
    out.extend(["-----END ", label, "-----\n"]);
}

/// Writes one to three bytes as four characters (RFC 4648 section 4).
fn write_quantum(out: &mut String, bytes: &[u8]) {
    let byte = |at: usize| bytes.get(at).copied();
    let (a, b, c) = (byte(0).unwrap_or_default(), byte(1), byte(2));
    let (b0, c0) = (b.unwrap_or_default(), c.unwrap_or_default());
    let sextets = [
        Some(a >> 2),
        Some((a & 0b11) << 4 | b0 >> 4),
        b.map(|b| (b & 0b1111) << 2 | c0 >> 6),
        c.map(|c| c & 0b11_1111),
    ];
    for sextet in sextets {
        let known = sextet.and_then(|sextet| BASE64.get(usize::from(sextet)));
        out.push(known.map_or('=', |character| char::from(*character)));
    }
}

const CERTIFICATE: &str = "CERTIFICATE";
const REVOCATION_LIST: &str = "X509 CRL";
const PRIVATE_KEY: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
const KEYS: [&str; 4] = [PRIVATE_KEY, "EC PRIVATE KEY", "RSA PRIVATE KEY", ENCRYPTED];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests;
