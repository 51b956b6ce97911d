//! The names in a TLS `ClientHello`: SNI and ALPN.

use std::fmt;

use crate::{
    record::{Message, Records, Stop},
    sniff::HelloDefect,
};

/// What a TLS `ClientHello` asks for by name. Only [`sniff`](crate::sniff()) makes it.
///
/// It was well-formed as far as BoringSSL checks before it looks into single extensions: exact
/// lengths, a session ID of at most 32 bytes, cipher suites, a compression method, no extension
/// twice, no trailing bytes (RFC 8446 section 4.1.2). Whether the other extensions make sense is
/// left to the handshake.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct ClientHello {
    server_name: Option<Box<str>>,
    /// Invariant: the names as on the wire, each a length byte and 1 to 255 bytes.
    alpn: Box<[u8]>,
}

impl ClientHello {
    /// The host name asked for (SNI), 1 to 255 bytes of visible ASCII, as sent.
    ///
    /// `None` if there is none, or if it has other bytes. Envoy lets those pass as well; a hello whose
    /// `server_name` extension is malformed (RFC 6066 section 3), empty, or holds a NUL is no
    /// readable `ClientHello`.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The application protocols offered (ALPN), in the client's order, each 1 to 255 bytes.
    ///
    /// Nothing if there is no ALPN extension, or if it is malformed (as Envoy; RFC 7301 section 3.1).
    pub fn alpn(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let mut rest = &*self.alpn;
        std::iter::from_fn(move || {
            let (&len, tail) = rest.split_first()?;
            let (name, tail) = tail.split_at_checked(usize::from(len))?;
            rest = tail;
            Some(name)
        })
    }
}

impl fmt::Debug for ClientHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alpn = self.alpn().map(|name| name.escape_ascii().to_string());
        f.debug_struct("ClientHello")
            .field("server_name", &self.server_name)
            .field("alpn", &alpn.collect::<Vec<_>>())
            .finish()
    }
}

/// Reads the `ClientHello` that `prefix` begins with. The first two bytes were seen to be a handshake record's.
pub(crate) fn read(prefix: &[u8]) -> Result<ClientHello, Stop> {
    let mut records = Records::new(prefix);
    if records.u8()? != CLIENT_HELLO {
        return Err(Stop::Unreadable);
    }
    let len = u32::from_be_bytes([0, records.u8()?, records.u8()?, records.u8()?]);
    let body = usize::try_from(len)
        .map_or(Err(Stop::Defect(HelloDefect::TooLarge)), |len| records.message(len))?;
    parse(body)
}

/// RFC 8446 section 4.1.2, with the checks of BoringSSL.
fn parse(mut body: Message<'_>) -> Result<ClientHello, Stop> {
    let client_version = body.u16()?;
    body.skip(RANDOM_LEN)?;
    let session_id = body.vector8()?;
    let cipher_suites = body.vector16()?;
    let compression_methods = body.vector8()?;
    if session_id.len() > MAX_SESSION_ID
        || cipher_suites.is_empty()
        || cipher_suites.len() % 2 != 0
        || compression_methods.is_empty()
    {
        return Err(Stop::Unreadable);
    }

    // Hellos of old clients end here, without an extensions field.
    let hello = if body.is_empty() { ClientHello::default() } else { extensions(body)? };
    if client_version <= SSL_3_0 {
        return Err(Stop::Defect(HelloDefect::Ssl3));
    }
    Ok(hello)
}

/// RFC 8446 section 4.2.
fn extensions(mut body: Message<'_>) -> Result<ClientHello, Stop> {
    let mut extensions = body.vector16()?;
    if !body.is_empty() {
        return Err(Stop::Unreadable);
    }
    let mut hello = ClientHello::default();
    let mut seen = SeenTypes::new();
    while !extensions.is_empty() {
        let kind = extensions.u16()?;
        let content = extensions.vector16()?;
        if !seen.insert(kind) {
            return Err(Stop::Unreadable);
        }
        match kind {
            SERVER_NAME => hello.server_name = server_name(content)?,
            // A malformed offer counts as none; the handshake will say what is wrong with it.
            ALPN => hello.alpn = protocol_names(content).unwrap_or_default(),
            _ => {}
        }
    }
    Ok(hello)
}

/// RFC 6066 section 3; exactly one name, of type `host_name`, as every client sends it and BoringSSL asks for it.
fn server_name(mut content: Message<'_>) -> Result<Option<Box<str>>, Stop> {
    let mut list = content.vector16()?;
    let name_type = list.u8()?;
    let name = list.vector16()?;
    if !content.is_empty()
        || !list.is_empty()
        || name_type != HOST_NAME
        || !(1..=255).contains(&name.len())
    {
        return Err(Stop::Unreadable);
    }
    let name = name.into_bytes()?;
    if name.contains(&0) {
        return Err(Stop::Unreadable);
    }
    let name = String::from_utf8(name)
        .ok()
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_graphic()));
    Ok(name.map(String::into_boxed_str))
}

/// RFC 7301 section 3.1: a list of names, none of them empty. (It may not be empty either; that is no offer anyway.)
fn protocol_names(mut content: Message<'_>) -> Result<Box<[u8]>, Stop> {
    let list = content.vector16()?;
    if !content.is_empty() {
        return Err(Stop::Unreadable);
    }
    let mut names = list.clone();
    while !names.is_empty() {
        if names.vector8()?.is_empty() {
            return Err(Stop::Unreadable);
        }
    }
    list.into_bytes().map(Vec::into_boxed_slice)
}

/// Which extension types were seen: one bit for each, so that a hello full of extensions costs one step each.
struct SeenTypes([u64; 1 << 10]);

impl SeenTypes {
    const fn new() -> Self {
        Self([0; 1 << 10])
    }

    /// Whether `kind` is new.
    fn insert(&mut self, kind: u16) -> bool {
        let bit = 1_u64.wrapping_shl(u32::from(kind & 63));
        let Some(word) = self.0.get_mut(usize::from(kind >> 6)) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

/// `HandshakeType` client_hello(1), RFC 8446 section 4.
const CLIENT_HELLO: u8 = 1;
/// `ExtensionType`, RFC 8446 section 4.2.
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
/// `NameType` host_name(0), RFC 6066 section 3.
const HOST_NAME: u8 = 0;
const RANDOM_LEN: usize = 32;
const MAX_SESSION_ID: usize = 32;
const SSL_3_0: u16 = 0x0300;
