//! The TLS of a client, as a rule writes it.

use std::fmt;

use serde::{Serialize, Serializer};

/// The `tls` of a traffic policy. Paths and names are kept as they are written; nothing is opened or looked up here.
///
/// An absent text and an empty one mean the same, as do no `insecureSkipVerify` and false.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ClientTls {
    /// The mode. A text that writes none means [`ClientTlsMode::Disable`].
    pub mode: ClientTlsMode,
    /// The server name to send.
    pub sni: Option<String>,
    /// The names a server may present, any of which suffices. Empty: see [`ServerNames`](crate::ServerNames).
    pub subject_alt_names: Vec<String>,
    /// The file with the trusted authorities. Absent, or `system`: those of the system.
    pub ca_certificates: Option<String>,
    /// The file with revoked certificates.
    pub ca_crl: Option<String>,
    /// The file with the own certificate, for [`ClientTlsMode::Mutual`].
    pub client_certificate: Option<String>,
    /// The file with its private key.
    pub private_key: Option<String>,
    /// The name of a secret with what the files would hold.
    pub credential_name: Option<String>,
    /// Whether to check nothing of the server's certificate, for [`ClientTlsMode::Simple`] and [`ClientTlsMode::Mutual`].
    pub insecure_skip_verify: Option<bool>,
}

impl ClientTls {
    /// The mode and nothing else.
    pub fn new(mode: ClientTlsMode) -> Self {
        Self {
            mode,
            sni: None,
            subject_alt_names: Vec::new(),
            ca_certificates: None,
            ca_crl: None,
            client_certificate: None,
            private_key: None,
            credential_name: None,
            insecure_skip_verify: None,
        }
    }

    /// Sets the server name to send.
    #[must_use]
    pub fn with_sni(mut self, sni: impl Into<String>) -> Self {
        self.sni = Some(sni.into());
        self
    }

    /// Sets the names a server may present.
    #[must_use]
    pub fn with_subject_alt_names(
        mut self,
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.subject_alt_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the file with the trusted authorities.
    #[must_use]
    pub fn with_ca_certificates(mut self, file: impl Into<String>) -> Self {
        self.ca_certificates = Some(file.into());
        self
    }

    /// Sets the file with revoked certificates.
    #[must_use]
    pub fn with_ca_crl(mut self, file: impl Into<String>) -> Self {
        self.ca_crl = Some(file.into());
        self
    }

    /// Sets the files with the own certificate and its key.
    #[must_use]
    pub fn with_client_certificate(
        mut self,
        certificate: impl Into<String>,
        private_key: impl Into<String>,
    ) -> Self {
        self.client_certificate = Some(certificate.into());
        self.private_key = Some(private_key.into());
        self
    }

    /// Sets the name of the secret that takes the place of files.
    #[must_use]
    pub fn with_credential_name(mut self, name: impl Into<String>) -> Self {
        self.credential_name = Some(name.into());
        self
    }

    /// Sets whether to check nothing of the server's certificate.
    #[must_use]
    pub fn with_insecure_skip_verify(mut self, skip: bool) -> Self {
        self.insecure_skip_verify = Some(skip);
        self
    }
}

/// The mode of [`ClientTls`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "Istio has these four")]
pub enum ClientTlsMode {
    /// Plaintext.
    Disable,
    /// TLS that proves the server only.
    Simple,
    /// TLS with a certificate of the rule's.
    Mutual,
    /// Mesh mTLS, with the workload's own X509-SVID.
    IstioMutual,
}

impl ClientTlsMode {
    /// The name in Istio's API, such as `ISTIO_MUTUAL`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "DISABLE",
            Self::Simple => "SIMPLE",
            Self::Mutual => "MUTUAL",
            Self::IstioMutual => "ISTIO_MUTUAL",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Disable, Self::Simple, Self::Mutual, Self::IstioMutual]
            .into_iter()
            .find(|mode| mode.as_str() == name)
    }
}

impl fmt::Display for ClientTlsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// As its name.
impl Serialize for ClientTlsMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
