//! `policyctl explain`: why a port has its mode, who may connect to it, and which TLS a client uses.

mod authorization;
mod outbound;
mod subject;

use std::fmt::Display;
use std::path::PathBuf;

use clap::Args;
use meshtls_policy::{
    AuthorizationExplanation, Explanation, IngressExplanation, Inventory, PolicySet, ResourceName,
    Resources, Winner,
};
use serde::Serialize;

use self::authorization::Caller;
use self::outbound::{Client, Outbounds};
use self::subject::{Subject, SubjectFlags};
use crate::answer::{Answer, Failure};
use crate::input::{self, Files};
use crate::mesh::Mesh;
use crate::remark::Place;
use crate::render;

/// Say why: the mode of a port, who may connect to it, which TLS a client uses
///
/// Says which policy wins and why each other one loses, what a Sidecar ends TLS for, and what surprises people there.
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Explain {
    /// The policies: a file or a directory. Repeatable.
    #[arg(long, value_name = "PATH", required = true)]
    policies: Vec<PathBuf>,
    /// Services and workloads (ServiceEntry, WorkloadEntry), unless they are among the policies. Repeatable.
    #[arg(long, value_name = "PATH")]
    services: Vec<PathBuf>,
    #[command(flatten)]
    subject: SubjectFlags,
    /// The workload (container) port. Default: each that services give the --workload.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    #[command(flatten)]
    caller: Caller,
    #[command(flatten)]
    client: Client,
    #[command(flatten)]
    mesh: Mesh,
}

/// Everything that was asked for.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    subject: Subject,
    inbound: Vec<Inbound>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outbound: Option<Outbounds>,
}

/// What is said about one port.
#[derive(Serialize)]
struct Inbound {
    mode: Explanation,
    /// Where the line stands that decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ingress: Option<IngressExplanation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization: Option<AuthorizationExplanation>,
}

impl Explain {
    pub(crate) fn run(&self, files: &mut Files) -> Result<Answer, Failure> {
        let options = self.mesh.parse_options();
        let (settings, mut remarks) = self.mesh.settings(files)?;
        let resources = files.resources(self.policies.iter().chain(&self.services), &options)?;
        let inventory = Inventory::from_resources(&settings, &resources);
        let set = PolicySet::compile(settings, &resources);
        let subject = self.subject.find(&inventory)?;
        let inbound = self
            .ports(&subject)?
            .into_iter()
            .map(|port| self.inbound(&set, &resources, &inventory, &subject, port))
            .collect::<Result<_, _>>()?;
        let outbound = self.client.explain(&set, &inventory, &subject.workload)?;
        let report = Report { subject, inbound, outbound };
        let answer = Answer::new(text(&report, files), &report)?;
        remarks.extend(input::remarks(&resources));
        Ok(answer.with_remarks(remarks))
    }

    /// The ports to say something about: none if the question is about a client only.
    fn ports(&self, subject: &Subject) -> Result<Vec<u16>, Failure> {
        match self.port {
            Some(port) => Ok(vec![port]),
            None if self.client.is_asked() && !self.caller.is_asked() => Ok(Vec::new()),
            None if subject.ports.is_empty() => Err(Failure::usage(
                "which port? Give --port, or a --workload that services have ports for",
            )),
            None => Ok(subject.ports.clone()),
        }
    }

    fn inbound(
        &self,
        set: &PolicySet,
        resources: &Resources,
        inventory: &Inventory,
        subject: &Subject,
        port: u16,
    ) -> Result<Inbound, Failure> {
        let workload = &subject.workload;
        let mode = set.explain(workload, port).with_inventory(inventory);
        let ingress = set.explain_ingress(workload, port);
        Ok(Inbound {
            decided_at: decided_at(resources, &mode.winner, port),
            // Where no Sidecar speaks of the port there is nothing to say.
            ingress: (ingress.described || ingress.effect.is_some()).then_some(ingress),
            authorization: self.caller.explain(set, subject, port)?,
            mode,
        })
    }
}

/// The line of the policy that sets the mode.
fn decided_at(resources: &Resources, winner: &Winner, port: u16) -> Option<Place> {
    let origin = resources.origin("PeerAuthentication", winner.policy()?)?;
    let field = match winner {
        Winner::Port(_) => format!("spec.portLevelMtls.{port}.mode"),
        _ => "spec.mtls.mode".to_owned(),
    };
    Some(Place::of(origin, &field))
}

fn text(report: &Report, files: &Files) -> String {
    let mut parts = Vec::new();
    for inbound in &report.inbound {
        let mut mode = painted(&inbound.mode);
        if let Some(place) = &inbound.decided_at {
            mode += &format!("\n{}", render::snippet(place, files, render::GOOD));
        }
        parts.push(mode);
        parts.extend(inbound.ingress.as_ref().map(painted));
        if let Some(authorization) = &inbound.authorization {
            parts.push(authorization::text(authorization, inbound.mode.mode));
        }
    }
    parts.extend(report.outbound.as_ref().map(outbound::text));
    parts.join("\n")
}

fn painted(explanation: &impl Display) -> String {
    render::paint(&explanation.to_string())
}

/// Reads `namespace/name`.
fn resource_name(text: &str) -> Result<ResourceName, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok(ResourceName::new(namespace, name))
        }
        _ => Err("write NAMESPACE/NAME".to_owned()),
    }
}

const EXAMPLES: &str = "\
Examples:
  Which mode has port 8000 of a workload, and why?
    policyctl explain --policies policies/ --namespace foo --label app=httpbin --port 8000

  The same of every port of a workload that services name:
    policyctl explain --policies policies/ --services services.yaml --workload foo/httpbin

  May curl connect to it?
    policyctl explain --policies policies/ --namespace foo --label app=httpbin --port 8000 \\
        --peer spiffe://cluster.local/ns/bar/sa/curl --source-ip 10.1.2.3

  Which TLS does a client of namespace bar use?
    policyctl explain --policies policies/ --services services.yaml --namespace bar \\
        --to httpbin.foo.svc.cluster.local:8000";
