//! The TLS block of an ingress listener: model, reading, printing.

use serde::Serialize;

use crate::Verbatim;
use crate::field::{Field, Object, shorten};
use crate::parse_error::ParseError;
use crate::protocol;
use crate::violation::{Caution, Violation};

use super::read::Cautions;

/// How a port ends TLS of clients outside the mesh (Istio's `ServerTLSSettings`). Paths are as written.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServerTls {
    /// Whether clients show a certificate.
    pub mode: ServerTlsMode,
    /// The file with the server's certificate chain.
    pub server_certificate: Option<String>,
    /// The file with the key to it.
    pub private_key: Option<String>,
    /// The file with the certificates that clients' chains end in.
    pub ca_certificates: Option<String>,
    /// A file with revocation lists for clients' certificates.
    pub ca_crl: Option<String>,
    /// The lowest version; `None` leaves it to the server.
    pub min_protocol_version: Option<TlsVersion>,
    /// The highest version; `None` leaves it to the server.
    pub max_protocol_version: Option<TlsVersion>,
    /// Whether Istio would take clients whose chain does not verify. Whoever ends TLS must not obey it unasked.
    pub insecure_skip_verify: Option<bool>,
    /// `cipherSuites` and what Istio reads for gateways alone: without effect here.
    pub rest: Verbatim,
}

impl ServerTls {
    /// TLS with this certificate and key; clients are not asked for a certificate.
    pub fn simple(server_certificate: impl Into<String>, private_key: impl Into<String>) -> Self {
        Self {
            server_certificate: Some(server_certificate.into()),
            private_key: Some(private_key.into()),
            ..Self::new(ServerTlsMode::Simple)
        }
    }

    /// TLS with this certificate and key; clients must show a certificate that leads to one of `ca_certificates`.
    pub fn mutual(
        server_certificate: impl Into<String>,
        private_key: impl Into<String>,
        ca_certificates: impl Into<String>,
    ) -> Self {
        Self {
            mode: ServerTlsMode::Mutual,
            ca_certificates: Some(ca_certificates.into()),
            ..Self::simple(server_certificate, private_key)
        }
    }

    pub(super) fn new(mode: ServerTlsMode) -> Self {
        Self {
            mode,
            server_certificate: None,
            private_key: None,
            ca_certificates: None,
            ca_crl: None,
            min_protocol_version: None,
            max_protocol_version: None,
            insecure_skip_verify: None,
            rest: Verbatim::default(),
        }
    }
}

/// Whether clients show a certificate, and whose the server's is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(clippy::exhaustive_enums, reason = "whoever ends TLS must handle each")]
pub enum ServerTlsMode {
    /// Istio's default. On a `Sidecar` nothing passes through, whatever the name: Istio ends TLS with the certificate of the
    /// workload itself and asks for none.
    Passthrough,
    /// Clients are not asked for a certificate.
    Simple,
    /// Clients must show one.
    Mutual,
    /// Clients may show one; then it must verify.
    OptionalMutual,
}

impl ServerTlsMode {
    /// The name in Istio's API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passthrough => "PASSTHROUGH",
            Self::Simple => "SIMPLE",
            Self::Mutual => "MUTUAL",
            Self::OptionalMutual => "OPTIONAL_MUTUAL",
        }
    }
}

/// A version of TLS, as Istio names them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[expect(clippy::exhaustive_enums, reason = "Istio has these")]
pub enum TlsVersion {
    /// TLS 1.0, which rustls does not have.
    #[serde(rename = "TLSV1_0")]
    V1_0,
    /// TLS 1.1, which rustls does not have.
    #[serde(rename = "TLSV1_1")]
    V1_1,
    /// TLS 1.2.
    #[serde(rename = "TLSV1_2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "TLSV1_3")]
    V1_3,
}

/// Reads and checks the block of a port with the `protocol` given (rules SI-6 to SI-11).
pub(super) fn read(
    field: &Field<'_>,
    protocol: &str,
    cautions: &mut Cautions<'_>,
) -> Result<ServerTls, ParseError> {
    let (block, rest) = field.object_keeping(READ, KEPT)?;
    for name in UNSUPPORTED {
        if let Some(given) = block.get(name).filter(|given| !given.is_zero()) {
            return Err(given.invalid_key(Violation::IngressTlsField { name }));
        }
    }
    let mode = block
        .get("mode")
        .map_or(Ok(ServerTlsMode::Passthrough), |mode| {
            mode.name_of(MODES, mode_named)?
                .ok_or_else(|| mode.invalid(Violation::IngressTlsMode))
        })?;
    if !protocol::is_tls(protocol) {
        let found = shorten(protocol);
        return Err(field.invalid_key(Violation::IngressTlsNeedsTlsProtocol { found }));
    }
    let tls = ServerTls {
        server_certificate: path(&block, "serverCertificate")?,
        private_key: path(&block, "privateKey")?,
        ca_certificates: path(&block, "caCertificates")?,
        ca_crl: path(&block, "caCrl")?,
        min_protocol_version: version(&block, "minProtocolVersion")?,
        max_protocol_version: version(&block, "maxProtocolVersion")?,
        insecure_skip_verify: block
            .get("insecureSkipVerify")
            .map(|skip| skip.boolean())
            .transpose()?,
        rest,
        ..ServerTls::new(mode)
    };
    check(&tls, field)?;
    caution(&tls, &block, field, cautions)?;
    Ok(tls)
}

fn check(tls: &ServerTls, field: &Field<'_>) -> Result<(), ParseError> {
    let mode = tls.mode.as_str();
    let needs = |name| Err(field.invalid(Violation::IngressTlsNeeds { mode, name }));
    let mutual = matches!(tls.mode, ServerTlsMode::Mutual | ServerTlsMode::OptionalMutual);
    if mutual && tls.ca_certificates.is_none() {
        needs("caCertificates")
    } else if tls.mode == ServerTlsMode::Passthrough {
        Ok(())
    } else if tls.server_certificate.is_none() {
        needs("serverCertificate")
    } else if tls.private_key.is_none() {
        needs("privateKey")
    } else if tls.ca_crl.is_some() && tls.mode == ServerTlsMode::Simple {
        Err(field.invalid(Violation::IngressTlsCrlWithSimple))
    } else {
        Ok(())
    }
}

fn caution(
    tls: &ServerTls,
    block: &Object<'_>,
    field: &Field<'_>,
    cautions: &mut Cautions<'_>,
) -> Result<(), ParseError> {
    let files = [&tls.server_certificate, &tls.private_key, &tls.ca_certificates, &tls.ca_crl];
    if tls.mode == ServerTlsMode::Passthrough && files.iter().any(|file| file.is_some()) {
        cautions.add(field, Caution::TlsFilesWithoutEffect);
    }
    let suites = block
        .get("cipherSuites")
        .map(|suites| suites.texts())
        .transpose()?;
    let old = tls
        .min_protocol_version
        .is_some_and(|version| version < TlsVersion::V1_2);
    if old && suites.is_none_or(|suites| suites.is_empty()) {
        cautions.add(field, Caution::OldTlsWithoutCiphers);
    }
    Ok(())
}

/// A path; the empty text is none.
fn path(block: &Object<'_>, name: &str) -> Result<Option<String>, ParseError> {
    let text = block.text(name)?.filter(|text| !text.is_empty());
    Ok(text.map(str::to_owned))
}

fn version(block: &Object<'_>, name: &str) -> Result<Option<TlsVersion>, ParseError> {
    block.get(name).map_or(Ok(None), |version| {
        version.name_of(VERSIONS, |name| match name {
            "TLS_AUTO" => Some(None),
            "TLSV1_0" => Some(Some(TlsVersion::V1_0)),
            "TLSV1_1" => Some(Some(TlsVersion::V1_1)),
            "TLSV1_2" => Some(Some(TlsVersion::V1_2)),
            "TLSV1_3" => Some(Some(TlsVersion::V1_3)),
            _ => None,
        })
    })
}

/// The mode of a name; the inner `None` is one that Istio has for gateways alone.
#[expect(clippy::option_option, reason = "an unknown name, and a known one that is refused")]
fn mode_named(name: &str) -> Option<Option<ServerTlsMode>> {
    match name {
        "PASSTHROUGH" => Some(Some(ServerTlsMode::Passthrough)),
        "SIMPLE" => Some(Some(ServerTlsMode::Simple)),
        "MUTUAL" => Some(Some(ServerTlsMode::Mutual)),
        "OPTIONAL_MUTUAL" => Some(Some(ServerTlsMode::OptionalMutual)),
        "AUTO_PASSTHROUGH" | "ISTIO_MUTUAL" => Some(None),
        _ => None,
    }
}

const MODES: &[&str] =
    &["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"];

const VERSIONS: &[&str] = &["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"];

const READ: &[&str] = &[
    "mode",
    "serverCertificate",
    "privateKey",
    "caCertificates",
    "caCrl",
    "minProtocolVersion",
    "maxProtocolVersion",
    "insecureSkipVerify",
];

/// What Istio has for gateways, and refuses here unless it is empty.
const UNSUPPORTED: [&str; 5] =
    ["subjectAltNames", "httpsRedirect", "credentialName", "credentialNames", "tlsCertificates"];

const KEPT: &[&str] = &[
    "subjectAltNames",
    "httpsRedirect",
    "credentialName",
    "credentialNames",
    "tlsCertificates",
    "cipherSuites",
    "ecdhCurves",
    "caCertCredentialName",
    "verifyCertificateSpki",
    "verifyCertificateHash",
];
