//! Detection: from a growing prefix to the decision, and from a prefix that will not grow to the decision.

use std::io;

use meshtls_policy::MtlsMode;
use meshtls_wire::{Hint, HttpVersion, MAX_CLIENT_HELLO, Opening, Sniff, http_version, sniff};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{
    decide::{AppProtocol, Decision, FirstBytes, PortProtocol, UnsniffedReason, decide},
    opening::OpeningRefusal,
};

/// Who sends the first byte in the application's protocol.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there are two ends")]
pub enum FirstSpeaker {
    /// The client, which is the default. One that says nothing is refused at the detection deadline.
    #[default]
    Client,
    /// The server, as in SMTP, MySQL or FTP. A client that says nothing until the detection deadline is handed to the
    /// application, except under STRICT, where it had to begin with TLS. Each plaintext client waits that long.
    Server,
}

/// What the decision needs besides the bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Port {
    pub(crate) protocol: PortProtocol,
    pub(crate) first_speaker: FirstSpeaker,
}

/// How far the first bytes lead.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Look {
    /// Read on.
    NeedMore,
    /// The decision, and what was read of a hello that is ours to answer.
    Decided(Decision, Option<Opening>),
}

impl Port {
    /// Whether the first bytes matter at all.
    pub(crate) const fn reads_nothing(self, mode: MtlsMode) -> bool {
        match mode {
            MtlsMode::Disable => matches!(self.protocol, PortProtocol::Tcp),
            MtlsMode::Permissive | MtlsMode::Strict => false,
        }
    }

    /// What becomes of a connection that began with `prefix` and may go on. It decides as soon as no further byte can
    /// change the outcome.
    pub(crate) fn look(self, mode: MtlsMode, prefix: &[u8]) -> Look {
        if self.reads_nothing(mode) {
            return Look::Decided(Decision::Unsniffed(UnsniffedReason::Disabled), None);
        }
        match sniff(prefix) {
            Sniff::NeedMore(Hint::Undetermined | Hint::Tls) => Look::NeedMore,
            Sniff::NeedMore(Hint::Plaintext) => self.look_at_plaintext(mode, prefix),
            Sniff::Is(opening) => Look::Decided(
                decide(mode, self.protocol, FirstBytes::from(&opening)),
                Some(opening),
            ),
            Sniff::Unacceptable(defect) => Look::Decided(Decision::Refuse(defect.into()), None),
        }
    }

    /// It is no TLS; which HTTP it is, if any, asks for more bytes on `auto` than on `http`.
    fn look_at_plaintext(self, mode: MtlsMode, prefix: &[u8]) -> Look {
        let first = match (mode, self.protocol) {
            (MtlsMode::Strict, PortProtocol::Http | PortProtocol::Tcp | PortProtocol::Auto)
            | (MtlsMode::Disable | MtlsMode::Permissive, PortProtocol::Tcp) => FirstBytes::Other,
            (MtlsMode::Disable | MtlsMode::Permissive, PortProtocol::Http) => {
                match http_version(prefix) {
                    None => return Look::NeedMore,
                    Some(HttpVersion::Http1) => FirstBytes::Http1,
                    Some(HttpVersion::Http2) => FirstBytes::Http2,
                }
            }
            (MtlsMode::Disable | MtlsMode::Permissive, PortProtocol::Auto) => {
                return Look::NeedMore;
            }
        };
        Look::Decided(decide(mode, self.protocol, first), None)
    }

    /// As [`look`](Self::look), but plaintext is not asked which HTTP it is: whether it is accepted does not depend on it.
    pub(crate) fn look_or_take_as_tcp(self, mode: MtlsMode, prefix: &[u8]) -> Look {
        match (self.look(mode, prefix), sniff(prefix)) {
            (Look::NeedMore, Sniff::NeedMore(Hint::Plaintext)) => {
                Look::Decided(decide(mode, self.protocol, FirstBytes::Other), None)
            }
            (look, _) => look,
        }
    }

    /// What becomes of a connection that began with `prefix` and was given up there, undecided: at the deadline or at
    /// the client's end of stream.
    pub(crate) fn give_up(self, mode: MtlsMode, prefix: &[u8], end: End) -> Decision {
        if self.reads_nothing(mode) {
            return Decision::Unsniffed(UnsniffedReason::Disabled);
        }
        match sniff(prefix) {
            Sniff::NeedMore(Hint::Undetermined) => self.give_up_on_silence(mode, end),
            Sniff::NeedMore(Hint::Tls) => Decision::Refuse(OpeningRefusal::IncompleteHello),
            // Neither an HTTP/1.1 request line nor the HTTP/2 preface.
            Sniff::NeedMore(Hint::Plaintext) => decide(mode, self.protocol, FirstBytes::Other),
            Sniff::Is(opening) => decide(mode, self.protocol, FirstBytes::from(&opening)),
            Sniff::Unacceptable(defect) => Decision::Refuse(defect.into()),
        }
    }

    fn give_up_on_silence(self, mode: MtlsMode, end: End) -> Decision {
        match (self.first_speaker, mode, end) {
            (
                FirstSpeaker::Server,
                MtlsMode::Disable | MtlsMode::Permissive,
                End::Deadline | End::Closed,
            ) => Decision::Unsniffed(UnsniffedReason::ServerFirst),
            (FirstSpeaker::Server, MtlsMode::Strict, End::Deadline)
            | (FirstSpeaker::Client, _, End::Deadline) => Decision::Refuse(OpeningRefusal::Silent),
            (FirstSpeaker::Server, MtlsMode::Strict, End::Closed)
            | (FirstSpeaker::Client, _, End::Closed) => Decision::Refuse(OpeningRefusal::Closed),
        }
    }
}

/// Why no more bytes come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// The detection deadline.
    Deadline,
    /// The client ended its stream.
    Closed,
}

/// Reads more of the first bytes into `prefix`, which never holds more than `MAX_CLIENT_HELLO` bytes.
///
/// `Ok(0)` is the client's end of stream. Cancel safe: what was read is in `prefix`.
pub(crate) async fn read_more<IO: AsyncRead + Unpin>(
    io: &mut IO,
    prefix: &mut Vec<u8>,
) -> io::Result<usize> {
    if prefix.len() == prefix.capacity() {
        // Most hellos and requests fit into the first piece, so most connections allocate once.
        let room = MAX_CLIENT_HELLO.saturating_sub(prefix.len());
        prefix.reserve_exact(prefix.len().clamp(FIRST_PIECE, MAX_CLIENT_HELLO).min(room));
    }
    io.read_buf(prefix).await
}

/// Whether `prefix`, the first decrypted bytes of the HTTP side, says which HTTP it is.
pub(crate) fn http_inside(prefix: &[u8]) -> Option<AppProtocol> {
    http_version(prefix).map(|version| match version {
        HttpVersion::Http1 => AppProtocol::Http1,
        HttpVersion::Http2 => AppProtocol::Http2,
    })
}

/// In bytes. A hello with a post-quantum key share takes 1.2 to 1.8 KiB.
const FIRST_PIECE: usize = 2 * 1024;

#[cfg(test)]
mod tests {
    use meshtls_policy::MtlsMode::{Disable, Permissive, Strict};
    use proptest::prelude::*;

    use super::*;

    /// What a peer may begin with, then anything.
    fn openings() -> impl Strategy<Value = Vec<u8>> {
        let beginning = prop_oneof![
            Just(vec![]),
            Just(vec![0x16, 3, 1]),
            Just(vec![0x16, 3, 1, 0, 40, 1, 0, 0, 36, 3, 3]),
            Just(vec![0x17, 3]),
            Just(vec![0x80, 0x20, 1]),
            Just(b"GET / HTTP/1.1\r\n".to_vec()),
            Just(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ];
        (beginning, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(beginning, rest)| [beginning, rest].concat())
    }

    proptest! {
        /// A decision stays the same whatever follows, and nobody who is silent gets one on a port that is looked at.
        #[test]
        fn no_further_byte_changes_a_decision(
            bytes in openings(),
            mode in prop_oneof![Just(Disable), Just(Permissive), Just(Strict)],
            protocol in prop_oneof![Just(PortProtocol::Http), Just(PortProtocol::Tcp), Just(PortProtocol::Auto)],
        ) {
            let port = Port { protocol, first_speaker: FirstSpeaker::Client };
            let silent = if port.reads_nothing(mode) {
                Look::Decided(Decision::Unsniffed(UnsniffedReason::Disabled), None)
            } else {
                Look::NeedMore
            };
            prop_assert_eq!(port.look(mode, &[]), silent);
            let mut decided = None;
            for len in 1..=bytes.len() {
                match (port.look(mode, &bytes[..len]), decided) {
                    (Look::NeedMore, None) => {},
                    (Look::NeedMore, Some(before)) => prop_assert!(false, "{before:?} was taken back at {len}"),
                    (Look::Decided(now, _), None) => decided = Some(now),
                    (Look::Decided(now, _), Some(before)) => prop_assert_eq!(now, before),
                }
            }
        }
    }

    #[tokio::test]
    async fn reading_on_keeps_what_was_read_and_grows_in_steps() {
        let bytes: Vec<u8> = (0..=255).cycle().take(MAX_CLIENT_HELLO).collect();
        let mut io = &bytes[..];
        let mut prefix = Vec::new();
        let mut sizes = Vec::new();
        while prefix.len() < bytes.len() {
            assert!(read_more(&mut io, &mut prefix).await.unwrap() > 0);
            sizes.push(prefix.capacity());
        }
        assert_eq!(prefix, bytes);
        assert_eq!(sizes, [2048, 4096, 8192, MAX_CLIENT_HELLO]);
    }
}
