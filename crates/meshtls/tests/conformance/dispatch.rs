//! `inbound_dispatch`: the decision on the first bytes. The acceptor's own tests play the same rows over real sockets.

use std::error::Error;

use meshtls::SpiffeId;
use meshtls::acceptor::{
    AppProtocol, Decision, FirstBytes, MeshOffer, OpeningRefusal, PortProtocol, Side, decide,
};
use meshtls::identity::{AcceptedDomains, TrustDomain};
use meshtls::policy::MtlsMode;
use serde_json::{Value, json};

use crate::case::{Case, same, text, texts};

pub(crate) fn check(case: &Case<'_>) -> Result<(), Box<dyn Error>> {
    let mode: MtlsMode = text(case.field("mode"))?.parse()?;
    let protocol = match text(case.field("port_protocol"))? {
        "http" => PortProtocol::Http,
        "tcp" => PortProtocol::Tcp,
        "auto" => PortProtocol::Auto,
        other => return Err(format!("port_protocol `{other}` is unknown").into()),
    };
    let connection = case.field("connection");
    let (action, app, principal) =
        outcome(mode, protocol, connection, case.field("trust_domains"))?;
    let expected = case.expected();
    // Where Istio shows TLS to an HTTP parser, we refuse it by name: a stated deviation. Both end without an answer to the TLS.
    if action == REFUSED_TLS
        && (expected["action"] == "reset" || expected["action"] == "http_protocol_error")
    {
        return Ok(());
    }
    same(&json!({ "action": action, "app_protocol": app, "peer_principal": principal }), expected)
}

const REFUSED_TLS: &str = "tls_on_http_port";

type Outcome<'a> = (&'static str, Option<&'static str>, Option<&'a str>);

fn outcome<'a>(
    mode: MtlsMode,
    protocol: PortProtocol,
    connection: &'a Value,
    domains: &Value,
) -> Result<Outcome<'a>, Box<dyn Error>> {
    let first = first_bytes(connection)?;
    let tls = matches!(first, Some(FirstBytes::ClientHello(_) | FirstBytes::TlsLike));
    // On a port that is not sniffed nobody waits for the first bytes, so any stand for those that never come.
    let decision = decide(mode, protocol, first.unwrap_or(FirstBytes::Other));
    Ok(match decision {
        Decision::Unsniffed(_) if tls => ("raw_tls_to_app", Some("tcp"), None),
        Decision::Unsniffed(_) => ("plaintext_to_app", Some("tcp"), None),
        _ if first.is_none() => ("wait_for_client_bytes", None, None),
        Decision::ForeignTls(_) => ("raw_tls_to_app", Some("tcp"), None),
        Decision::Plaintext(AppProtocol::Http1, _) if first == Some(FirstBytes::Other) => {
            ("http_protocol_error", Some("http"), None)
        }
        Decision::Plaintext(AppProtocol::Http1 | AppProtocol::Http2, _) => {
            ("plaintext_to_app", Some("http"), None)
        }
        Decision::Plaintext(AppProtocol::Tcp, _) => ("plaintext_to_app", Some("tcp"), None),
        Decision::Refuse(OpeningRefusal::TlsOnHttpPort) => (REFUSED_TLS, None, None),
        Decision::Refuse(_) => ("reset", None, None),
        Decision::Terminate(side) => match verified(&connection["client_cert"], domains)? {
            Some(id) => {
                ("terminate_mtls", Some(if side == Side::Http { "http" } else { "tcp" }), Some(id))
            }
            None => ("tls_handshake_failure", None, None),
        },
    })
}

/// What the connection begins with; `None` for a silent client.
fn first_bytes(connection: &Value) -> Result<Option<FirstBytes>, Box<dyn Error>> {
    Ok(Some(match text(&connection["transport"])? {
        "silent" => return Ok(None),
        "tls" if connection["malformed_client_hello"] == true => FirstBytes::TlsLike,
        "tls" => {
            let offer = texts(&connection["alpn"])?;
            FirstBytes::ClientHello(MeshOffer::of(offer.iter().map(|name| name.as_bytes())))
        }
        "plaintext" => match text(&connection["first_bytes"])? {
            "http1" => FirstBytes::Http1,
            "http2" => FirstBytes::Http2,
            "other" => FirstBytes::Other,
            other => return Err(format!("first_bytes `{other}` is unknown").into()),
        },
        other => return Err(format!("transport `{other}` is unknown").into()),
    }))
}

/// The ID of a certificate that the handshake accepts. The chain's own checks are the business of other tests: here it is as described.
fn verified<'a>(
    certificate: &'a Value,
    domains: &Value,
) -> Result<Option<&'a str>, Box<dyn Error>> {
    if certificate["chain"] != "trusted" || certificate["valid_now"] != true {
        return Ok(None);
    }
    let domains: Vec<TrustDomain> = texts(domains)?
        .into_iter()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let accepted =
        if domains.is_empty() { AcceptedDomains::Any } else { domains.into_iter().collect() };
    let Some(name) = certificate["uri_san"].as_str() else { return Ok(None) };
    let accepts = name
        .parse::<SpiffeId>()
        .is_ok_and(|id| accepted.accepts(id.trust_domain()));
    Ok(accepts.then_some(name))
}
