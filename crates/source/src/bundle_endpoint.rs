//! A SPIFFE bundle endpoint: where it is, whose bundle it serves, and how its server is known.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use hyper::http::uri::{InvalidUri, Scheme};
use meshtls_identity::{SpiffeId, TrustDomain};
use meshtls_rustls::rustls::pki_types::{CertificateDer, ServerName};
use meshtls_rustls::{TlsProfile, log_text};
use meshtls_svid::{BundleDocument, ServerAuthorities, TrustBundle};

use crate::bundle_fetch;
use crate::{FetchError, Random, SystemRandom};

/// A SPIFFE bundle endpoint, which serves the bundle document of one trust domain (SPIFFE Federation, section 5).
///
/// Domain, URL and profile are said one by one, and none is guessed from another (section 7.2). The client presents no
/// certificate, as section 5.2 wants it, and follows no redirect (our choice: ADR 14).
pub struct BundleEndpoint {
    pub(crate) target: Target,
    pub(crate) when_empty: WhenEmpty,
    pub(crate) random: Box<dyn Random>,
}

/// What a fetch has to know.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) trust_domain: TrustDomain,
    pub(crate) place: Place,
    pub(crate) server: Server,
    pub(crate) timeout: Duration,
}

/// The parts of the URL.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) name: ServerName<'static>,
    /// For the `Host` header.
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) target: String,
}

/// How the server is known.
#[derive(Clone, Debug)]
pub(crate) enum Server {
    /// By a name in a certificate of the Web PKI.
    Web(Arc<ServerAuthorities>),
    /// By its SPIFFE ID.
    Spiffe { id: SpiffeId, bootstrap: Option<TrustBundle> },
}

/// What becomes of a domain whose bundle document has no X509-SVID authority.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "its authorities are trusted or they are not")]
pub enum WhenEmpty {
    /// The last good bundle stays in use, and the document is reported as a failure. The default: an empty document is more
    /// often a publisher's mistake than a domain that ends.
    #[default]
    Keep,
    /// Nobody of the domain is trusted any more, until it publishes an authority again. This is what SPIFFE Trust Domain
    /// and Bundle section 4.1.3 asks for.
    Distrust,
}

impl BundleEndpoint {
    /// An endpoint by the profile `https_web`: its server presents a certificate for the host of `url`, which one of
    /// `authorities` issued.
    ///
    /// # Errors
    ///
    /// [`EndpointError`], for what is wrong with `url`.
    pub fn https_web(
        trust_domain: TrustDomain,
        url: &str,
        authorities: Arc<ServerAuthorities>,
    ) -> Result<Self, EndpointError> {
        Self::new(trust_domain, url, Server::Web(authorities))
    }

    /// An endpoint by the profile `https_web`, whose authorities are those that this system trusts now.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NoSystemAuthorities`], and what is wrong with `url`.
    pub fn https_web_of_system(
        trust_domain: TrustDomain,
        url: &str,
    ) -> Result<Self, EndpointError> {
        let loaded = rustls_native_certs::load_native_certs();
        let problems = loaded.errors.iter().map(ToString::to_string).collect();
        let authorities = system_authorities(&loaded.certs, problems)?;
        Self::https_web(trust_domain, url, Arc::new(authorities))
    }

    /// An endpoint by the profile `https_spiffe`: its server is `server`.
    ///
    /// It is verified by the bundle of its own domain: the newest that [`Federation`](crate::Federation) knows, from this
    /// endpoint or from another source, or else `bootstrap`. Without a bootstrap nothing can be fetched before another
    /// source has the bundle of the server's domain.
    ///
    /// # Errors
    ///
    /// * [`EndpointError::BootstrapDomain`]: `bootstrap` is not of the server's domain.
    /// * What is wrong with `url`.
    pub fn https_spiffe(
        trust_domain: TrustDomain,
        url: &str,
        server: SpiffeId,
        bootstrap: Option<TrustBundle>,
    ) -> Result<Self, EndpointError> {
        if let Some(bundle) = &bootstrap
            && bundle.trust_domain() != server.trust_domain()
        {
            let bootstrap = bundle.trust_domain().clone();
            return Err(EndpointError::BootstrapDomain { server, bootstrap });
        }
        Self::new(trust_domain, url, Server::Spiffe { id: server, bootstrap })
    }

    fn new(trust_domain: TrustDomain, url: &str, server: Server) -> Result<Self, EndpointError> {
        let place = Place::parse(url)?;
        Ok(Self {
            target: Target { trust_domain, place, server, timeout: DEFAULT_TIMEOUT },
            when_empty: WhenEmpty::default(),
            random: Box::new(SystemRandom),
        })
    }

    /// Bounds each fetch, from the look-up of the host to the last byte. Default: 10 seconds.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { target: Target { timeout, ..self.target }, ..self }
    }

    /// Says what an empty bundle document means. Default: [`WhenEmpty::Keep`].
    #[must_use]
    pub fn when_empty(self, when_empty: WhenEmpty) -> Self {
        Self { when_empty, ..self }
    }

    /// Takes the jitter from `random`. Default: [`SystemRandom`].
    #[must_use]
    pub fn random(self, random: Box<dyn Random>) -> Self {
        Self { random, ..self }
    }

    /// Gives the domain whose bundle the endpoint serves.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.target.trust_domain
    }

    /// Gives the URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.target.place.url
    }

    /// Fetches the document once. A server known by its SPIFFE ID is verified by the bundle of its domain among `known`,
    /// or else by the bootstrap. Whether the document is newer than another is not asked.
    ///
    /// # Errors
    ///
    /// Every variant of [`FetchError`] but [`FetchError::OlderSequence`] and [`FetchError::Empty`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connection.
    pub fn fetch(
        &self,
        profile: &TlsProfile,
        known: &[TrustBundle],
    ) -> impl Future<Output = Result<BundleDocument, FetchError>> + Send {
        bundle_fetch::fetch(&self.target, profile, known)
    }

    /// The bootstrap bundle, if it is of the domain whose bundle is served.
    pub(crate) fn self_serving_bootstrap(&self) -> Option<&TrustBundle> {
        match &self.target.server {
            Server::Spiffe { bootstrap, .. } => bootstrap
                .as_ref()
                .filter(|bundle| bundle.trust_domain() == &self.target.trust_domain),
            Server::Web(_) => None,
        }
    }
}

impl Place {
    fn parse(url: &str) -> Result<Self, EndpointError> {
        let uri: Uri = url
            .parse()
            .map_err(|_why: InvalidUri| EndpointError::Malformed)?;
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(EndpointError::NotHttps);
        }
        let authority = uri.authority().ok_or(EndpointError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(EndpointError::UserInfo);
        }
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let name = ServerName::try_from(host.to_owned()).map_err(|_why| EndpointError::Host)?;
        let port = match authority.port() {
            None => HTTPS_PORT,
            Some(port) => match port.as_u16() {
                0 => return Err(EndpointError::Host),
                port => port,
            },
        };
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        Ok(Self {
            url: uri.to_string(),
            host: host.to_owned(),
            port,
            name,
            authority: authority.as_str().to_owned(),
            target: target.to_owned(),
        })
    }
}

impl fmt::Debug for BundleEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleEndpoint")
            .field("trust_domain", &self.target.trust_domain)
            .field("url", &self.target.place.url)
            .field("server", &self.target.server)
            .finish_non_exhaustive()
    }
}

/// Why something is no bundle endpoint.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The text is not a URL with a host.
    #[error("the endpoint's URL cannot be read")]
    Malformed,
    /// The scheme is not `https` (SPIFFE Federation, sections 5.2.1.1 and 5.2.2.1).
    #[error("the endpoint's URL does not begin with `https://`")]
    NotHttps,
    /// There is a user or a password in the URL (the same sections).
    #[error("the endpoint's URL names a user")]
    UserInfo,
    /// The host is neither a DNS name nor an IP address, or the port is 0.
    #[error("the endpoint's URL has no usable host and port")]
    Host,
    /// The bootstrap bundle cannot verify the endpoint's server.
    #[error("the bootstrap bundle is of `{bootstrap}`, and the endpoint's server is `{server}`")]
    BootstrapDomain {
        /// Who the server is.
        server: SpiffeId,
        /// The domain of the bundle.
        bootstrap: TrustDomain,
    },
    /// This system trusts no authority, or none that can be read.
    #[error("this system has no trusted authorities: {problems}")]
    NoSystemAuthorities {
        /// What went wrong, if anything did; at most 256 characters.
        problems: String,
    },
}

fn system_authorities(
    certificates: &[CertificateDer<'_>],
    problems: Vec<String>,
) -> Result<ServerAuthorities, EndpointError> {
    ServerAuthorities::readable_of(certificates).map_err(|_empty| {
        EndpointError::NoSystemAuthorities { problems: log_text(&problems.join("; ")) }
    })
}

/// How long a fetch may take, unless told otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const HTTPS_PORT: u16 = 443;

#[cfg(test)]
mod tests {
    use meshtls_testkit::TestCa;

    use super::{BundleEndpoint, CertificateDer, EndpointError, Place, system_authorities};

    #[test]
    fn urls() {
        for (name, url, want) in [
            ("plain", "https://a.example/bundle.json", Ok(("a.example", 443, "/bundle.json"))),
            ("no path", "https://a.example", Ok(("a.example", 443, "/"))),
            ("a port", "https://a.example:8443/x", Ok(("a.example", 8443, "/x"))),
            ("a query", "https://a.example/x?y=z", Ok(("a.example", 443, "/x?y=z"))),
            ("a fragment is not sent", "https://a.example/x#y", Ok(("a.example", 443, "/x"))),
            ("scheme in capitals", "HTTPS://a.example/", Ok(("a.example", 443, "/"))),
            ("IPv4", "https://127.0.0.1:1/", Ok(("127.0.0.1", 1, "/"))),
            ("IPv6", "https://[::1]:1/", Ok(("::1", 1, "/"))),
            ("HTTP", "http://a.example/", Err(EndpointError::NotHttps)),
            ("a path alone", "/bundle.json", Err(EndpointError::NotHttps)),
            ("a user", "https://me@a.example/", Err(EndpointError::UserInfo)),
            ("a password", "https://me:x@a.example/", Err(EndpointError::UserInfo)),
            ("no host", "https:///x", Err(EndpointError::Malformed)),
            ("a space", "https://a b/", Err(EndpointError::Malformed)),
            ("empty", "", Err(EndpointError::Malformed)),
            ("no DNS name", "https://-a-.example/", Err(EndpointError::Host)),
            ("port 0", "https://a.example:0/", Err(EndpointError::Host)),
        ] {
            let place = Place::parse(url);
            let seen = place
                .as_ref()
                .map(|place| (place.host.as_str(), place.port, place.target.as_str()))
                .map_err(Clone::clone);
            assert_eq!(seen, want, "{name}");
        }
    }

    #[test]
    fn a_bootstrap_of_another_domain_is_refused() {
        let endpoint = |bootstrap: &str| {
            let bundle = TestCa::new(bootstrap).bundle();
            let server = "spiffe://b.example/endpoint".parse().unwrap();
            let domain = "a.example".parse().unwrap();
            BundleEndpoint::https_spiffe(domain, "https://b.example/", server, Some(bundle))
        };
        assert!(
            endpoint("b.example")
                .unwrap()
                .self_serving_bootstrap()
                .is_none()
        );
        let error = endpoint("a.example").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the bootstrap bundle is of `a.example`, and the endpoint's server is `spiffe://b.example/endpoint`"
        );
    }

    #[test]
    fn the_system_vouches_if_it_has_an_authority() {
        let ca = TestCa::new("web.example").bundle();
        assert!(system_authorities(ca.anchors(), vec!["torn".to_owned()]).is_ok());
        let unreadable = CertificateDer::from_slice(b"x");
        for certificates in [&[][..], &[unreadable]] {
            let problems = vec!["no such\nfile".to_owned(), "torn".to_owned()];
            assert_eq!(
                system_authorities(certificates, problems)
                    .unwrap_err()
                    .to_string(),
                "this system has no trusted authorities: no such\\nfile; torn"
            );
        }
        // Whatever this machine has, the URL is looked at too.
        let error = BundleEndpoint::https_web_of_system("a.example".parse().unwrap(), "http://a/");
        assert!(matches!(
            error.unwrap_err(),
            EndpointError::NotHttps | EndpointError::NoSystemAuthorities { .. }
        ));
    }
}
