//! The five classes, from a growing prefix.

use crate::{
    client_hello::{self, ClientHello},
    http::{self, Http},
    record::Stop,
};

/// What `prefix`, the first bytes that a peer sent, is; nothing is consumed.
///
/// Ask again with a longer prefix while the answer is [`Sniff::NeedMore`]. Every other answer is
/// final: it stays the same whatever follows. A prefix of [`MAX_CLIENT_HELLO`](crate::MAX_CLIENT_HELLO)
/// bytes always has a final answer.
///
/// * A record type 20 to 23 followed by major version 3 is TLS; the minor version does not count
///   (RFC 8446 section 5.1, and Envoy). A handshake record is [`Opening::ClientHello`] if a whole
///   `ClientHello` can be read; all else is [`Opening::TlsLike`], an SSLv2 hello included.
/// * Otherwise it is HTTP or [`Opening::Other`], as [`sniff_plaintext`] says.
#[must_use]
pub fn sniff(prefix: &[u8]) -> Sniff {
    match prefix {
        [] => Sniff::NeedMore(Hint::Undetermined),
        [CHANGE_CIPHER_SPEC..=APPLICATION_DATA] => Sniff::NeedMore(Hint::Tls),
        [HANDSHAKE, 3, ..] => match client_hello::read(prefix) {
            Ok(hello) => Sniff::Is(Opening::ClientHello(hello)),
            Err(Stop::NeedMore) => Sniff::NeedMore(Hint::Tls),
            Err(Stop::Unreadable) => Sniff::Is(Opening::TlsLike),
            Err(Stop::Defect(defect)) => Sniff::Unacceptable(defect),
        },
        [CHANGE_CIPHER_SPEC..=APPLICATION_DATA, 3, ..] => Sniff::Is(Opening::TlsLike),
        [0x80..=0xff, ..] => sniff_ssl2(prefix),
        _ => sniff_plaintext(prefix),
    }
}

/// What `prefix`, the first bytes of a stream that is known not to be TLS, is; nothing is consumed.
///
/// Use it for what comes out of TLS; [`sniff`] ends here for everything that is not TLS.
///
/// * [`Opening::Http2`]: the whole client preface (RFC 9113 section 3.4).
/// * [`Opening::Http1`]: a whole request line (RFC 9112 section 3) of at most
///   [`MAX_REQUEST_LINE`](crate::MAX_REQUEST_LINE) bytes with any method, whose version is exactly `HTTP/1.1`.
/// * [`Opening::Other`]: as soon as neither is possible any more.
///
/// It never answers [`Hint::Tls`], [`Opening::ClientHello`], [`Opening::TlsLike`] or [`Sniff::Unacceptable`].
#[must_use]
pub fn sniff_plaintext(prefix: &[u8]) -> Sniff {
    match http::classify(prefix) {
        Http::NeedMore if prefix.is_empty() => Sniff::NeedMore(Hint::Undetermined),
        Http::NeedMore => Sniff::NeedMore(Hint::Plaintext),
        Http::V1 => Sniff::Is(Opening::Http1),
        Http::V2 => Sniff::Is(Opening::Http2),
        Http::Neither => Sniff::Is(Opening::Other),
    }
}

/// How much is known about the first bytes of a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every answer")]
pub enum Sniff {
    /// More bytes are needed; the hint says what the peer began.
    NeedMore(Hint),
    /// The final answer.
    Is(Opening),
    /// A `ClientHello` that no port which looks at first bytes accepts: Envoy resets it in every mode.
    Unacceptable(HelloDefect),
}

/// What the first bytes of a connection are.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every class")]
pub enum Opening {
    /// A whole, readable TLS `ClientHello`.
    ClientHello(ClientHello),
    /// It begins as a TLS record or an SSLv2 hello, but is no readable `ClientHello`.
    TlsLike,
    /// An HTTP/1.1 request line.
    Http1,
    /// The HTTP/2 client preface.
    Http2,
    /// None of these.
    Other,
}

impl Opening {
    /// The class alone, without what was read.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::ClientHello(_) => Class::ClientHello,
            Self::TlsLike => Class::TlsLike,
            Self::Http1 => Class::Http1,
            Self::Http2 => Class::Http2,
            Self::Other => Class::Other,
        }
    }
}

/// The five classes of first bytes; [`Opening`] also carries what was read.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every class")]
pub enum Class {
    /// [`Opening::ClientHello`].
    ClientHello,
    /// [`Opening::TlsLike`].
    TlsLike,
    /// [`Opening::Http1`].
    Http1,
    /// [`Opening::Http2`].
    Http2,
    /// [`Opening::Other`].
    Other,
}

/// What a peer began whose first bytes do not suffice yet.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "at the deadline callers must handle every case")]
pub enum Hint {
    /// Nothing: not one byte came.
    Undetermined,
    /// A TLS record or an SSLv2 hello, or its first byte; HTTP is no longer possible.
    Tls,
    /// Plaintext that may still become HTTP; TLS is no longer possible.
    Plaintext,
}

/// Why a `ClientHello` is unacceptable on every port that looks at first bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every defect")]
pub enum HelloDefect {
    /// It takes more than [`MAX_CLIENT_HELLO`](crate::MAX_CLIENT_HELLO) bytes, record headers included.
    /// Known as soon as its length field says so.
    TooLarge,
    /// Its `client_version` is 3.0 (SSL 3.0) or lower, whatever its extensions offer (RFC 8446 appendix D.5).
    Ssl3,
}

/// The hello of SSLv2, or the one in its format that old clients sent to TLS servers: a two-byte
/// header with the top bit set, message type 1, then version 0.2 or 3.x (RFC 5246 appendix E.2).
fn sniff_ssl2(prefix: &[u8]) -> Sniff {
    match prefix {
        [_] | [_, _] | [_, _, 1] | [_, _, 1, 0] => Sniff::NeedMore(Hint::Tls),
        [_, _, 1, 3, ..] | [_, _, 1, 0, 2, ..] => Sniff::Is(Opening::TlsLike),
        _ => Sniff::Is(Opening::Other),
    }
}

/// `ContentType`, RFC 8446 section 5.1: change_cipher_spec(20), alert(21), handshake(22), application_data(23).
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
