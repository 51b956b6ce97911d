//! Findings about `DestinationRule`.

mod blocks;
mod endpoints;
mod hosts;
mod lookup;

use std::collections::HashSet;

use self::blocks::{Block, blocks};
use self::endpoints::Endpoints;
use self::hosts::{Services, resolved};
use super::audience::{self, Audience};
use super::code::Code;
use super::context::Context;
use super::finding::Findings;
use crate::field::shorten;
use crate::{ClientTlsMode, DestinationRule};

pub(super) fn check<'a>(context: &'a Context<'a>, findings: &mut Findings<'_>) {
    let rules = context.resources.destination_rules();
    let named = hosts_with_names(context);
    for rule in rules {
        blocks::port_drops_tls(rule, findings);
        for block in blocks(rule) {
            unchecked_name(rule, &block, &named, findings);
            skips_verification(rule, &block, findings);
            credential(rule, &block, findings);
        }
    }
    lookup::conflicts(rules, findings);
    lookup::hidden(context, findings);
    if let Some(inventory) = context.inventory {
        let services = Services::new(inventory);
        let mut endpoints = Endpoints::new(context, inventory, &services);
        for rule in rules {
            if !services.any(&resolved(rule)) {
                unknown_host(rule, findings);
                continue;
            }
            endpoints.check(rule, findings);
        }
    }
    clients(context, findings);
}

/// A fixed server name switches the check of the name off, unless names are given.
fn unchecked_name(
    rule: &DestinationRule,
    block: &Block<'_>,
    named: &HashSet<String>,
    findings: &mut Findings<'_>,
) {
    let tls = block.tls;
    let originates = matches!(tls.mode, ClientTlsMode::Simple | ClientTlsMode::Mutual);
    let has_sni = tls.sni.as_ref().is_some_and(|sni| !sni.is_empty());
    let unnamed = tls.subject_alt_names.is_empty() && !named.contains(&*resolved(rule));
    if originates && has_sni && unnamed && tls.insecure_skip_verify != Some(true) {
        findings.add(
            Code::ServerNameUnchecked,
            rule,
            format!("{}.sni", block.field),
            "with sni and without subjectAltNames only the chain is checked: any server with a certificate of these authorities is accepted",
            format!("subjectAltNames: [{}] beside it, or no sni", shorten(tls.sni.as_deref().unwrap_or_default())),
        );
    }
}

/// Nothing of the server's certificate is checked.
fn skips_verification(rule: &DestinationRule, block: &Block<'_>, findings: &mut Findings<'_>) {
    if block.tls.insecure_skip_verify == Some(true) {
        findings.add(
            Code::VerificationSkipped,
            rule,
            format!("{}.insecureSkipVerify", block.field),
            "nothing of the server's certificate is checked; connections are refused here unless the caller opts in by name",
            "caCertificates with the authorities of the server, and subjectAltNames",
        );
    }
}

/// Secrets by name need Kubernetes.
fn credential(rule: &DestinationRule, block: &Block<'_>, findings: &mut Findings<'_>) {
    if block
        .tls
        .credential_name
        .as_ref()
        .is_some_and(|name| !name.is_empty())
    {
        findings.add(
            Code::CredentialName,
            rule,
            format!("{}.credentialName", block.field),
            "a secret of Kubernetes, which is not available outside it: connections fail unless the caller resolves such names",
            "the files: clientCertificate, privateKey, caCertificates",
        );
    }
}

/// No service of the inventory has the host.
fn unknown_host(rule: &DestinationRule, findings: &mut Findings<'_>) {
    let host = resolved(rule);
    let meant =
        if host == rule.host { String::new() } else { format!(" (which is {})", shorten(&host)) };
    findings.add(
        Code::HostUnknown,
        rule,
        "spec.host",
        format!(
            "no effect: no service of the inventory has the host {}{meant}",
            shorten(&rule.host)
        ),
        "the full host of a service, such as httpbin.foo.svc.cluster.local",
    );
}

/// The clients that a rule is for.
fn clients<'a>(context: &'a Context<'a>, findings: &mut Findings<'_>) {
    let Some(world) = &context.world else { return };
    let reach = |rule: &'a DestinationRule| {
        let selector = rule
            .workload_selector
            .as_ref()
            .filter(|selector| !selector.is_empty())?;
        Some((Some(rule.name().namespace()), selector))
    };
    let rules = context.resources.destination_rules();
    let audience = Audience::new(world, rules.iter().filter_map(reach));
    for rule in rules {
        if let Some((reach, selector)) = reach(rule)
            && audience.of(reach, selector).is_empty()
        {
            let field = "spec.workloadSelector.matchLabels";
            audience::matches_nothing(rule, field, reach, selector, findings);
        }
    }
}

/// The hosts of entries that say which names servers present.
fn hosts_with_names(context: &Context<'_>) -> HashSet<String> {
    let entries = context.resources.service_entries().iter();
    entries
        .filter(|entry| !entry.subject_alt_names.is_empty())
        .flat_map(|entry| &entry.hosts)
        .map(|host| crate::host_name::normalize(host).into_owned())
        .collect()
}
