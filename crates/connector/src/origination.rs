//! TLS origination: what a `DestinationRule` wants of the modes SIMPLE and MUTUAL.

use meshtls_policy::{ClientCredential, Origination, OutboundReason, ServerNames, Sni as RuleSni};
use meshtls_svid::NameCheck;
use rustls_pki_types::ServerName;
use serde::Serialize;

use crate::{ConnectError, Sni};

/// What a rule wants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Originate {
    pub(crate) origination: Origination,
    /// With SIMPLE there is none.
    pub(crate) credential: Option<ClientCredential>,
    pub(crate) reason: OutboundReason,
}

/// Which kind of TLS was begun towards a server that need not be of the mesh.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(clippy::exhaustive_enums, reason = "Istio knows these two")]
pub enum OriginationMode {
    /// TLS without a certificate of our own.
    Simple,
    /// TLS with the certificate that a rule names.
    Mutual,
}

impl OriginationMode {
    /// `simple` or `mutual`: a short label that stays the same between releases.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Mutual => "mutual",
        }
    }
}

impl Originate {
    pub(crate) fn mode(&self) -> OriginationMode {
        match self.credential {
            None => OriginationMode::Simple,
            Some(_) => OriginationMode::Mutual,
        }
    }

    /// The server name to send to `host`.
    pub(crate) fn sni(&self, host: &str) -> Sni {
        Sni::of(match &self.origination.sni {
            RuleSni::Authority => authority(host).to_owned(),
            RuleSni::Fixed(name) => name.clone(),
        })
    }

    /// The names that count in the certificate of `host`. `None`: nothing of it counts.
    pub(crate) fn names(&self, host: &str) -> Result<Option<NameCheck>, ConnectError> {
        Ok(match &self.origination.names {
            ServerNames::Authority => match ServerName::try_from(authority(host)) {
                Ok(name) => Some(NameCheck::Host(name.to_owned())),
                Err(_) => return Err(ConnectError::NoServerName { host: host.to_owned() }),
            },
            ServerNames::OneOf(names) => {
                Some(NameCheck::OneOf(names.iter().map(ToString::to_string).collect()))
            }
            ServerNames::ChainOnly => Some(NameCheck::ChainOnly),
            ServerNames::InsecureSkipVerify => None,
        })
    }

    pub(crate) fn skips_verification(&self) -> bool {
        self.origination.names == ServerNames::InsecureSkipVerify
    }
}

/// The final dot of an absolute name stands in no certificate.
fn authority(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}
