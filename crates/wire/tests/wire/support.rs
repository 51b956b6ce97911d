//! A `ClientHello` writer, and the check that every test goes through.

use meshtls_wire::{ClientHello, Hint, MAX_CLIENT_HELLO, Opening, Sniff, sniff};

/// The answer for all of `bytes`, after checking it for every cut: "need more" or the same answer,
/// one hint from the first byte on, and never again "need more" after an answer.
pub(crate) fn check(name: &str, bytes: &[u8]) -> Sniff {
    let mut last = Sniff::NeedMore(Hint::Undetermined);
    assert_eq!(sniff(&[]), last, "{name}: nothing");
    for cut in 1..=bytes.len() {
        let answer = sniff(&bytes[..cut]);
        let allowed = match &last {
            Sniff::NeedMore(Hint::Undetermined) => true,
            Sniff::NeedMore(_) if matches!(answer, Sniff::NeedMore(_)) => answer == last,
            Sniff::NeedMore(_) => true,
            Sniff::Is(_) | Sniff::Unacceptable(_) => answer == last,
        };
        assert!(allowed, "{name}: {last:?}, then {answer:?} at {cut} bytes");
        last = answer;
    }
    if bytes.len() >= MAX_CLIENT_HELLO {
        assert!(!matches!(last, Sniff::NeedMore(_)), "{name}: {last:?} at the limit");
    }
    last
}

/// As [`check`], for bytes that are a readable hello; the answer must not come before the last byte.
pub(crate) fn check_hello(name: &str, bytes: &[u8]) -> ClientHello {
    let before = sniff(&bytes[..bytes.len() - 1]);
    assert_eq!(before, Sniff::NeedMore(Hint::Tls), "{name}: without its last byte");
    match check(name, bytes) {
        Sniff::Is(Opening::ClientHello(hello)) => hello,
        other => panic!("{name}: {other:?}"),
    }
}

/// The parts of a `ClientHello`, to be spoilt one by one.
#[derive(Debug)]
pub(crate) struct Hello {
    pub(crate) client_version: u16,
    pub(crate) session_id: Vec<u8>,
    pub(crate) cipher_suites: Vec<u8>,
    pub(crate) compression_methods: Vec<u8>,
    /// `None`: the field is missing altogether.
    pub(crate) extensions: Option<Vec<(u16, Vec<u8>)>>,
    pub(crate) trailing: Vec<u8>,
}

impl Hello {
    /// A small one that is right.
    pub(crate) fn good() -> Self {
        Self {
            client_version: 0x0303,
            session_id: vec![7; 32],
            cipher_suites: vec![0x13, 0x01, 0x13, 0x02],
            compression_methods: vec![0],
            extensions: Some(vec![
                (0, server_name("a.example")),
                (43, vec![2, 3, 4]),
                (16, alpn(&["h2", "istio"])),
            ]),
            trailing: Vec::new(),
        }
    }

    pub(crate) fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut hello = Self::good();
        change(&mut hello);
        hello
    }

    pub(crate) fn with_extension(kind: u16, content: Vec<u8>) -> Self {
        Self::with(|hello| hello.extensions = Some(vec![(kind, content)]))
    }

    /// A right one whose record, header included, takes `len` bytes.
    pub(crate) fn of_wire_len(len: usize) -> Vec<u8> {
        let padded = |padding| Self::with_extension(21, vec![0; padding]).record();
        let hello = padded(len - padded(0).len());
        assert_eq!(hello.len(), len);
        hello
    }

    /// The handshake message.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut body = self.client_version.to_be_bytes().to_vec();
        body.extend([9; 32]);
        body.extend(vector8(&self.session_id));
        body.extend(vector16(&self.cipher_suites));
        body.extend(vector8(&self.compression_methods));
        if let Some(extensions) = &self.extensions {
            let mut block = Vec::new();
            for (kind, content) in extensions {
                block.extend(kind.to_be_bytes());
                block.extend(vector16(content));
            }
            body.extend(vector16(&block));
        }
        body.extend(&self.trailing);
        let mut message = vec![1, 0];
        message.extend(vector16(&body));
        message
    }

    /// The message in one record.
    pub(crate) fn record(&self) -> Vec<u8> {
        record(&self.message())
    }
}

/// One handshake record.
pub(crate) fn record(content: &[u8]) -> Vec<u8> {
    let mut record = vec![0x16, 0x03, 0x01];
    record.extend(vector16(content));
    record
}

/// Handshake records of at most `size` bytes of content each.
pub(crate) fn records(content: &[u8], size: usize) -> Vec<u8> {
    content.chunks(size).flat_map(record).collect()
}

/// The content of consecutive records.
pub(crate) fn content(mut wire: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let [_, _, _, high, low, rest @ ..] = wire {
        let (record, tail) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        content.extend(record);
        wire = tail;
    }
    content
}

/// The content of a `server_name` extension.
pub(crate) fn server_name(name: &str) -> Vec<u8> {
    let mut entry = vec![0];
    entry.extend(vector16(name.as_bytes()));
    vector16(&entry)
}

/// The content of an ALPN extension.
pub(crate) fn alpn(names: &[&str]) -> Vec<u8> {
    vector16(
        &names
            .iter()
            .flat_map(|name| vector8(name.as_bytes()))
            .collect::<Vec<u8>>(),
    )
}

fn vector8(content: &[u8]) -> Vec<u8> {
    [&[u8::try_from(content.len()).unwrap()], content].concat()
}

pub(crate) fn vector16(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}
