//! `DestinationRule` as the object that Kubernetes stores: printed, and read back under the same rules as text.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::read::PASSTHROUGH;
use super::{ClientTls, DestinationRule, LoadBalancer, PortPolicy, Subset, TrafficPolicy};
use crate::resource::{self, MatchLabels};
use crate::{ClientTlsMode, Labels, Verbatim};

/// As the object that Kubernetes stores.
impl Serialize for DestinationRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Spec<'a> {
            host: &'a str,
            #[serde(skip_serializing_if = "<[String]>::is_empty")]
            export_to: &'a [String],
            #[serde(skip_serializing_if = "Option::is_none")]
            workload_selector: Option<MatchLabels<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            traffic_policy: Option<TrafficForm<'a>>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            subsets: Vec<SubsetForm<'a>>,
        }
        let Self { metadata: _, host, export_to, workload_selector, traffic_policy, subsets } =
            self;
        let selector = workload_selector.as_ref();
        let spec = Spec {
            host,
            export_to,
            workload_selector: selector.map(|match_labels| MatchLabels { match_labels }),
            traffic_policy: traffic_policy.as_ref().map(TrafficForm::from),
            subsets: subsets.iter().map(SubsetForm::from).collect(),
        };
        resource::serialize(self, spec, serializer)
    }
}

/// Reads the object as Kubernetes stores it, and validates it like [`Resources::parse`](crate::Resources::parse).
///
/// From self-describing formats such as JSON; the format sees to duplicate keys itself. Warnings are dropped: parse text
/// to keep them.
impl<'de> Deserialize<'de> for DestinationRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        resource::deserialize(deserializer)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TrafficForm<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_balancer: Option<BalancerForm<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    port_level_settings: Vec<PortForm<'a>>,
    #[serde(flatten)]
    rest: &'a Verbatim,
}

impl<'a> From<&'a TrafficPolicy> for TrafficForm<'a> {
    fn from(policy: &'a TrafficPolicy) -> Self {
        let TrafficPolicy { tls, load_balancer, ports, rest } = policy;
        Self {
            tls: tls.as_ref().map(TlsForm::from),
            load_balancer: load_balancer.as_ref().map(BalancerForm::from),
            port_level_settings: ports.iter().map(PortForm::from).collect(),
            rest,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PortForm<'a> {
    port: PortNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_balancer: Option<BalancerForm<'a>>,
    #[serde(flatten)]
    rest: &'a Verbatim,
}

#[derive(Serialize)]
struct PortNumber {
    number: u16,
}

impl<'a> From<&'a PortPolicy> for PortForm<'a> {
    fn from(policy: &'a PortPolicy) -> Self {
        let PortPolicy { port, tls, load_balancer, rest } = policy;
        Self {
            port: PortNumber { number: *port },
            tls: tls.as_ref().map(TlsForm::from),
            load_balancer: load_balancer.as_ref().map(BalancerForm::from),
            rest,
        }
    }
}

#[derive(Serialize)]
struct BalancerForm<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    simple: Option<&'static str>,
    #[serde(flatten)]
    rest: &'a Verbatim,
}

impl<'a> From<&'a LoadBalancer> for BalancerForm<'a> {
    fn from(balancer: &'a LoadBalancer) -> Self {
        let LoadBalancer { passthrough, rest } = balancer;
        Self { simple: passthrough.then_some(PASSTHROUGH), rest }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubsetForm<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    labels: &'a Labels,
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic_policy: Option<TrafficForm<'a>>,
}

impl<'a> From<&'a Subset> for SubsetForm<'a> {
    fn from(subset: &'a Subset) -> Self {
        let Subset { name, labels, traffic_policy } = subset;
        Self { name, labels, traffic_policy: traffic_policy.as_ref().map(TrafficForm::from) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TlsForm<'a> {
    mode: ClientTlsMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    subject_alt_names: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_certificates: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_crl: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    insecure_skip_verify: Option<bool>,
}

impl<'a> From<&'a ClientTls> for TlsForm<'a> {
    fn from(tls: &'a ClientTls) -> Self {
        Self {
            mode: tls.mode,
            sni: tls.sni.as_deref(),
            subject_alt_names: &tls.subject_alt_names,
            ca_certificates: tls.ca_certificates.as_deref(),
            ca_crl: tls.ca_crl.as_deref(),
            client_certificate: tls.client_certificate.as_deref(),
            private_key: tls.private_key.as_deref(),
            credential_name: tls.credential_name.as_deref(),
            insecure_skip_verify: tls.insecure_skip_verify,
        }
    }
}
