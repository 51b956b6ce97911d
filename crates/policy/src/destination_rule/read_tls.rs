//! The `tls` of a traffic policy, validated as Istio does.

use super::{ClientTls, ClientTlsMode, DestinationRuleViolation as Broken};
use crate::field::{Field, Object, shorten};
use crate::parse_error::ParseError;

/// Reads a `tls`; `namespace` is that of the rule.
pub(super) fn read(field: &Field<'_>, namespace: &str) -> Result<ClientTls, ParseError> {
    let object = field.object(FIELDS)?;
    let mode = object
        .get("mode")
        .map(|mode| mode.name_of(MODES, ClientTlsMode::named))
        .transpose()?;
    let text = |name| {
        let text = object.text(name)?.filter(|text| !text.is_empty());
        Ok(text.map(str::to_owned))
    };
    let tls = ClientTls {
        mode: mode.unwrap_or(ClientTlsMode::Disable),
        sni: text("sni")?,
        subject_alt_names: object
            .get("subjectAltNames")
            .map_or(Ok(Vec::new()), |names| names.texts())?,
        ca_certificates: text("caCertificates")?,
        ca_crl: text("caCrl")?,
        client_certificate: text("clientCertificate")?,
        private_key: text("privateKey")?,
        credential_name: text("credentialName")?,
        insecure_skip_verify: object
            .get("insecureSkipVerify")
            .map(|skip| skip.boolean())
            .transpose()?,
    };
    match check(&tls, namespace) {
        Ok(()) => Ok(tls),
        Err((at, broken)) => Err(at_field(field, &object, at, broken)),
    }
}

/// What is wrong, and the field that is.
fn check(tls: &ClientTls, namespace: &str) -> Result<(), (&'static str, Broken)> {
    if let Some(found) = &tls.credential_name
        && let Some(name) = found.strip_prefix("configmap://")
        && !is_config_map_of(namespace, name)
    {
        return Err(("credentialName", Broken::ConfigMapName { found: shorten(found) }));
    }
    let simple = tls.mode == ClientTlsMode::Simple;
    if !simple && tls.mode != ClientTlsMode::Mutual {
        return Ok(());
    }
    let names = (!tls.subject_alt_names.is_empty()).then_some("subjectAltNames");
    let authorities = tls.ca_certificates.as_ref().map(|_| "caCertificates");
    let credential = tls.credential_name.as_ref().map(|_| "credentialName");
    let certificate = tls.client_certificate.as_ref().map(|_| "clientCertificate");
    let key = tls.private_key.as_ref().map(|_| "privateKey");
    if tls.insecure_skip_verify == Some(true) {
        // With MUTUAL the credential may hold the client's certificate alone.
        let credential = credential.filter(|_| simple);
        if let Some(field) = authorities.or(credential).or(names) {
            return Err(("insecureSkipVerify", Broken::InsecureSkipVerifyWith { field }));
        }
    }
    if credential.is_some() {
        let revoked = tls.ca_crl.as_ref().map(|_| "caCrl");
        return match certificate.or(authorities).or(key).or(revoked) {
            Some(field) => Err(("credentialName", Broken::CredentialNameWithFiles { field })),
            None => Ok(()),
        };
    }
    match (simple, certificate, key) {
        (true, ..) | (false, Some(_), Some(_)) => Ok(()),
        (false, None, _) => Err(("mode", Broken::ClientCertificateRequired)),
        (false, Some(_), None) => Err(("mode", Broken::PrivateKeyRequired)),
    }
}

/// Whether `name` is `namespace/...` with something behind the slash.
fn is_config_map_of(namespace: &str, name: &str) -> bool {
    let mut parts = name.split('/');
    parts.next() == Some(namespace) && parts.next().is_some_and(|name| !name.is_empty())
}

fn at_field(tls: &Field<'_>, object: &Object<'_>, at: &str, broken: Broken) -> ParseError {
    object
        .get(at)
        .as_ref()
        .unwrap_or(tls)
        .invalid(broken.into())
}

const FIELDS: &[&str] = &[
    "mode",
    "sni",
    "subjectAltNames",
    "caCertificates",
    "caCrl",
    "clientCertificate",
    "privateKey",
    "credentialName",
    "insecureSkipVerify",
];

const MODES: &[&str] = &["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"];
