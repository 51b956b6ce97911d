//! The settings of a mesh as Istio writes them: `meshConfig`.

use std::fmt;

use meshtls_identity::TrustDomain;

use crate::field::{Field, Object, shorten};
use crate::nearest::nearest;
use crate::parse_error::{ParseError, ParseFault, did_you_mean};
use crate::parse_options::ParseOptions;
use crate::violation::Violation;
use crate::{MeshSettings, MinimumTls, go_duration, tree};

impl MeshSettings {
    /// Reads Istio's `meshConfig` as YAML or JSON: the settings alone, or a `ConfigMap` that holds them as `data.mesh`.
    ///
    /// What is not there has its default; [`sidecar_ingress_tls`](Self::sidecar_ingress_tls) is no such setting and keeps
    /// its own. Settings of Istio's that have no meaning here are skipped and listed.
    ///
    /// ```
    /// use meshtls_policy::{MeshSettings, MinimumTls};
    ///
    /// let read = MeshSettings::parse(
    ///     "mesh.yaml",
    ///     "
    /// trustDomain: prod.example
    /// trustDomainAliases: [cluster.local]
    /// meshMTLS: { minProtocolVersion: TLSV1_3 }
    /// accessLogFile: /dev/stdout
    /// ",
    /// )?;
    /// assert_eq!(read.settings.minimum_tls, MinimumTls::Tls13);
    /// assert_eq!(read.skipped[0].to_string(), "mesh.yaml:5: accessLogFile has no effect here");
    /// # Ok::<(), meshtls_policy::ParseError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Resources::parse`](crate::Resources::parse); a name that is a slip of the pen is refused as
    /// [`ParseFault::UnknownField`], others that Istio does not have are skipped.
    pub fn parse(source_name: &str, text: &str) -> Result<ParsedSettings, ParseError> {
        let mut skipped = Vec::new();
        let settings = read_text(text, &mut skipped)
            .map_err(|error| error.in_source(source_name, Vec::new()))?;
        for skipped in &mut skipped {
            source_name.clone_into(&mut skipped.source_name);
        }
        Ok(ParsedSettings { settings, skipped })
    }
}

/// What [`MeshSettings::parse`] reads.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ParsedSettings {
    /// The settings.
    pub settings: MeshSettings,
    /// What is written and has no effect here.
    pub skipped: Vec<SkippedSetting>,
}

/// A setting that has no effect here.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SkippedSetting {
    /// The name that the caller gave the text.
    pub source_name: String,
    /// The line it stands on, from 1; of settings inside a `ConfigMap`, within `data.mesh`.
    pub line: Option<u64>,
    /// The path of the setting.
    pub field: String,
    /// Whether Istio knows it, at the version this was written for.
    pub known: bool,
    /// The setting that looks most like it, if Istio does not know it.
    pub nearest: Option<&'static str>,
}

/// Such as `mesh.yaml:3: accessLogFile has no effect here`.
impl fmt::Display for SkippedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source_name)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        let colon = if self.source_name.is_empty() && self.line.is_none() { "" } else { ": " };
        write!(f, "{colon}{} has no effect here", self.field)?;
        if !self.known {
            f.write_str(", nor in Istio")?;
        }
        f.write_str(&did_you_mean(self.nearest))
    }
}

fn read_text(text: &str, skipped: &mut Vec<SkippedSetting>) -> Result<MeshSettings, ParseError> {
    let documents = tree::documents(text, &ParseOptions::default())?;
    let [document] = documents.as_slice() else {
        return match documents.get(1) {
            None => Ok(MeshSettings::default()),
            Some(second) => Err(ParseError::new(ParseFault::WrongType {
                expected: "one document",
                found: "a second one".to_owned(),
            })
            .at(second.at)),
        };
    };
    let root = Field::root(document);
    let object = root.open_object()?;
    let is_config_map =
        object.get("kind").map(|kind| kind.text()).transpose()? == Some("ConfigMap");
    if !is_config_map {
        return read(&object, skipped);
    }
    let mesh = object.require("data")?.open_object()?.require("mesh")?;
    let documents = tree::documents(mesh.text()?, &ParseOptions::default())
        .map_err(|error| error.in_field("data.mesh"))?;
    match documents.as_slice() {
        [document] => read(&Field::root(document).open_object()?, skipped),
        [] => Ok(MeshSettings::default()),
        _ => Err(mesh.refuse(ParseFault::WrongType {
            expected: "one document",
            found: "several".to_owned(),
        })),
    }
}

fn read(
    object: &Object<'_>,
    skipped: &mut Vec<SkippedSetting>,
) -> Result<MeshSettings, ParseError> {
    let mut settings = MeshSettings::default();
    for field in object.fields() {
        if !READ.contains(&field.key()) {
            skip(field.key(), &field.field, skipped)?;
        }
    }
    if let Some(namespace) = object
        .text("rootNamespace")?
        .filter(|name| !name.is_empty())
    {
        namespace.clone_into(&mut settings.root_namespace);
    }
    if let Some(domain) = object.get("trustDomain").filter(|domain| !domain.is_zero()) {
        settings.trust_domain = trust_domain(&domain)?;
    }
    if let Some(aliases) = object.get("trustDomainAliases") {
        settings.trust_domain_aliases = trust_domains(&aliases)?;
    }
    if let Some(enable) = object.get("enableAutoMtls") {
        settings.enable_auto_mtls = enable.boolean()?;
    }
    if let Some(to) = object
        .get("defaultDestinationRuleExportTo")
        .filter(|to| !to.is_zero())
    {
        settings.default_destination_rule_export_to = to.texts()?;
    }
    if let Some(tls) = object.get("meshMTLS") {
        settings.minimum_tls = minimum_tls(&tls, skipped)?;
    }
    if let Some(timeout) = object.get("protocolDetectionTimeout") {
        let duration = go_duration::read(&timeout)?;
        if duration.subsec_nanos() % 1_000_000 != 0 {
            let found = shorten(timeout.text()?);
            return Err(timeout.invalid(Violation::BadDuration { found }));
        }
        settings = settings.with_protocol_detection_timeout(duration);
    }
    if let Some(certificates) = object.get("caCertificates") {
        settings.accepted_trust_domains = accepted(&certificates, skipped)?;
    }
    Ok(settings)
}

/// The lowest version; cipher suites are those of the TLS library.
fn minimum_tls(
    field: &Field<'_>,
    skipped: &mut Vec<SkippedSetting>,
) -> Result<MinimumTls, ParseError> {
    let tls = field.object(&["minProtocolVersion", "cipherSuites", "ecdhCurves"])?;
    if let Some(curves) = tls.get("ecdhCurves") {
        return Err(curves.invalid_key(Violation::MeshCurves));
    }
    if let Some(suites) = tls.get("cipherSuites") {
        skipped.push(unread(&suites));
    }
    tls.get("minProtocolVersion")
        .map_or(Ok(MinimumTls::Tls12), |version| {
            version.name_of(VERSIONS, |name| match name {
                "TLS_AUTO" | "TLSV1_2" => Some(MinimumTls::Tls12),
                "TLSV1_3" => Some(MinimumTls::Tls13),
                _ => None,
            })
        })
}

/// The trust domains of further authorities; the authorities themselves come with the trust bundles.
fn accepted(
    field: &Field<'_>,
    skipped: &mut Vec<SkippedSetting>,
) -> Result<Vec<TrustDomain>, ParseError> {
    let mut accepted = Vec::new();
    for item in field.list()? {
        let data = item.object(&["pem", "spiffeBundleUrl", "certSigners", "trustDomains"])?;
        for name in ["pem", "spiffeBundleUrl", "certSigners"] {
            skipped.extend(data.get(name).map(|field| unread(&field)));
        }
        if let Some(domains) = data.get("trustDomains") {
            for domain in trust_domains(&domains)? {
                if !accepted.contains(&domain) {
                    accepted.push(domain);
                }
            }
        }
    }
    Ok(accepted)
}

fn trust_domains(field: &Field<'_>) -> Result<Vec<TrustDomain>, ParseError> {
    field.list()?.iter().map(trust_domain).collect()
}

fn trust_domain(field: &Field<'_>) -> Result<TrustDomain, ParseError> {
    let text = field.text()?;
    text.parse()
        .map_err(|_malformed| field.invalid(Violation::BadTrustDomain { found: shorten(text) }))
}

/// Notes a setting without meaning here; a slip of the pen is refused, since a setting would be lost.
fn skip(
    name: &str,
    field: &Field<'_>,
    skipped: &mut Vec<SkippedSetting>,
) -> Result<(), ParseError> {
    let known = UNREAD.contains(&name);
    let slip = nearest(name, READ);
    if !known && slip.is_some() {
        let fault = ParseFault::UnknownField { name: shorten(name), nearest: slip };
        return Err(field.refuse_key(fault));
    }
    let nearest = if known { None } else { nearest(name, UNREAD) };
    skipped.push(SkippedSetting { known, nearest, ..unread(field) });
    Ok(())
}

fn unread(field: &Field<'_>) -> SkippedSetting {
    SkippedSetting {
        source_name: String::new(),
        line: field.key_at().map(|place| place.line),
        field: field.path().to_owned(),
        known: true,
        nearest: None,
    }
}

const READ: &[&str] = &[
    "caCertificates",
    "defaultDestinationRuleExportTo",
    "enableAutoMtls",
    "meshMTLS",
    "protocolDetectionTimeout",
    "rootNamespace",
    "trustDomain",
    "trustDomainAliases",
];

/// The other settings of Istio's `MeshConfig`.
const UNREAD: &[&str] = &[
    "accessLogEncoding",
    "accessLogFile",
    "accessLogFormat",
    "ca",
    "certificates",
    "configSources",
    "connectTimeout",
    "defaultConfig",
    "defaultHttpRetryPolicy",
    "defaultInboundHttpRetryPolicy",
    "defaultProviders",
    "defaultServiceExportTo",
    "defaultTrafficPolicy",
    "defaultVirtualServiceExportTo",
    "disableEnvoyListenerLog",
    "discoverySelectors",
    "dnsRefreshRate",
    "enableEnvoyAccessLogService",
    "enablePrometheusMerge",
    "enableTracing",
    "extensionProviders",
    "h2UpgradePolicy",
    "hboneIdleTimeout",
    "inboundClusterStatName",
    "inboundTrafficPolicy",
    "ingressClass",
    "ingressControllerMode",
    "ingressSelector",
    "ingressService",
    "localityLbSetting",
    "outboundClusterStatName",
    "outboundTrafficPolicy",
    "pathNormalization",
    "proxyHttpPort",
    "proxyInboundListenPort",
    "proxyListenPort",
    "serviceEntryVisibility",
    "serviceScopeConfigs",
    "serviceSettings",
    "tcpKeepalive",
    "tlsDefaults",
    "verifyCertificateAtClient",
    "zoneAwareLbSetting",
];

const VERSIONS: &[&str] = &["TLS_AUTO", "TLSV1_2", "TLSV1_3"];
