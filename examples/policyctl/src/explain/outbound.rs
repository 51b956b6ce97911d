//! Which TLS does a client use?

use std::sync::Arc;

use clap::Args;
use meshtls_policy::{
    Discovery, Inventory, OutboundChoice, OutboundExplanation, PolicySet, ServiceView, Workload,
};
use serde::Serialize;

use super::painted;
use crate::answer::Failure;

/// A service that the workload connects to.
#[derive(Args)]
#[command(next_help_heading = "Client")]
pub(super) struct Client {
    /// Explain the workload as a client of this service (port of the service, not of its workloads).
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    to: Option<(String, u16)>,
    /// The subset of the service that it asks for.
    #[arg(
        long,
        value_name = "NAME",
        requires = "to",
        default_value = "",
        hide_default_value = true
    )]
    subset: String,
}

/// The TLS towards each endpoint.
#[derive(Serialize)]
pub(super) struct Outbounds {
    host: String,
    port: u16,
    /// The full host name; `None`: the client sees no such service.
    service: Option<String>,
    endpoints: Vec<OutboundExplanation>,
}

impl Client {
    pub(super) fn is_asked(&self) -> bool {
        self.to.is_some()
    }

    pub(super) fn explain(
        &self,
        set: &PolicySet,
        inventory: &Inventory,
        client: &Workload,
    ) -> Result<Option<Outbounds>, Failure> {
        let Some((host, port)) = &self.to else { return Ok(None) };
        let service = inventory.service(&client.namespace, host, *port);
        let explain = |service: &Arc<ServiceView>| -> Vec<OutboundExplanation> {
            let of = |endpoint| {
                set.explain_outbound(client, service, &self.subset, endpoint, OutboundChoice::Auto)
            };
            service.endpoints.iter().map(of).collect()
        };
        Ok(Some(Outbounds {
            host: host.clone(),
            port: *port,
            endpoints: service.as_ref().map(explain).unwrap_or_default(),
            service: service.as_ref().map(|service| service.hostname.clone()),
        }))
    }
}

pub(super) fn text(outbounds: &Outbounds) -> String {
    let Outbounds { host, port, service, endpoints } = outbounds;
    match service {
        None => {
            format!("{host}:{port} is no service that the client sees: it is outside the mesh\n")
        }
        Some(service) if endpoints.is_empty() => format!("{service}:{port} has no endpoints\n"),
        Some(_) => endpoints.iter().map(painted).collect::<Vec<_>>().join("\n"),
    }
}

fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let parts = text.rsplit_once(':');
    let parts = parts.and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match parts {
        Some((host, port)) if !host.is_empty() && port != 0 => Ok((host.to_owned(), port)),
        _ => Err("write HOST:PORT".to_owned()),
    }
}
