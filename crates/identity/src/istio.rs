//! Istio's own, looser reading of an identity.

use std::fmt;

use crate::grammar::SCHEME;

/// An identity as Istio's parser reads it: five parts with `ns` and `sa` in place, no byte checked, parts may be empty.
///
/// It is here for policy text, whose meaning is Istio's. Nothing a peer presents goes through it: there, and for
/// everything that is ours, [`ServiceAccountId`](crate::ServiceAccountId) is the type.
///
/// ```
/// # use meshtls_identity::IstioIdentity;
/// let odd = IstioIdentity::parse("spiffe://Cluster.local:80/ns//sa/a?b").unwrap();
/// assert_eq!((odd.trust_domain, odd.namespace, odd.service_account), ("Cluster.local:80", "", "a?b"));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct IstioIdentity<'a> {
    /// What stands before `/ns/`. Perhaps empty, perhaps no valid trust domain.
    pub trust_domain: &'a str,
    /// What stands between `/ns/` and `/sa/`. Perhaps empty.
    pub namespace: &'a str,
    /// What stands after `/sa/`. Perhaps empty.
    pub service_account: &'a str,
}

impl<'a> IstioIdentity<'a> {
    /// Reads `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`; `None` if the text has another shape
    /// (Istio: `pkg/spiffe/spiffe.go`, `ParseIdentity`).
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix(SCHEME)?.split('/');
        let mut part = || parts.next();
        match (part(), part(), part(), part(), part(), part()) {
            (Some(trust_domain), Some("ns"), Some(namespace), Some("sa"), Some(account), None) => {
                Some(Self { trust_domain, namespace, service_account: account })
            }
            _ => None,
        }
    }
}

impl fmt::Display for IstioIdentity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trust_domain, namespace, service_account } = self;
        write!(f, "{SCHEME}{trust_domain}/ns/{namespace}/sa/{service_account}")
    }
}
