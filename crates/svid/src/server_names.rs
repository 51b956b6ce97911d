//! The names of a server outside the mesh: those that a client accepts, and those that it was shown.

use std::fmt;
use std::net::IpAddr;

use rustls_pki_types::{CertificateDer, DnsName, ServerName};
use webpki::EndEntityCert;
use x509_parser::extensions::GeneralName;

use crate::certificate::Certificate;

/// Which names a server's certificate must carry.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "Istio knows these three checks")]
pub enum NameCheck {
    /// This DNS name or IP address (RFC 6125: of a certificate's DNS names, `*` may stand for the leftmost label;
    /// the subject's common name never counts).
    Host(ServerName<'static>),
    /// At least one of these, among the subject alternative names of its own kind, which its shape tells:
    ///
    /// * with `://` in it, a URI, compared byte for byte;
    /// * else an IP address, if it reads as one, compared as an address;
    /// * else, with `@` in it, a mail address, compared byte for byte;
    /// * else a DNS name, by the rules of [`Host`](Self::Host) or letter for letter, in any case.
    ///
    /// A name of another kind never counts, were its text the same: an authority that is constrained in one kind of
    /// name may be free in all others. So a URI without `://`, such as a URN, is never carried. An empty list
    /// accepts nobody.
    OneOf(Vec<String>),
    /// Any name: only the chain is checked.
    ChainOnly,
}

impl NameCheck {
    pub(crate) fn accept(&self, leaf: &EndEntityCert<'_>, names: &[GeneralName<'_>]) -> bool {
        match self {
            Self::Host(host) => leaf.verify_is_valid_for_subject_name(host).is_ok(),
            Self::OneOf(accepted) => accepted.iter().any(|one| carries(one, leaf, names)),
            Self::ChainOnly => true,
        }
    }
}

/// Such as `api.example.com`, or `any of a, b and 3 more`.
impl fmt::Display for NameCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => f.write_str(&host.to_str()),
            Self::OneOf(names) => match names.as_slice() {
                [one] => f.write_str(&shown(one)),
                names => {
                    f.write_str("any of ")?;
                    list(f, names.iter().map(|name| shown(name)), names.len())
                }
            },
            Self::ChainOnly => f.write_str("any name"),
        }
    }
}

/// The subject alternative names of a certificate, as text for operators: DNS names, URIs, addresses of both
/// kinds. At most 16 of them, each with at most 256 characters, control characters escaped.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PresentedNames {
    names: Vec<String>,
    count: usize,
}

impl PresentedNames {
    /// Reads the names of a certificate. It proves nothing: whoever has verified no chain knows only what is
    /// claimed. Without names, or where the certificate cannot be read, there are none.
    #[must_use]
    pub fn claimed_by(leaf: &CertificateDer<'_>) -> Self {
        Certificate::read(leaf)
            .map(|leaf| Self::of(&leaf.alternative_names))
            .unwrap_or_default()
    }

    pub(crate) fn of(names: &[GeneralName<'_>]) -> Self {
        let texts: Vec<String> = names.iter().filter_map(text).collect();
        let count = texts.len();
        let names = texts.iter().take(SHOWN).map(|name| shown(name)).collect();
        Self { names, count }
    }

    /// The names, in the certificate's order, the first 16.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// Such as `a.example.com, b.example.com and 3 more`, or `no name`.
impl fmt::Display for PresentedNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() {
            return f.write_str("no name");
        }
        list(f, self.names.iter().map(String::clone), self.count)
    }
}

/// Names of one kind only are looked at: name constraints bind an authority kind by kind.
fn carries(accepted: &str, leaf: &EndEntityCert<'_>, names: &[GeneralName<'_>]) -> bool {
    let proves = |name| leaf.verify_is_valid_for_subject_name(&name).is_ok();
    let mut names = names.iter();
    if accepted.contains("://") {
        names.any(|name| matches!(name, GeneralName::URI(uri) if *uri == accepted))
    } else if let Ok(ip) = accepted.parse::<IpAddr>() {
        proves(ServerName::from(ip))
    } else if accepted.contains('@') {
        names.any(|name| matches!(name, GeneralName::RFC822Name(mail) if *mail == accepted))
    } else {
        names.any(
            |name| matches!(name, GeneralName::DNSName(dns) if dns.eq_ignore_ascii_case(accepted)),
        ) || DnsName::try_from(accepted).is_ok_and(|dns| proves(ServerName::DnsName(dns)))
    }
}

fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::URI(text) | GeneralName::RFC822Name(text) => {
            Some((*text).to_owned())
        }
        GeneralName::IPAddress(bytes) => ip_address(bytes).map(|ip| ip.to_string()),
        _ => None,
    }
}

fn ip_address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_not_v4| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// Names are joined by commas; what is beyond the bound is counted.
fn list(
    f: &mut fmt::Formatter<'_>,
    names: impl Iterator<Item = String>,
    count: usize,
) -> fmt::Result {
    for (at, name) in names.take(SHOWN).enumerate() {
        write!(f, "{}{name}", if at == 0 { "" } else { ", " })?;
    }
    match count.saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

fn shown(name: &str) -> String {
    name.escape_debug().take(SHOWN_CHARS).collect()
}

const SHOWN: usize = 16;
const SHOWN_CHARS: usize = 256;
