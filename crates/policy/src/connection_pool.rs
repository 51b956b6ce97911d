//! `ConnectionPoolSettings`: without effect here, but checked as Istio does.

use crate::field::{Field, Object};
use crate::go_duration;
use crate::parse_error::{ParseError, ParseFault};
use crate::violation::Violation;

/// Checks the settings, and tells whether there are some for HTTP.
pub(crate) fn check(field: &Field<'_>) -> Result<bool, ParseError> {
    let pool = field.object(&["tcp", "http"])?;
    let (tcp, http) = (pool.get("tcp"), pool.get("http"));
    if tcp.is_none() && http.is_none() {
        return Err(field.invalid(Violation::ConnectionPoolEmpty));
    }
    if let Some(tcp) = &tcp {
        check_tcp(tcp)?;
    }
    if let Some(http) = &http {
        check_http(http)?;
    }
    Ok(http.is_some())
}

fn check_tcp(field: &Field<'_>) -> Result<(), ParseError> {
    let tcp = field.object(&[
        "maxConnections",
        "connectTimeout",
        "tcpKeepalive",
        "maxConnectionDuration",
        "idleTimeout",
    ])?;
    counts(&tcp, &["maxConnections"])?;
    durations(&tcp, &["connectTimeout", "maxConnectionDuration"])?;
    if let Some(idle) = tcp.get("idleTimeout")
        && go_duration::read(&idle)?.as_millis() != 0
    {
        check_duration(&idle)?;
    }
    let Some(keepalive) = tcp.get("tcpKeepalive") else { return Ok(()) };
    let keepalive = keepalive.object(&["probes", "time", "interval"])?;
    counts(&keepalive, &["probes"])?;
    durations(&keepalive, &["time", "interval"])
}

fn check_http(field: &Field<'_>) -> Result<(), ParseError> {
    let http = field.object(&[
        "http1MaxPendingRequests",
        "http2MaxRequests",
        "maxRequestsPerConnection",
        "maxRetries",
        "idleTimeout",
        "h2UpgradePolicy",
        "useClientProtocol",
        "maxConcurrentStreams",
        "http2KeepAlive",
    ])?;
    counts(
        &http,
        &[
            "http1MaxPendingRequests",
            "http2MaxRequests",
            "maxRequestsPerConnection",
            "maxRetries",
            "maxConcurrentStreams",
        ],
    )?;
    durations(&http, &["idleTimeout"])?;
    let upgrades = http.get("h2UpgradePolicy").map_or(Ok(false), |policy| {
        policy.name_of(UPGRADES, |name| UPGRADES.contains(&name).then_some(name == "UPGRADE"))
    })?;
    let client = http.get("useClientProtocol");
    if let Some(client) = client.filter(|client| !client.is_zero())
        && client.boolean()?
        && upgrades
    {
        return Err(client.invalid(Violation::UpgradeAndClientProtocol));
    }
    let Some(keepalive) = http.get("http2KeepAlive") else { return Ok(()) };
    let keepalive = keepalive.object(&["interval", "timeout"])?;
    for name in ["interval", "timeout"] {
        keepalive.require(name)?;
    }
    durations(&keepalive, &["interval", "timeout"])
}

fn counts(object: &Object<'_>, names: &[&str]) -> Result<(), ParseError> {
    names
        .iter()
        .filter_map(|name| object.get(name))
        .try_for_each(|field| match i32::try_from(field.count()?) {
            Ok(_) => Ok(()),
            Err(_) => Err(field.refuse(ParseFault::WrongType {
                expected: "a whole number below 2147483648",
                found: "a larger one".to_owned(),
            })),
        })
}

fn durations(object: &Object<'_>, names: &[&str]) -> Result<(), ParseError> {
    names
        .iter()
        .filter_map(|name| object.get(name))
        .try_for_each(|field| check_duration(&field))
}

/// At least a millisecond, and a whole number of them.
fn check_duration(field: &Field<'_>) -> Result<(), ParseError> {
    let duration = go_duration::read(field)?;
    if duration.as_millis() == 0 || duration.subsec_nanos() % 1_000_000 != 0 {
        Err(field.invalid(Violation::BadDuration { found: crate::field::shorten(field.text()?) }))
    } else {
        Ok(())
    }
}

const UPGRADES: &[&str] = &["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"];
