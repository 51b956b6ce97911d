//! `Sidecar` as the object that Kubernetes stores: printed, and read back under the same rules as text.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{IngressListener, ServerTls, Sidecar, TlsVersion};
use crate::{Labels, Verbatim, resource};

/// As the object that Kubernetes stores.
impl Serialize for Sidecar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Spec<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            workload_selector: Option<SelectorForm<'a>>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            ingress: Vec<Listener<'a>>,
            #[serde(flatten)]
            rest: &'a Verbatim,
        }
        let spec = Spec {
            workload_selector: self
                .workload_selector
                .as_ref()
                .map(|labels| SelectorForm { labels }),
            ingress: self.ingress.iter().map(Listener::from).collect(),
            rest: &self.rest,
        };
        resource::serialize(self, spec, serializer)
    }
}

/// Reads the object as Kubernetes stores it, and validates it like [`Resources::parse`](crate::Resources::parse).
///
/// From self-describing formats such as JSON. Warnings are dropped: parse text to keep them.
impl<'de> Deserialize<'de> for Sidecar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        resource::deserialize(deserializer)
    }
}

/// The selector of the kinds of `networking.istio.io`.
#[derive(Serialize)]
pub(crate) struct SelectorForm<'a> {
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub(crate) labels: &'a Labels,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listener<'a> {
    port: Port<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls<'a>>,
    #[serde(flatten)]
    rest: &'a Verbatim,
}

#[derive(Serialize)]
struct Port<'a> {
    number: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    protocol: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
}

impl<'a> From<&'a IngressListener> for Listener<'a> {
    fn from(listener: &'a IngressListener) -> Self {
        let IngressListener { port: number, protocol, name, default_endpoint, tls, rest } =
            listener;
        Self {
            port: Port { number: *number, protocol, name },
            default_endpoint: default_endpoint.as_deref(),
            tls: tls.as_ref().map(Tls::from),
            rest,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tls<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_certificate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_certificates: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_crl: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_protocol_version: Option<TlsVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_protocol_version: Option<TlsVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    insecure_skip_verify: Option<bool>,
    #[serde(flatten)]
    rest: &'a Verbatim,
}

impl<'a> From<&'a ServerTls> for Tls<'a> {
    fn from(tls: &'a ServerTls) -> Self {
        Self {
            mode: tls.mode.as_str(),
            server_certificate: tls.server_certificate.as_deref(),
            private_key: tls.private_key.as_deref(),
            ca_certificates: tls.ca_certificates.as_deref(),
            ca_crl: tls.ca_crl.as_deref(),
            min_protocol_version: tls.min_protocol_version,
            max_protocol_version: tls.max_protocol_version,
            insecure_skip_verify: tls.insecure_skip_verify,
            rest: &tls.rest,
        }
    }
}
