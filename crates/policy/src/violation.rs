//! What Istio's validation refuses, and what it only warns about.

use std::fmt;

use crate::authorization::AuthorizationViolation;
use crate::parse_error::{Place, did_you_mean};
use crate::{DestinationRuleViolation, ResourceName};

/// A rule of Istio's validation that an object breaks (rules PAV-1 to PAV-7 for `PeerAuthentication`).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// `portLevelMtls` on a policy without selector: it would have no effect.
    #[error("portLevelMtls needs a selector with labels: without one it would have no effect")]
    PortLevelNeedsSelector,
    /// `portLevelMtls: {}`.
    #[error("portLevelMtls needs at least one port")]
    PortLevelEmpty,
    /// A port that is not a number from 1 to 65535 in its shortest decimal form.
    #[error("`{found}` is no port: 1 to 65535, in decimal and without leading zeros")]
    PortOutOfRange {
        /// What is written.
        found: String,
    },
    /// `*` in a label of a selector: selectors compare literally.
    #[error("`*` is not allowed in a selector: labels are compared literally")]
    SelectorWildcard,
    /// An empty label key.
    #[error("a label needs a key")]
    SelectorEmptyKey,
    /// A label value that no workload can have.
    #[error("a label value of {length} characters: Kubernetes allows 63")]
    SelectorValueTooLong {
        /// Its length in characters.
        length: usize,
    },
    /// A value outside the names that the field takes.
    #[error("unknown value {found}{}; allowed: {}", did_you_mean(*nearest), allowed.join(", "))]
    UnknownEnumValue {
        /// What is written, between `` ` ``, with its type where that is not text.
        found: String,
        /// The names that the field takes.
        allowed: &'static [&'static str],
        /// The one that looks most like it.
        nearest: Option<&'static str>,
    },
    /// What only an `AuthorizationPolicy` can break.
    #[error(transparent)]
    Authorization(AuthorizationViolation),
    /// A `ServiceEntry` without `hosts`.
    #[error("at least one host is needed")]
    HostsEmpty,
    /// A host that is no DNS name, nor `*.` before one.
    #[error("`{found}` is no host name")]
    BadHost {
        /// What is written.
        found: String,
    },
    /// Two ports of a `ServiceEntry` share number or name.
    #[error("a second port with this number or name: `{found}`")]
    DuplicatePort {
        /// The number or name.
        found: String,
    },
    /// Both `endpoints` and `workloadSelector`.
    #[error("either endpoints or workloadSelector, not both")]
    EndpointsAndSelector,
    /// `resolution: NONE` with endpoints: the caller's own address is used, so they would have no effect.
    #[error("resolution NONE takes no endpoints")]
    EndpointsWithoutResolution,
    /// A host without `*` where any name behind `*` is looked up.
    #[error("resolution DYNAMIC_DNS needs hosts that begin with `*`, not `{found}`")]
    HostNeedsWildcard {
        /// What is written.
        found: String,
    },
    /// A host with `*` that would have to be looked up itself, because no endpoints are given.
    #[error("`{found}` cannot be looked up: without endpoints, hosts need to be full names")]
    HostNotResolvable {
        /// What is written.
        found: String,
    },
    /// A virtual address that is neither an IP address nor a range of them.
    #[error("`{found}` is no IP address or range of them, such as 10.0.0.0/8")]
    BadSubnet {
        /// What is written.
        found: String,
    },
    /// A range of addresses for a service whose endpoints are looked up.
    #[error("ranges of addresses are for resolution NONE and STATIC")]
    SubnetWithNames,
    /// Several hosts on a port whose connections name none.
    #[error(
        "several hosts need a port that speaks HTTP or TLS: they cannot be told apart otherwise"
    )]
    ManyHostsWithoutNames,
    /// `resolution: DYNAMIC_DNS` with a field that it makes no use of.
    #[error("resolution DYNAMIC_DNS takes no {name}")]
    DynamicWith {
        /// The field.
        name: &'static str,
    },
    /// `resolution: DYNAMIC_DNS` on a port whose connections do not name a host.
    #[error("resolution DYNAMIC_DNS is for ports that speak HTTP, HTTP2, GRPC or TLS")]
    DynamicProtocol,
    /// `resolution: DYNAMIC_DNS` inside the mesh behind a waypoint.
    #[error("resolution DYNAMIC_DNS with location MESH_INTERNAL does not go with a waypoint")]
    DynamicWaypoint,
    /// `resolution: DNS_ROUND_ROBIN` with several endpoints.
    #[error("resolution DNS_ROUND_ROBIN takes one endpoint")]
    ManyEndpointsRoundRobin,
    /// A port of an endpoint under a name that no port of the service has.
    #[error("the service has no port `{found}`")]
    UnknownServicePort {
        /// The name.
        found: String,
    },
    /// A Unix domain socket with ports.
    #[error("a Unix domain socket has no ports")]
    SocketWithPorts,
    /// A Unix domain socket behind a service that does not have exactly one port.
    #[error("a Unix domain socket serves a service with one port")]
    SocketNeedsOnePort,
    /// A label that Kubernetes would not take.
    #[error("`{found}` is no label")]
    BadLabel {
        /// Key and value.
        found: String,
    },
    /// An entry of `exportTo` that is no namespace, `*`, `.` or `~`.
    #[error("`{found}` is no namespace to export to")]
    BadExportTo {
        /// What is written.
        found: String,
    },
    /// A namespace twice in `exportTo`; `.` is its own.
    #[error("`{found}` is exported to already")]
    DuplicateExportTo {
        /// What is written.
        found: String,
    },
    /// `*` or `~` in `exportTo` beside other entries.
    #[error("`{found}` in exportTo does not go with other entries")]
    ExportToWithOthers {
        /// What is written.
        found: String,
    },
    /// An endpoint whose address is missing or is neither an IP address nor a host name.
    #[error("`{found}` is no address: an IP address or a host name is needed")]
    BadAddress {
        /// What is written.
        found: String,
    },
    /// `resolution: STATIC` with an endpoint that is a host name.
    #[error("resolution STATIC needs IP addresses, `{found}` is a host name")]
    AddressNotIp {
        /// The host name.
        found: String,
    },
    /// A dry-run annotation with another value than `"true"` and `"false"`.
    #[error("`{found}` says neither \"true\" (on trial) nor \"false\" (in force)")]
    BadDryRun {
        /// What is written.
        found: String,
    },
    /// `istio.io/dry-run` on something that cannot be on trial by it.
    #[error(
        "istio.io/dry-run is for an AuthorizationPolicy with ALLOW or DENY (a PeerAuthentication takes meshtls.dev/dry-run)"
    )]
    DryRunUnsupported,
    /// A `Sidecar` that says nothing.
    #[error("a Sidecar needs ingress, egress, outboundTrafficPolicy or inboundConnectionPool")]
    SidecarEmpty,
    /// `targetPort` on a port of a `Sidecar`.
    #[error("targetPort has no effect here")]
    TargetPortWithoutEffect,
    /// A name of a port that is no DNS label.
    #[error("`{found}` is no port name: letters, digits and `-`, at most 63")]
    BadPortName {
        /// What is written.
        found: String,
    },
    /// A protocol that Istio does not know.
    #[error("unknown protocol `{found}`{}", did_you_mean(*nearest))]
    UnknownProtocol {
        /// What is written.
        found: String,
        /// The known one that looks most like it.
        nearest: Option<&'static str>,
    },
    /// An address to bind to that is no IP address.
    #[error("`{found}` is no IP address to bind to")]
    BadBind {
        /// What is written.
        found: String,
    },
    /// A `defaultEndpoint` of another form than Istio takes.
    #[error(
        "`{found}` is no defaultEndpoint: 127.0.0.1:<port>, 0.0.0.0:<port>, [::1]:<port>, [::]:<port> or unix://<path>"
    )]
    BadDefaultEndpoint {
        /// What is written.
        found: String,
    },
    /// A field of ingress TLS that Istio has for gateways alone.
    #[error("{name} is for gateways, not for ingress TLS of a Sidecar")]
    IngressTlsField {
        /// The field.
        name: &'static str,
    },
    /// A mode of ingress TLS that Istio has for gateways alone.
    #[error("ISTIO_MUTUAL and AUTO_PASSTHROUGH are not for ingress TLS of a Sidecar")]
    IngressTlsMode,
    /// Ingress TLS on a port whose protocol is not HTTPS or TLS.
    #[error("ingress TLS needs a port with protocol HTTPS or TLS, not `{found}`")]
    IngressTlsNeedsTlsProtocol {
        /// The protocol of the port.
        found: String,
    },
    /// Ingress TLS without a file that its mode needs.
    #[error("mode {mode} needs {name}")]
    IngressTlsNeeds {
        /// The mode.
        mode: &'static str,
        /// The missing field.
        name: &'static str,
    },
    /// `caCrl` where no client shows a certificate.
    #[error("caCrl has no use with mode SIMPLE: no client shows a certificate")]
    IngressTlsCrlWithSimple,
    /// An egress listener without port that is not the last.
    #[error("only the last egress listener may be without port")]
    EgressWithoutPortNotLast,
    /// An egress host that is not of the form `namespace/host`.
    #[error("`{found}` is no egress host: <namespace>/<full host name>, each may be `*`")]
    BadEgressHost {
        /// What is written.
        found: String,
    },
    /// A listener of port 0 that is not bound to a Unix domain socket.
    #[error("port 0 needs a Unix domain socket to bind to: unix://<absolute path>")]
    SocketNeedsBind,
    /// A listener on a Unix domain socket with `captureMode: IPTABLES`.
    #[error("a Unix domain socket takes captureMode DEFAULT or NONE")]
    SocketCaptureMode,
    /// `egressProxy` without `mode: ALLOW_ANY`.
    #[error("egressProxy needs mode ALLOW_ANY")]
    EgressProxyNeedsAllowAny,
    /// A name of a subset that is no DNS label.
    #[error("`{found}` is no subset name: letters, digits and `-`, at most 63")]
    BadSubsetName {
        /// What is written.
        found: String,
    },
    /// A connection pool without `tcp` and `http`.
    #[error("a connection pool needs tcp or http")]
    ConnectionPoolEmpty,
    /// `useClientProtocol` beside `h2UpgradePolicy: UPGRADE`.
    #[error("useClientProtocol contradicts h2UpgradePolicy UPGRADE")]
    UpgradeAndClientProtocol,
    /// A text that is no duration, or one that Istio does not take.
    #[error("`{found}` is no duration: such as 5s or 100ms, in whole milliseconds")]
    BadDuration {
        /// What is written.
        found: String,
    },
    /// What only a `DestinationRule` can break.
    #[error(transparent)]
    DestinationRule(#[from] DestinationRuleViolation),
    /// A name that no trust domain can have.
    #[error("`{found}` is no trust domain: `a` to `z`, digits, `-`, `.`, `_`")]
    BadTrustDomain {
        /// What is written.
        found: String,
    },
    /// `ecdhCurves` for the TLS of the mesh.
    #[error("ecdhCurves is not for meshMTLS")]
    MeshCurves,
    /// A service account that cannot be part of a SPIFFE ID.
    #[error("`{found}` is no service account")]
    BadServiceAccount {
        /// What is written.
        found: String,
    },
}

impl Violation {
    /// A short name that stays stable, for metrics and tests.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::PortLevelNeedsSelector => "port_level_needs_selector",
            Self::PortLevelEmpty => "port_level_empty",
            Self::PortOutOfRange { .. } => "port_out_of_range",
            Self::SelectorWildcard => "selector_wildcard",
            Self::SelectorEmptyKey => "selector_empty_key",
            Self::SelectorValueTooLong { .. } => "selector_value_too_long",
            Self::UnknownEnumValue { .. } => "unknown_enum_value",
            Self::Authorization(violation) => violation.reason(),
            Self::HostsEmpty => "hosts_empty",
            Self::BadHost { .. } => "bad_host",
            Self::DuplicatePort { .. } => "duplicate_port",
            Self::EndpointsAndSelector => "endpoints_and_selector",
            Self::EndpointsWithoutResolution => "endpoints_without_resolution",
            Self::HostNeedsWildcard { .. } => "host_needs_wildcard",
            Self::HostNotResolvable { .. } => "host_not_resolvable",
            Self::BadSubnet { .. } => "bad_subnet",
            Self::SubnetWithNames => "subnet_with_names",
            Self::ManyHostsWithoutNames => "many_hosts_without_names",
            Self::DynamicWith { .. } => "dynamic_with",
            Self::DynamicProtocol => "dynamic_protocol",
            Self::DynamicWaypoint => "dynamic_waypoint",
            Self::ManyEndpointsRoundRobin => "many_endpoints_round_robin",
            Self::UnknownServicePort { .. } => "unknown_service_port",
            Self::SocketWithPorts => "socket_with_ports",
            Self::SocketNeedsOnePort => "socket_needs_one_port",
            Self::BadLabel { .. } => "bad_label",
            Self::BadExportTo { .. } => "bad_export_to",
            Self::DuplicateExportTo { .. } => "duplicate_export_to",
            Self::ExportToWithOthers { .. } => "export_to_with_others",
            Self::BadAddress { .. } => "bad_address",
            Self::AddressNotIp { .. } => "address_not_ip",
            Self::BadDryRun { .. } => "bad_dry_run",
            Self::DryRunUnsupported => "dry_run_unsupported",
            Self::SidecarEmpty => "sidecar_empty",
            Self::TargetPortWithoutEffect => "target_port_without_effect",
            Self::BadPortName { .. } => "bad_port_name",
            Self::UnknownProtocol { .. } => "unknown_protocol",
            Self::BadBind { .. } => "bad_bind",
            Self::BadDefaultEndpoint { .. } => "bad_default_endpoint",
            Self::IngressTlsField { .. } => "ingress_tls_field",
            Self::IngressTlsMode => "ingress_tls_mode",
            Self::IngressTlsNeedsTlsProtocol { .. } => "ingress_tls_needs_tls_protocol",
            Self::IngressTlsNeeds { name: "serverCertificate", .. } => {
                "server_certificate_required"
            }
            Self::IngressTlsNeeds { name: "privateKey", .. } => "private_key_required",
            Self::IngressTlsNeeds { .. } => "ca_certificates_required",
            Self::IngressTlsCrlWithSimple => "ingress_tls_crl_with_simple",
            Self::EgressWithoutPortNotLast => "egress_without_port_not_last",
            Self::BadEgressHost { .. } => "bad_egress_host",
            Self::SocketNeedsBind => "socket_needs_bind",
            Self::SocketCaptureMode => "socket_capture_mode",
            Self::EgressProxyNeedsAllowAny => "egress_proxy_needs_allow_any",
            Self::BadSubsetName { .. } => "bad_subset_name",
            Self::ConnectionPoolEmpty => "connection_pool_empty",
            Self::UpgradeAndClientProtocol => "upgrade_and_client_protocol",
            Self::BadDuration { .. } => "bad_duration",
            Self::DestinationRule(broken) => broken.reason(),
            Self::BadTrustDomain { .. } => "bad_trust_domain",
            Self::MeshCurves => "mesh_curves",
            Self::BadServiceAccount { .. } => "bad_service_account",
        }
    }
}

/// Something that is accepted and probably not meant.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Warning {
    /// The name that the caller gave the text.
    pub source_name: String,
    /// The line, from 1.
    pub line: Option<u64>,
    /// The column in characters, from 1.
    pub column: Option<u64>,
    /// The path of the field within its object.
    pub field: String,
    /// The object.
    pub object: ResourceName,
    /// What is odd.
    pub caution: Caution,
}

impl Warning {
    pub(crate) fn new(
        place: Option<Place>,
        field: String,
        object: ResourceName,
        caution: Caution,
    ) -> Self {
        Self {
            source_name: String::new(),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            field,
            object,
            caution,
        }
    }

    /// A short name that stays stable, for metrics and tests.
    pub fn reason(&self) -> &'static str {
        match self.caution {
            Caution::SelectorWithoutLabels | Caution::RuleSelectorWithoutLabels => {
                "selector_without_labels"
            }
            Caution::TlsFilesWithoutEffect => "tls_files_without_effect",
            Caution::OldTlsWithoutCiphers => "old_tls_without_ciphers",
            Caution::HttpPoolWithoutHttp => "http_pool_without_http",
            Caution::StaticWithoutEndpoints => "static_without_endpoints",
            Caution::AddressUnset => "address_unset",
            Caution::SelectorWithoutResolution => "selector_without_resolution",
            Caution::PartialWildcard => "partial_wildcard",
            Caution::TcpWithoutAddresses => "tcp_without_addresses",
            Caution::EgressHostTwice => "egress_host_twice",
            Caution::DenyHttpOnly => "deny_http_only",
        }
    }
}

/// Such as `policies.yaml:4:3: foo/default: spec.selector: a selector without labels ...`.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source_name)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        let colon = if self.source_name.is_empty() && self.line.is_none() { "" } else { ": " };
        write!(f, "{colon}{}: {}: {}", self.object, self.field, self.caution)
    }
}

/// What a [`Warning`] is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Caution {
    /// `selector: {}`: the policy is for the whole namespace, as if there were no selector.
    #[error("a selector without labels selects the whole namespace, as if it were not there")]
    SelectorWithoutLabels,
    /// Certificate files beside TLS mode PASSTHROUGH, which is also the mode if none is written.
    #[error(
        "mode PASSTHROUGH, which is the default, has no use for these files: is SIMPLE or MUTUAL meant?"
    )]
    TlsFilesWithoutEffect,
    /// A TLS version below 1.2 without cipher suites for it.
    #[error("versions below TLS 1.2 need cipherSuites that fit them, and are not offered here")]
    OldTlsWithoutCiphers,
    /// Settings for HTTP connections on a port that does not speak HTTP.
    #[error("the port does not speak HTTP: only the tcp settings have an effect")]
    HttpPoolWithoutHttp,
    /// `resolution: STATIC` without endpoints and without `workloadSelector`: nobody serves it.
    #[error("resolution STATIC without endpoints or a workloadSelector: nobody serves it")]
    StaticWithoutEndpoints,
    /// A workload without address, behind the gateway of its network: not connected to here.
    #[error(
        "without address, it is behind the gateway of its network, which is not connected to here"
    )]
    AddressUnset,
    /// `resolution: NONE` with `workloadSelector`: the caller's own address is used.
    #[error("resolution NONE uses the caller's address, so the workloadSelector has no effect")]
    SelectorWithoutResolution,
    /// A host such as `*a.example.com`, which Istio does not match.
    #[error("a host may begin with `*.`, not with another part of a name")]
    PartialWildcard,
    /// A port for TCP without an address that tells its connections apart.
    #[error("without addresses, connections to a TCP port cannot be told from others")]
    TcpWithoutAddresses,
    /// An egress host that others of the listener cover already.
    #[error("a host that is covered already")]
    EgressHostTwice,
    /// A DENY rule whose sources or operations have conditions on HTTP only.
    #[error(
        "on a connection that is not HTTP these conditions are not looked at, so the rule denies all that is left: name the ports"
    )]
    DenyHttpOnly,
    /// `workloadSelector: {}` on a `DestinationRule`: the rule is for all clients of its namespace, and for no others.
    #[error(
        "a selector without labels selects every client of the namespace, and hides the rule from all others"
    )]
    RuleSelectorWithoutLabels,
}
