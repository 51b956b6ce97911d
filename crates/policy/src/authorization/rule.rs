//! The parts of a policy's rule, as they are written.

use super::lists::text_lists;

/// A rule: a connection matches if one of [`from`](Self::from), one of [`to`](Self::to) and all of [`when`](Self::when) do.
///
/// An empty list matches everything, so [`Rule::new`] does.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Rule {
    /// Who connects.
    pub from: Vec<Source>,
    /// To what.
    pub to: Vec<Operation>,
    /// What else must hold.
    pub when: Vec<Condition>,
}

impl Rule {
    /// A rule that matches everything (`{}`).
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source.
    #[must_use]
    pub fn with_from(mut self, source: Source) -> Self {
        self.from.push(source);
        self
    }

    /// Adds an operation.
    #[must_use]
    pub fn with_to(mut self, operation: Operation) -> Self {
        self.to.push(operation);
        self
    }

    /// Adds a condition.
    #[must_use]
    pub fn with_when(mut self, condition: Condition) -> Self {
        self.when.push(condition);
        self
    }
}

text_lists! {
    /// Who connects: every list that is not empty must hold. A list holds if one of its values fits, a `not` list if none does.
    ///
    /// A plaintext peer has no identity: it fits no value, so every `not` list over identities holds (rule AZ-14).
    pub struct Source {
        /// SPIFFE IDs without `spiffe://`; `*`, `x*` and `*x` are patterns (rule AZ-10).
        principals, with_principals, "principals", SourcePrincipal, OneOf;
        /// None of these.
        not_principals, with_not_principals, "notPrincipals", SourcePrincipal, NoneOf;
        /// Of a request's token: HTTP only.
        request_principals, with_request_principals, "requestPrincipals", Http, OneOf;
        /// Of a request's token: HTTP only.
        not_request_principals, with_not_request_principals, "notRequestPrincipals", Http, NoneOf;
        /// Namespaces, whatever the trust domain; every `*` stands for any text, slashes included (rule AZ-11).
        namespaces, with_namespaces, "namespaces", SourceNamespace, OneOf;
        /// None of these.
        not_namespaces, with_not_namespaces, "notNamespaces", SourceNamespace, NoneOf;
        /// Service accounts, whatever the trust domain: `namespace/name`, or `name` in the policy's namespace (rule AZ-12).
        service_accounts, with_service_accounts, "serviceAccounts", SourceServiceAccount, OneOf;
        /// None of these.
        not_service_accounts, with_not_service_accounts, "notServiceAccounts", SourceServiceAccount, NoneOf;
        /// Addresses that the connection comes from: single ones, or blocks such as `10.0.0.0/8` (rule AZ-15).
        ip_blocks, with_ip_blocks, "ipBlocks", SourceIp, OneOf;
        /// None of these.
        not_ip_blocks, with_not_ip_blocks, "notIpBlocks", SourceIp, NoneOf;
        /// Addresses of the original client, which a trusted proxy may have told.
        remote_ip_blocks, with_remote_ip_blocks, "remoteIpBlocks", RemoteIp, OneOf;
        /// None of these.
        not_remote_ip_blocks, with_not_remote_ip_blocks, "notRemoteIpBlocks", RemoteIp, NoneOf;
        /// Trust domains; a `*` at an end stands for any text without a slash (rule AZ-13).
        trust_domains, with_trust_domains, "trustDomains", SourceTrustDomain, OneOf;
        /// None of these.
        not_trust_domains, with_not_trust_domains, "notTrustDomains", SourceTrustDomain, NoneOf;
    }
}

text_lists! {
    /// To what: every list that is not empty must hold, as in [`Source`].
    pub struct Operation {
        /// HTTP only.
        hosts, with_hosts, "hosts", Http, OneOf;
        /// HTTP only.
        not_hosts, with_not_hosts, "notHosts", Http, NoneOf;
        /// Workload ports, 0 to 65535 (rule AZ-16).
        ports, with_ports, "ports", DestinationPort, OneOf;
        /// None of these.
        not_ports, with_not_ports, "notPorts", DestinationPort, NoneOf;
        /// HTTP only.
        methods, with_methods, "methods", Http, OneOf;
        /// HTTP only.
        not_methods, with_not_methods, "notMethods", Http, NoneOf;
        /// HTTP only.
        paths, with_paths, "paths", Http, OneOf;
        /// HTTP only.
        not_paths, with_not_paths, "notPaths", Http, NoneOf;
    }
}

/// A further condition on one attribute. Both lists must hold, unless empty.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Condition {
    /// The attribute, such as `source.ip` or `request.headers[x-token]`; [`Attribute`](super::Attribute) says which have a meaning.
    pub key: String,
    /// One of these must fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// None of these may fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_values: Vec<String>,
}

impl Condition {
    /// A condition on `key` without values: it always holds.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    /// Adds values of which one must fit.
    #[must_use]
    pub fn with_values<T: Into<String>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.values.extend(values.into_iter().map(Into::into));
        self
    }

    /// Adds values of which none may fit.
    #[must_use]
    pub fn with_not_values<T: Into<String>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.not_values.extend(values.into_iter().map(Into::into));
        self
    }
}
