//! The outbound half of a `Sidecar`: without effect here, but checked as Istio does.

use std::collections::{HashMap, HashSet};

use super::read::{Cautions, check_capture_mode, check_ip, given, read_port};
use crate::field::{Field, Object, shorten};
use crate::host_name::{is_fqdn, is_label, is_wildcard_domain};
use crate::parse_error::ParseError;
use crate::unix_address;
use crate::violation::{Caution, Violation};

/// Checks the listeners.
pub(super) fn check(
    listeners: &[Field<'_>],
    namespace: &str,
    cautions: &mut Cautions<'_>,
) -> Result<(), ParseError> {
    let mut ports = HashSet::new();
    let mut sockets = HashSet::new();
    for (nth, field) in listeners.iter().enumerate() {
        let listener = field.object(&["port", "bind", "captureMode", "hosts"])?;
        let last = nth.saturating_add(1) == listeners.len();
        match listener.get("port") {
            Some(port) => check_port(&listener, &port, &mut ports, &mut sockets)?,
            None if last => {
                check_capture_mode(&listener)?;
            }
            None => return Err(field.invalid(Violation::EgressWithoutPortNotLast)),
        }
        let hosts = listener.require("hosts")?;
        check_hosts(&hosts, namespace, cautions)?;
    }
    Ok(())
}

fn check_port<'n>(
    listener: &Object<'n>,
    field: &Field<'n>,
    ports: &mut HashSet<u16>,
    sockets: &mut HashSet<&'n str>,
) -> Result<(), ParseError> {
    let port = read_port(field)?;
    let bind = given(listener, "bind")?;
    let capture = check_capture_mode(listener)?;
    let number = port.object.get("number").filter(|number| !number.is_zero());
    if let Some(number) = number {
        let value = number.port()?;
        if let Some(bind) = &bind {
            check_ip(bind)?;
        }
        if !ports.insert(value) {
            return Err(number.invalid(Violation::DuplicatePort { found: value.to_string() }));
        }
        return Ok(());
    }
    let Some(bind) = bind else { return Err(field.invalid(Violation::SocketNeedsBind)) };
    let text = bind.text()?;
    if !text
        .strip_prefix(unix_address::PREFIX)
        .is_some_and(unix_address::is_valid)
    {
        return Err(bind.invalid(Violation::SocketNeedsBind));
    }
    if capture == Some("IPTABLES") {
        return Err(bind.invalid(Violation::SocketCaptureMode));
    }
    if !sockets.insert(text) {
        return Err(bind.invalid(Violation::DuplicatePort { found: shorten(text) }));
    }
    Ok(())
}

/// Checks `namespace/host` texts; a host named twice is odd only.
fn check_hosts(
    field: &Field<'_>,
    own: &str,
    cautions: &mut Cautions<'_>,
) -> Result<(), ParseError> {
    let hosts = field.list()?;
    if hosts.is_empty() {
        return Err(field.invalid(Violation::HostsEmpty));
    }
    let mut seen: HashMap<&str, HashSet<&str>> = HashMap::new();
    for item in &hosts {
        let text = item.text()?;
        let bad = || item.invalid(Violation::BadEgressHost { found: shorten(text) });
        let (namespace, host) = text.split_once('/').ok_or_else(bad)?;
        let plain = namespace.strip_prefix('~').unwrap_or(namespace);
        let sound = !namespace.is_empty()
            && (matches!(plain, "" | "*" | ".") || is_label(plain))
            && (host == "*" || (host.contains('.') && is_wildcard_domain(host)))
            && (!host.contains('*') || host == "*" || host.starts_with("*."));
        if !sound {
            return Err(bad());
        }
        if !namespace.starts_with('~') {
            let namespace = if namespace == "." { own } else { namespace };
            let known = seen.entry(namespace).or_default();
            let twice = if host == "*" { !known.is_empty() } else { known.contains("*") };
            if !known.insert(host) || twice {
                cautions.add(item, Caution::EgressHostTwice);
            }
        }
    }
    let all = seen.get("*").is_some_and(|hosts| hosts.contains("*"));
    if all && seen.len() > 1 {
        cautions.add(field, Caution::EgressHostTwice);
    }
    Ok(())
}

/// Checks `outboundTrafficPolicy`.
pub(super) fn check_policy(field: &Field<'_>) -> Result<(), ParseError> {
    let policy = field.object(&["mode", "egressProxy"])?;
    let allow_any = policy.get("mode").map_or(Ok(false), |mode| {
        mode.name_of(MODES, |name| MODES.contains(&name).then_some(name == "ALLOW_ANY"))
    })?;
    let Some(proxy) = policy.get("egressProxy") else { return Ok(()) };
    if !allow_any {
        return Err(proxy.invalid_key(Violation::EgressProxyNeedsAllowAny));
    }
    let destination = proxy.object(&["host", "subset", "port"])?;
    let host = destination.require("host")?;
    let text = host.text()?;
    if !is_fqdn(text) {
        return Err(host.invalid(Violation::BadHost { found: shorten(text) }));
    }
    if let Some(subset) = given(&destination, "subset")? {
        let text = subset.text()?;
        if !is_label(text) {
            return Err(subset.invalid(Violation::BadSubsetName { found: shorten(text) }));
        }
    }
    let port = destination.require("port")?;
    port.object(&["number"])?.require("number")?.port()?;
    Ok(())
}

const MODES: &[&str] = &["REGISTRY_ONLY", "ALLOW_ANY"];
