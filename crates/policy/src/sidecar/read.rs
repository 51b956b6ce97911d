//! A document to a `Sidecar`, validated as Istio does.

use std::collections::HashSet;
use std::net::IpAddr;

use super::{IngressListener, Sidecar, egress, server_tls};
use crate::field::{Field, Object, shorten};
use crate::host_name::is_label;
use crate::kind::Kind;
use crate::parse_error::ParseError;
use crate::resource::Resource;
use crate::violation::{Caution, Violation, Warning};
use crate::{Metadata, ResourceName, connection_pool, protocol, selector, unix_address};

impl Resource for Sidecar {
    const KIND: Kind = Kind::Sidecar;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn read(
        object: &Object<'_>,
        metadata: Metadata,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ParseError> {
        let name = metadata.name.clone();
        read(object, metadata, &mut Cautions { name: &name, warnings })
    }
}

/// Collects what is odd about one object.
pub(crate) struct Cautions<'w> {
    pub(crate) name: &'w ResourceName,
    pub(crate) warnings: &'w mut Vec<Warning>,
}

impl Cautions<'_> {
    /// Notes what is odd about a field; the warning points at its key.
    pub(crate) fn add(&mut self, field: &Field<'_>, caution: Caution) {
        let path = field.path().to_owned();
        self.warnings
            .push(Warning::new(field.key_at(), path, self.name.clone(), caution));
    }
}

fn read(
    object: &Object<'_>,
    metadata: Metadata,
    cautions: &mut Cautions<'_>,
) -> Result<Sidecar, ParseError> {
    let mut sidecar = Sidecar::with_metadata(metadata);
    let field = object.require("spec")?;
    let (spec, rest) = field.object_keeping(READ, KEPT)?;
    sidecar.rest = rest;
    if let Some(selector) = spec.get("workloadSelector") {
        let labels = selector::read(&selector, &["labels"])?;
        if labels.is_empty() {
            cautions.add(&selector, Caution::SelectorWithoutLabels);
        }
        sidecar.workload_selector = Some(labels);
    }
    let list = |name| spec.get(name).map_or(Ok(Vec::new()), |list| list.list());
    let (ingress, egress) = (list("ingress")?, list("egress")?);
    let said = |name| spec.get(name).is_some();
    if ingress.is_empty()
        && egress.is_empty()
        && !said("outboundTrafficPolicy")
        && !said("inboundConnectionPool")
    {
        return Err(field.invalid(Violation::SidecarEmpty));
    }
    let mut taken = HashSet::new();
    for item in &ingress {
        sidecar
            .ingress
            .push(read_listener(item, &mut taken, cautions)?);
    }
    if let Some(pool) = spec.get("inboundConnectionPool") {
        connection_pool::check(&pool)?;
    }
    egress::check(&egress, sidecar.metadata.name.namespace(), cautions)?;
    if let Some(policy) = spec.get("outboundTrafficPolicy") {
        egress::check_policy(&policy)?;
    }
    Ok(sidecar)
}

fn read_listener(
    field: &Field<'_>,
    taken: &mut HashSet<u16>,
    cautions: &mut Cautions<'_>,
) -> Result<IngressListener, ParseError> {
    let (listener, rest) = field.object_keeping(LISTENER_READ, LISTENER_KEPT)?;
    let port_field = listener.require("port")?;
    let port = read_port(&port_field)?;
    let number_field = port.object.require("number")?;
    let number = number_field.port()?;
    if let Some(bind) = given(&listener, "bind")? {
        check_ip(&bind)?;
    }
    if !taken.insert(number) {
        let found = number.to_string();
        return Err(number_field.invalid(Violation::DuplicatePort { found }));
    }
    check_capture_mode(&listener)?;
    let default_endpoint = given(&listener, "defaultEndpoint")?
        .map(|endpoint| read_endpoint(&endpoint))
        .transpose()?;
    let tls = listener
        .get("tls")
        .map(|tls| server_tls::read(&tls, &port.protocol, cautions))
        .transpose()?;
    if let Some(pool) = listener.get("connectionPool") {
        let for_http = connection_pool::check(&pool)?;
        if for_http && !protocol::is_http(&port.protocol) {
            cautions.add(&pool, Caution::HttpPoolWithoutHttp);
        }
    }
    let (name, protocol) = (port.name, port.protocol);
    Ok(IngressListener { port: number, protocol, name, default_endpoint, tls, rest })
}

/// A port as `Sidecar` writes them, without its number: for egress that may be 0.
pub(super) struct Port<'n> {
    pub(super) object: Object<'n>,
    pub(super) protocol: String,
    pub(super) name: String,
}

/// Reads what the ports of both directions share.
pub(super) fn read_port<'n>(field: &Field<'n>) -> Result<Port<'n>, ParseError> {
    let object = field.object(&["number", "protocol", "name", "targetPort"])?;
    if let Some(target) = object.get("targetPort").filter(|target| !target.is_zero()) {
        return Err(target.invalid_key(Violation::TargetPortWithoutEffect));
    }
    let name = given(&object, "name")?;
    if let Some(name) = &name {
        check_port_name(name.text()?, name)?;
    }
    let protocol = given(&object, "protocol")?;
    if let Some(protocol) = &protocol {
        check_protocol(protocol)?;
    }
    let text = |field: Option<Field<'_>>| {
        field.map_or(Ok(String::new()), |field| field.text().map(str::to_owned))
    };
    Ok(Port { protocol: text(protocol)?, name: text(name)?, object })
}

/// A field with a text that is not empty: the API server writes the empty text for none.
pub(super) fn given<'n>(object: &Object<'n>, name: &str) -> Result<Option<Field<'n>>, ParseError> {
    match object.get(name) {
        Some(field) if !field.text()?.is_empty() => Ok(Some(field)),
        _ => Ok(None),
    }
}

/// Refuses a name of a port that is no DNS label.
pub(crate) fn check_port_name(name: &str, field: &Field<'_>) -> Result<(), ParseError> {
    if is_label(name) {
        Ok(())
    } else {
        Err(field.invalid(Violation::BadPortName { found: shorten(name) }))
    }
}

/// Refuses a protocol that Istio does not know.
pub(crate) fn check_protocol(field: &Field<'_>) -> Result<(), ParseError> {
    let text = field.text()?;
    if protocol::is_known(text) {
        Ok(())
    } else {
        let nearest = protocol::nearest(text);
        Err(field.invalid(Violation::UnknownProtocol { found: shorten(text), nearest }))
    }
}

/// Refuses an address that is no IP address.
pub(super) fn check_ip(field: &Field<'_>) -> Result<(), ParseError> {
    let text = field.text()?;
    match text.parse::<IpAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(field.invalid(Violation::BadBind { found: shorten(text) })),
    }
}

/// Refuses a capture mode that Istio does not know; `None` if there is none, or the default.
pub(super) fn check_capture_mode(
    listener: &Object<'_>,
) -> Result<Option<&'static str>, ParseError> {
    let Some(mode) = listener.get("captureMode") else { return Ok(None) };
    let mode = mode.name_of(CAPTURE_MODES, |name| {
        CAPTURE_MODES.iter().copied().find(|known| *known == name)
    })?;
    Ok(Some(mode).filter(|mode| *mode != "DEFAULT"))
}

/// Reads `127.0.0.1:80`, `0.0.0.0:80`, `[::1]:80`, `[::]:80`, `:80` or `unix:///path`.
fn read_endpoint(field: &Field<'_>) -> Result<String, ParseError> {
    let text = field.text()?;
    let sound = match text.strip_prefix(unix_address::PREFIX) {
        Some(path) => unix_address::is_valid(path),
        None => text.rsplit_once(':').is_some_and(|(host, port)| {
            ["", "127.0.0.1", "0.0.0.0", "[::1]", "[::]"].contains(&host)
                && port.bytes().all(|byte| byte.is_ascii_digit())
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        }),
    };
    if sound {
        Ok(text.to_owned())
    } else {
        Err(field.invalid(Violation::BadDefaultEndpoint { found: shorten(text) }))
    }
}

const READ: &[&str] = &["workloadSelector", "ingress"];
const KEPT: &[&str] = &["egress", "outboundTrafficPolicy", "inboundConnectionPool"];

const LISTENER_READ: &[&str] = &["port", "defaultEndpoint", "tls"];
const LISTENER_KEPT: &[&str] = &["bind", "captureMode", "connectionPool"];

const CAPTURE_MODES: &[&str] = &["DEFAULT", "IPTABLES", "NONE"];
