//! `client_tls`: the client's side, as far as no `DestinationRule` speaks.

use std::error::Error;

use meshtls::policy::{
    AcceptedNames, Address, Endpoint, EndpointTls, Labels, Location, MeshSettings, OutboundChoice,
    OutboundTls, PeerName, PolicySet, Resolution, ServiceView, Workload,
};
use serde_json::{Value, json};

use crate::case::{Case, port, same, text, texts};
use crate::peer_authentication::{policies, workload};

pub(crate) fn check(case: &Case<'_>) -> Result<(), Box<dyn Error>> {
    let set = PolicySet::compile(
        settings(case.field("mesh"))?,
        &policies(case.field("peerAuthentications"))?,
    );
    let place = case.field("endpoint");
    let endpoint = Endpoint::new(
        Address::Host("endpoint".to_owned()),
        port(&place["port"])?,
        workload(place)?,
    );
    let decision = set.outbound(&service(case, &endpoint)?, &endpoint, OutboundChoice::Auto);

    let (mode, sni, accepted) = match &decision.tls {
        OutboundTls::Disable => ("DISABLE", None, Vec::new()),
        OutboundTls::IstioMutual { sni, accepted } => {
            let names = match accepted {
                AcceptedNames::Anybody => Vec::new(),
                AcceptedNames::OneOf(names) => names.iter().map(ToString::to_string).collect(),
            };
            ("ISTIO_MUTUAL", Some(sni), names)
        }
    };
    let seen = json!({
        "mode": mode,
        "sni": sni,
        "sni_from_authority": false,
        "accepted_sans": accepted,
        "san_from_authority": false,
        "auto": decision.is_auto(),
        "destination_rule": Value::Null,
    });
    same(&seen, case.expected())
}

fn settings(mesh: &Value) -> Result<MeshSettings, Box<dyn Error>> {
    let aliases = texts(&mesh["trustDomainAliases"])?
        .into_iter()
        .map(str::parse)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(MeshSettings::new(text(&mesh["trustDomain"])?.parse()?)
        .with_root_namespace(text(&mesh["rootNamespace"])?)
        .with_enable_auto_mtls(mesh["enableAutoMtls"] == true)
        .with_trust_domain_aliases(aliases))
}

fn service(case: &Case<'_>, endpoint: &Endpoint) -> Result<ServiceView, Box<dyn Error>> {
    let service = case.field("service");
    let mut view = ServiceView::new(
        text(&service["hostname"])?,
        text(&service["namespace"])?,
        port(&service["port"])?,
    );
    if service["meshExternal"] == true {
        view.location = Location::MeshExternal;
    }
    view.names = texts(&service["serviceAccounts"])?
        .into_iter()
        .map(PeerName::from)
        .collect();
    view.endpoints = vec![endpoint.clone()];
    if service["resolution"] == "Passthrough" {
        view.resolution = Resolution::Passthrough;
        view.endpoints = texts(case.field("all_endpoint_tls_modes"))?
            .into_iter()
            .map(|mode| {
                let labels = Labels::from([(EndpointTls::LABEL, mode)]);
                let workload = Workload::new(&endpoint.workload.namespace, labels);
                Endpoint::new(endpoint.address.clone(), endpoint.port, workload)
            })
            .collect();
    }
    Ok(view)
}
