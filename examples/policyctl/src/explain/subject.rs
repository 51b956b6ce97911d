//! The workload that is asked about.

use std::net::IpAddr;

use clap::Args;
use meshtls_policy::{Inventory, Labels, ResourceName, Workload};
use serde::Serialize;

use super::resource_name;
use crate::answer::Failure;

/// Which workload: by namespace and labels, or by its name in the inventory.
#[derive(Args)]
#[command(next_help_heading = "Workload")]
pub(super) struct SubjectFlags {
    /// A workload of the inventory.
    #[arg(long, value_name = "NS/NAME", value_parser = resource_name, conflicts_with_all = ["namespace", "label"])]
    workload: Option<ResourceName>,
    /// The namespace of the workload.
    #[arg(long, value_name = "NS", required_unless_present = "workload")]
    namespace: Option<String>,
    /// A label of the workload. Repeatable.
    #[arg(long, value_name = "K=V", value_parser = label)]
    label: Vec<(String, String)>,
}

/// The workload, as far as it is known.
#[derive(Serialize)]
pub(super) struct Subject {
    pub(super) workload: Workload,
    /// The ports that services give it, ascending.
    #[serde(skip)]
    pub(super) ports: Vec<u16>,
    #[serde(skip)]
    pub(super) address: Option<IpAddr>,
}

impl SubjectFlags {
    pub(super) fn find(&self, inventory: &Inventory) -> Result<Subject, Failure> {
        let Some(name) = &self.workload else {
            let labels: Labels = self.label.iter().cloned().collect();
            let workload = Workload::new(self.namespace.as_deref().unwrap_or_default(), labels);
            return Ok(Subject { workload, ports: Vec::new(), address: None });
        };
        let Some(member) = inventory
            .members()
            .iter()
            .find(|member| member.name == *name)
        else {
            let mut known: Vec<String> = inventory
                .members()
                .iter()
                .map(|member| member.name.to_string())
                .collect();
            known.sort();
            known.dedup();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Failure::usage(format!(
                "no workload {name} in the inventory; known: {known}"
            )));
        };
        let mut ports: Vec<u16> = member.ports.iter().map(|port| port.workload_port).collect();
        ports.sort_unstable();
        ports.dedup();
        Ok(Subject { workload: member.workload.clone(), ports, address: member.address.ip() })
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}
