//! What Istio's validation refuses in a `DestinationRule`.

/// A rule of Istio's validation that a `DestinationRule` breaks (rules DRV-1 to DRV-14).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DestinationRuleViolation {
    /// A traffic policy that says nothing.
    #[error("a traffic policy needs at least one field")]
    TrafficPolicyEmpty,
    /// An entry for a port that says nothing.
    #[error("an entry for a port needs loadBalancer, connectionPool, outlierDetection or tls")]
    PortPolicyEmpty,
    /// Both `tunnel` and `proxyProtocol`.
    #[error("either tunnel or proxyProtocol, not both")]
    TunnelAndProxyProtocol,
    /// Mode MUTUAL without `clientCertificate`.
    #[error("mode MUTUAL needs clientCertificate (or credentialName)")]
    ClientCertificateRequired,
    /// Mode MUTUAL without `privateKey`.
    #[error("mode MUTUAL needs privateKey (or credentialName)")]
    PrivateKeyRequired,
    /// `credentialName` beside files, which it takes the place of.
    #[error("credentialName takes the place of {field}: not both")]
    CredentialNameWithFiles {
        /// The field that is there too.
        field: &'static str,
    },
    /// `credentialName` with a config map of another namespace, or without a name.
    #[error("`{found}` is no config map of the rule's own namespace: configmap://NAMESPACE/NAME")]
    ConfigMapName {
        /// What is written.
        found: String,
    },
    /// `insecureSkipVerify` beside what would be verified.
    #[error("insecureSkipVerify leaves nothing for {field} to do: not both")]
    InsecureSkipVerifyWith {
        /// The field that is there too.
        field: &'static str,
    },
    /// A subset whose name is empty or no DNS label.
    #[error("`{found}` is no name for a subset: letters, digits and `-`, at most 63")]
    BadSubsetName {
        /// What is written.
        found: String,
    },
    /// Two subsets of one name.
    #[error("a second subset `{found}`")]
    DuplicateSubset {
        /// The name.
        found: String,
    },
    /// A label that no workload can have.
    #[error("`{found}` is no label that a workload can have")]
    BadLabel {
        /// The key and the value.
        found: String,
    },
    /// An entry of `exportTo` that is neither `*`, `.` nor a namespace. `~`, which exports to nobody, is for services.
    #[error("`{found}` is neither `*`, `.` nor a namespace")]
    BadExportTo {
        /// What is written.
        found: String,
    },
    /// Two entries of `exportTo` for one namespace: `.` is the rule's own.
    #[error("`{found}` comes twice (`.` is the rule's own namespace)")]
    DuplicateExportTo {
        /// The second one.
        found: String,
    },
    /// `*` in `exportTo` beside others.
    #[error("`*` is everybody: nothing else can stand beside it")]
    ExportToAllAndOthers,
    /// A rule with a `workloadSelector` that is exported beyond its namespace.
    #[error("a rule with a workloadSelector cannot be exported beyond its own namespace")]
    SelectorExported,
}

impl DestinationRuleViolation {
    /// A short name that stays stable, for metrics and tests.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TrafficPolicyEmpty => "traffic_policy_empty",
            Self::PortPolicyEmpty => "port_policy_empty",
            Self::TunnelAndProxyProtocol => "tunnel_and_proxy_protocol",
            Self::ClientCertificateRequired => "client_certificate_required",
            Self::PrivateKeyRequired => "private_key_required",
            Self::CredentialNameWithFiles { .. } => "credential_name_with_files",
            Self::ConfigMapName { .. } => "config_map_name",
            Self::InsecureSkipVerifyWith { .. } => "insecure_skip_verify_with_verification",
            Self::BadSubsetName { .. } => "bad_subset_name",
            Self::DuplicateSubset { .. } => "duplicate_subset",
            Self::BadLabel { .. } => "bad_label",
            Self::BadExportTo { .. } => "bad_export_to",
            Self::DuplicateExportTo { .. } => "duplicate_export_to",
            Self::ExportToAllAndOthers => "export_to_all_and_others",
            Self::SelectorExported => "selector_exported",
        }
    }
}
