//! A value of a condition, ready to be compared.

use super::attribute::Attribute;
use super::connection::Connection;
use super::ip_block::IpBlock;

/// A value that something of a connection fits, or not.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    Principal(Pattern),
    Namespace(Glob),
    ServiceAccount { namespace: Box<str>, name: Box<str> },
    TrustDomain(TrustDomainPattern),
    SourceIp(IpBlock),
    RemoteIp(IpBlock),
    DestinationIp(IpBlock),
    Port(u16),
    Sni(Pattern),
}

impl Matcher {
    /// `None` for a value that cannot be compared with anything: validation refuses it, or no connection has the attribute.
    pub(super) fn new(attribute: Attribute, value: &str, policy_namespace: &str) -> Option<Self> {
        if value.is_empty() {
            return None;
        }
        Some(match attribute {
            Attribute::SourcePrincipal => Self::Principal(Pattern::new(value)),
            Attribute::SourceNamespace => Self::Namespace(Glob::new(&format!("/ns/{value}/"))),
            Attribute::SourceServiceAccount => {
                let (namespace, name) = value.split_once('/').unwrap_or((policy_namespace, value));
                Self::ServiceAccount { namespace: namespace.into(), name: name.into() }
            }
            Attribute::SourceTrustDomain => Self::TrustDomain(TrustDomainPattern::new(value)),
            Attribute::SourceIp => Self::SourceIp(IpBlock::parse(value)?),
            Attribute::RemoteIp => Self::RemoteIp(IpBlock::parse(value)?),
            Attribute::DestinationIp => Self::DestinationIp(IpBlock::parse(value)?),
            Attribute::DestinationPort => Self::Port(port(value)?),
            Attribute::Sni => Self::Sni(Pattern::new(value)),
            Attribute::Http | Attribute::EnvoyMetadata => return None,
        })
    }

    /// Whether the connection has what is asked for. What it does not have fits nothing.
    pub(super) fn fits(&self, connection: &Connection<'_>) -> bool {
        let any_name = |fits: &dyn Fn(&str) -> bool| {
            connection.peer.is_some_and(|names| names.iter().any(fits))
        };
        match self {
            Self::Principal(Pattern::Present) => any_name(&|name| !name.is_empty()),
            Self::Principal(pattern) => {
                any_name(&|name| spiffe(name).is_some_and(|name| pattern.fits(name.bytes())))
            }
            Self::Namespace(glob) => any_name(&|name| glob.fits(name)),
            Self::ServiceAccount { namespace, name: account } => any_name(&|name| {
                spiffe(name).is_some_and(|name| is_account(name, namespace, account))
            }),
            Self::TrustDomain(pattern) => {
                any_name(&|name| spiffe(name).is_some_and(|name| pattern.fits(name)))
            }
            Self::SourceIp(block) => block.contains(connection.source),
            Self::RemoteIp(block) => block.contains(connection.remote),
            Self::DestinationIp(block) => block.contains(connection.destination),
            Self::Port(port) => connection.port == *port,
            // Server names are compared in lower case, as Envoy keeps them.
            Self::Sni(pattern) => connection.sni.is_some_and(|name| {
                pattern.fits(name.bytes().map(|byte| byte.to_ascii_lowercase()))
            }),
        }
    }
}

/// Reads a port, 0 to 65535 in decimal; leading zeros count for nothing, as in Istio.
pub(super) fn port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// `*`, `*x`, `x*` or the text itself, tried in this order (rule AZ-10). A star in another place is an ordinary byte.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Pattern {
    Present,
    Suffix(Box<str>),
    Prefix(Box<str>),
    Exact(Box<str>),
}

impl Pattern {
    pub(super) fn new(value: &str) -> Self {
        if value == "*" {
            Self::Present
        } else if let Some(suffix) = value.strip_prefix('*') {
            Self::Suffix(suffix.into())
        } else if let Some(prefix) = value.strip_suffix('*') {
            Self::Prefix(prefix.into())
        } else {
            Self::Exact(value.into())
        }
    }

    fn fits(&self, mut text: impl DoubleEndedIterator<Item = u8>) -> bool {
        match self {
            Self::Present => text.next().is_some(),
            Self::Exact(want) => text.eq(want.bytes()),
            Self::Prefix(want) => want.bytes().all(|byte| text.next() == Some(byte)),
            Self::Suffix(want) => want
                .bytes()
                .rev()
                .all(|byte| text.next_back() == Some(byte)),
        }
    }
}

/// A text in a name, in which every star stands for any text (rule AZ-11).
#[derive(Clone, Debug)]
pub(super) struct Glob {
    /// What stands between the stars.
    pieces: Box<[Box<str>]>,
}

impl Glob {
    fn new(value: &str) -> Self {
        Self { pieces: value.split('*').map(Box::from).collect() }
    }

    /// Whether the pieces are in the text, one after the other.
    fn fits(&self, mut text: &str) -> bool {
        // Each piece at its first place leaves the most for those after it.
        self.pieces
            .iter()
            .all(|piece| match text.split_once(&**piece) {
                Some((_, rest)) => {
                    text = rest;
                    true
                }
                None => false,
            })
    }
}

/// A trust domain, with a star at one end that stands for any text without slash (rule AZ-13).
#[derive(Clone, Debug)]
pub(super) enum TrustDomainPattern {
    Any,
    Exact(Box<str>),
    Around { prefix: Box<str>, suffix: Box<str> },
}

impl TrustDomainPattern {
    fn new(value: &str) -> Self {
        match value.split_once('*') {
            Some(("", "")) => Self::Any,
            Some((prefix, suffix)) => Self::Around { prefix: prefix.into(), suffix: suffix.into() },
            None => Self::Exact(value.into()),
        }
    }

    /// `name` is without `spiffe://`. Only `*` takes a name without path.
    fn fits(&self, name: &str) -> bool {
        let ends = |rest: Option<&str>| rest.is_some_and(|rest| rest.starts_with('/'));
        match self {
            Self::Any => true,
            Self::Exact(want) => ends(name.strip_prefix(&**want)),
            Self::Around { prefix, suffix } => {
                let Some(rest) = name.strip_prefix(&**prefix) else { return false };
                let domain = rest.find('/').unwrap_or(rest.len());
                (0..=domain)
                    .any(|at| ends(rest.get(at..).and_then(|rest| rest.strip_prefix(&**suffix))))
            }
        }
    }
}

/// The principal of a SPIFFE ID; other names have none.
fn spiffe(name: &str) -> Option<&str> {
    name.strip_prefix("spiffe://")
}

/// Whether `principal` is the service account: `/ns/<namespace>/`, later `/sa/<account>`, then nothing or a further path
/// (rule AZ-12).
fn is_account(principal: &str, namespace: &str, account: &str) -> bool {
    // The first such namespace leaves the most for what comes after it. Something has to stand before it.
    let path = segments(principal).find_map(|(at, rest)| {
        let rest = rest.strip_prefix("ns/")?.strip_prefix(namespace)?;
        (at > 0 && rest.starts_with('/')).then_some(rest)
    });
    let Some(path) = path else { return false };
    segments(path).any(|(at, rest)| {
        // Between the two there is nothing, or a path of at least one character.
        at != 1
            && rest
                .strip_prefix("sa/")
                .and_then(|rest| rest.strip_prefix(account))
                .is_some_and(|rest| rest.is_empty() || (rest.starts_with('/') && rest != "/"))
    })
}

/// Where each slash stands, and what comes after it.
fn segments(path: &str) -> impl Iterator<Item = (usize, &str)> {
    path.match_indices('/').filter_map(|(at, slash)| {
        let rest = path.get(at..)?.strip_prefix(slash)?;
        Some((at, rest))
    })
}
