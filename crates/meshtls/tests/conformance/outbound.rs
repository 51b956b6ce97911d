//! `client_tls`: the client's side, by `DestinationRule` or by auto mTLS.

use std::error::Error;

use meshtls::policy::{
    AcceptedNames, Address, Endpoint, EndpointTls, Labels, Location, MeshSettings, NameSet,
    OutboundChoice, OutboundTls, PeerName, PolicySet, Registry, Resolution, ServerNames,
    ServiceView, Sni, Workload,
};
use serde_json::{Value, json};

use crate::case::{Case, port, same, text, texts};
use crate::destination_rule::rules;
use crate::peer_authentication::{policies, workload};

pub(crate) fn check(case: &Case<'_>) -> Result<(), Box<dyn Error>> {
    let resources = policies(case.field("peerAuthentications"))?
        .with_destination_rules(rules(case.field("destinationRules"))?);
    let set = PolicySet::compile(settings(case.field("mesh"))?, &resources);
    let place = case.field("endpoint");
    let endpoint = Endpoint::new(
        Address::Host("endpoint".to_owned()),
        port(&place["port"])?,
        workload(place)?,
    );
    let client = workload(case.field("client"))?;
    let service = service(case, &endpoint)?;
    let subset = case.field("subset").as_str().unwrap_or_default();
    let decision = set.outbound(&client, &service, subset, &endpoint, OutboundChoice::Auto);

    let authority = (None, true);
    let (sni, names) = match &decision.tls {
        OutboundTls::Disable | OutboundTls::Refuse(_) => ((None, false), (Vec::new(), false)),
        OutboundTls::IstioMutual { sni, accepted } => {
            let names = match accepted {
                AcceptedNames::Anybody => Vec::new(),
                AcceptedNames::OneOf(names) => sorted(names),
            };
            ((Some(sni), false), (names, false))
        }
        OutboundTls::Simple(origination) | OutboundTls::Mutual { origination, .. } => {
            let sni = match &origination.sni {
                Sni::Authority => authority,
                Sni::Fixed(sni) => (Some(sni), false),
            };
            let names = match &origination.names {
                ServerNames::Authority => (Vec::new(), true),
                ServerNames::OneOf(names) => (sorted(names), false),
                ServerNames::ChainOnly | ServerNames::InsecureSkipVerify => (Vec::new(), false),
            };
            (sni, names)
        }
    };
    let rules: Vec<String> = decision.rules.iter().map(ToString::to_string).collect();
    let seen = json!({
        "mode": decision.tls.mode(),
        "sni": sni.0,
        "sni_from_authority": sni.1,
        "accepted_sans": names.0,
        "san_from_authority": names.1,
        "auto": decision.is_auto(),
        "destination_rule": (!rules.is_empty()).then_some(rules),
    });
    same(&seen, case.expected())
}

fn sorted(names: &NameSet) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

pub(crate) fn settings(mesh: &Value) -> Result<MeshSettings, Box<dyn Error>> {
    let aliases = texts(&mesh["trustDomainAliases"])?
        .into_iter()
        .map(str::parse)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(MeshSettings::new(text(&mesh["trustDomain"])?.parse()?)
        .with_root_namespace(text(&mesh["rootNamespace"])?)
        .with_enable_auto_mtls(mesh["enableAutoMtls"] == true)
        .with_trust_domain_aliases(aliases))
}

pub(crate) fn service(case: &Case<'_>, endpoint: &Endpoint) -> Result<ServiceView, Box<dyn Error>> {
    let service = case.field("service");
    let mut view = ServiceView::new(
        text(&service["hostname"])?,
        text(&service["namespace"])?,
        port(&service["port"])?,
    );
    if service["meshExternal"] == true {
        view.location = Location::MeshExternal;
    }
    if service["registry"] == "Kubernetes" {
        view.registry = Registry::Kubernetes;
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
