//! The kinds of objects that are read, and the envelope they share.

use crate::field::{Field, Object, shorten};
use crate::nearest::nearest;
use crate::parse_error::{ParseError, ParseFault};
use crate::parse_options::ParseOptions;
use crate::{Labels, Metadata, ResourceName};

/// A kind of object that is read. All others are skipped, and reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    AuthorizationPolicy,
    PeerAuthentication,
    DestinationRule,
    ServiceEntry,
    Sidecar,
    WorkloadEntry,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::AuthorizationPolicy,
        Self::PeerAuthentication,
        Self::DestinationRule,
        Self::ServiceEntry,
        Self::Sidecar,
        Self::WorkloadEntry,
    ];

    /// Every value of `kind` that is read: the kinds, and the lists of them.
    const NAMES: &'static [&'static str] = &[
        "AuthorizationPolicy",
        "PeerAuthentication",
        "DestinationRule",
        "ServiceEntry",
        "Sidecar",
        "WorkloadEntry",
        "AuthorizationPolicyList",
        "PeerAuthenticationList",
        "DestinationRuleList",
        "ServiceEntryList",
        "SidecarList",
        "WorkloadEntryList",
        LIST,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationPolicy => "AuthorizationPolicy",
            Self::PeerAuthentication => "PeerAuthentication",
            Self::DestinationRule => "DestinationRule",
            Self::ServiceEntry => "ServiceEntry",
            Self::Sidecar => "Sidecar",
            Self::WorkloadEntry => "WorkloadEntry",
        }
    }

    /// The `apiVersion` to write.
    pub(crate) fn version(self) -> &'static str {
        self.versions().first().copied().unwrap_or_default()
    }

    /// The values of `apiVersion` under which the kind is served, newest first.
    pub(crate) const fn versions(self) -> &'static [&'static str] {
        match self {
            Self::AuthorizationPolicy | Self::PeerAuthentication => {
                &["security.istio.io/v1", "security.istio.io/v1beta1"]
            }
            Self::DestinationRule | Self::ServiceEntry | Self::Sidecar | Self::WorkloadEntry => &[
                "networking.istio.io/v1",
                "networking.istio.io/v1beta1",
                "networking.istio.io/v1alpha3",
            ],
        }
    }
}

/// What a document is.
#[derive(Debug)]
pub(crate) enum Document<'n> {
    /// An object of a kind that is read.
    Known(Kind, Object<'n>),
    /// A list of objects.
    List(Vec<Field<'n>>),
    /// An object of another kind.
    Unknown(Skipped),
}

/// An object of a kind that is not read here.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Skipped {
    /// The name that the caller gave the text.
    pub source_name: String,
    /// The line the object begins on, from 1.
    pub line: Option<u64>,
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its `kind`.
    pub kind: String,
    /// Its namespace, if it names one.
    pub namespace: Option<String>,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The kind that is read and looks most like it: perhaps a slip of the pen.
    pub nearest: Option<&'static str>,
}

/// Such as ``policies.yaml:12: Deployment foo/web is not read here``.
impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.source_name)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        let colon = if self.source_name.is_empty() && self.line.is_none() { "" } else { ": " };
        write!(f, "{colon}{}", self.kind)?;
        if let Some(name) = &self.name {
            let (namespace, slash) = self
                .namespace
                .as_ref()
                .map_or(("", ""), |namespace| (namespace.as_str(), "/"));
            write!(f, " {namespace}{slash}{name}")?;
        }
        write!(f, " is not read here{}", crate::parse_error::did_you_mean(self.nearest))
    }
}

/// Tells what kind of object `field` is.
pub(crate) fn identify<'n>(field: &Field<'n>) -> Result<Document<'n>, ParseError> {
    let object = field.open_object()?;
    let api_version = object.require("apiVersion")?;
    let kind = object.require("kind")?;
    let (version, name) = (api_version.text()?, kind.text()?);
    if name == LIST {
        return match version {
            LIST_VERSION => items(field),
            _ => Err(api_version.refuse(ParseFault::UnsupportedVersion {
                kind: LIST,
                found: shorten(version),
                expected: LIST_VERSION,
            })),
        };
    }
    if let Some(known) = Kind::ALL
        .into_iter()
        .find(|known| name.strip_suffix("List") == Some(known.as_str()))
    {
        check_version(known, &api_version)?;
        return items(field);
    }
    if let Some(known) = Kind::ALL.into_iter().find(|known| known.as_str() == name) {
        check_version(known, &api_version)?;
        return Ok(Document::Known(
            known,
            field.object(&["apiVersion", "kind", "metadata", "spec", "status"])?,
        ));
    }
    check_unread(version, &kind, name)?;
    let metadata = object
        .get("metadata")
        .and_then(|metadata| metadata.open_object().ok());
    let text = |name| {
        let text = metadata.as_ref()?.text(name).ok().flatten();
        text.map(shorten)
    };
    Ok(Document::Unknown(Skipped {
        source_name: String::new(),
        line: field.key_at().map(|place| place.line),
        api_version: shorten(version),
        kind: shorten(name),
        namespace: text("namespace"),
        name: text("name"),
        // Istio's own kinds are no slips, however much they look like one.
        nearest: nearest(name, Kind::NAMES).filter(|_| !is_unread(name)),
    }))
}

fn is_unread(kind: &str) -> bool {
    [UNREAD_SECURITY, UNREAD_NETWORKING]
        .iter()
        .any(|kinds| kinds.contains(&kind))
}

fn items<'n>(field: &Field<'n>) -> Result<Document<'n>, ParseError> {
    let list = field.object(&["apiVersion", "kind", "metadata", "items"])?;
    let items = list
        .get("items")
        .map_or(Ok(Vec::new()), |items| items.list())?;
    Ok(Document::List(items.iter().map(Field::as_root).collect()))
}

/// A known kind under a foreign group or version is refused: skipping it would drop a policy for a slip of the pen.
fn check_version(kind: Kind, api_version: &Field<'_>) -> Result<(), ParseError> {
    let found = api_version.text()?;
    let versions = kind.versions();
    match versions {
        [expected, ..] if !versions.contains(&found) => {
            Err(api_version.refuse(ParseFault::UnsupportedVersion {
                kind: kind.as_str(),
                found: shorten(found),
                expected,
            }))
        }
        _ => Ok(()),
    }
}

/// A kind that is not read may be skipped only if it is not a slip of the pen: skipping that would drop a policy.
fn check_unread(version: &str, kind: &Field<'_>, name: &str) -> Result<(), ParseError> {
    let unknown = |nearest| ParseFault::UnknownKind { found: shorten(name), nearest };
    let other_case = Kind::NAMES
        .iter()
        .copied()
        .find(|known| known.eq_ignore_ascii_case(name));
    if other_case.is_some() {
        return Err(kind.refuse(unknown(other_case)));
    }
    let group = version.split_once('/').map_or(version, |(group, _)| group);
    let is_group = |known: &str| group.eq_ignore_ascii_case(known);
    let unread = [(SECURITY, UNREAD_SECURITY), (NETWORKING, UNREAD_NETWORKING)]
        .into_iter()
        .find_map(|(known, kinds)| is_group(known).then_some(kinds));
    let singular = name.strip_suffix("List").unwrap_or(name);
    let Some(unread) = unread.filter(|kinds| !kinds.contains(&singular)) else { return Ok(()) };
    let slip = nearest(name, Kind::NAMES);
    // Policies live in one group only; of the other, kinds may be added that have nothing to do with them.
    if slip.is_some() || is_group(SECURITY) {
        return Err(kind.refuse(unknown(slip.or_else(|| nearest(name, unread)))));
    }
    Ok(())
}

/// Reads `metadata`. Fields without a meaning here are left alone, whatever they are.
pub(crate) fn metadata(
    object: &Object<'_>,
    options: &ParseOptions,
) -> Result<Metadata, ParseError> {
    let field = object.require("metadata")?;
    let metadata = field.open_object()?;
    let name = checked_name(&metadata.require("name")?)?;
    let namespace = match (metadata.get("namespace"), &options.default_namespace) {
        (Some(namespace), _) => checked_name(&namespace)?,
        (None, Some(namespace)) => namespace.as_str(),
        (None, None) => return Err(field.refuse(ParseFault::NoNamespace)),
    };
    let labels = |name| {
        metadata
            .get(name)
            .map_or_else(|| Ok(Labels::default()), |labels| labels.labels())
    };
    let mut read = Metadata::new(ResourceName::new(namespace, name));
    read.labels = labels("labels")?;
    read.annotations = labels("annotations")?;
    if let Some(created) = metadata.get("creationTimestamp") {
        let text = created.text()?;
        match text.parse() {
            Ok(time) => read.created = Some(time),
            Err(_not_rfc3339) => {
                return Err(created.refuse(ParseFault::BadTimestamp { found: shorten(text) }));
            }
        }
    }
    Ok(read)
}

fn checked_name<'n>(field: &Field<'n>) -> Result<&'n str, ParseError> {
    let name = field.text()?;
    let fits = (1..=253).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if fits { Ok(name) } else { Err(field.refuse(ParseFault::BadName { found: shorten(name) })) }
}

/// A list of objects of any kind, and its `apiVersion`.
const LIST: &str = "List";
const LIST_VERSION: &str = "v1";

const SECURITY: &str = "security.istio.io";
const NETWORKING: &str = "networking.istio.io";

/// The kinds of Istio that are not read here, by group.
const UNREAD_SECURITY: &[&str] = &["RequestAuthentication"];
const UNREAD_NETWORKING: &[&str] =
    &["EnvoyFilter", "Gateway", "ProxyConfig", "VirtualService", "WorkloadGroup"];
