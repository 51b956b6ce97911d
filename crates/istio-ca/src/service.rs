//! One gRPC call: from the message to a request, and from the outcome to the answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::IssuedSvid;
use meshtls_rustls::VerifiedPeer;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

use crate::authenticator::Shown;
use crate::metadata;
use crate::pem::write_certificate;
use crate::proto::istio_certificate_service_server::IstioCertificateService;
use crate::proto::{IstioCertificateRequest, IstioCertificateResponse};
use crate::server::{Asked, Core};

/// The calls of one connection.
#[derive(Clone)]
pub(crate) struct Calls {
    pub(crate) core: Arc<Core>,
    pub(crate) peer: Option<VerifiedPeer>,
    pub(crate) address: SocketAddr,
    pub(crate) deadline: Duration,
}

#[tonic::async_trait]
impl IstioCertificateService for Calls {
    async fn create_certificate(
        &self,
        request: Request<IstioCertificateRequest>,
    ) -> Result<Response<IstioCertificateResponse>, Status> {
        let shown = Shown {
            peer: self.peer.clone(),
            bearer: bearer(request.metadata()),
            address: self.address,
            now: self.core.now(),
        };
        let IstioCertificateRequest { csr, validity_duration, metadata } = request.into_inner();
        let ttl = u64::try_from(validity_duration)
            .ok()
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs);
        let wanted = metadata::text(metadata.as_ref(), "ImpersonatedIdentity")
            .map(|wanted| wanted.map(str::to_owned));
        let core = Arc::clone(&self.core);
        let Ok(permit) = Arc::clone(&core.requests).try_acquire_owned() else {
            let refused = tokio::task::spawn_blocking(move || core.refuse_overload(&shown));
            return match refused.await {
                Ok(told) => Err(told.status()),
                Err(_ended) => Err(Status::internal(NOT_ANSWERED)),
            };
        };
        // In a task of its own: a caller who goes away in the middle leaves no request unfinished, and none unwritten.
        let task = tokio::spawn(async move {
            let outcome = core.answer(Asked { shown, csr, ttl, wanted }).await;
            drop(permit);
            outcome
        });
        match tokio::time::timeout(self.deadline, task).await {
            Ok(Ok(Ok(issued))) => Ok(Response::new(answer(&issued))),
            Ok(Ok(Err(told))) => Err(told.status()),
            Ok(Err(_ended)) => Err(Status::internal(NOT_ANSWERED)),
            Err(_elapsed) => Err(Status::deadline_exceeded(NOT_ANSWERED)),
        }
    }
}

/// The leaf, then the intermediates, one per element, then all roots in the last (Istio's `security/pkg/server/ca/server.go`).
fn answer(issued: &IssuedSvid) -> IstioCertificateResponse {
    let mut cert_chain: Vec<String> = issued
        .chain
        .iter()
        .map(|certificate| {
            let mut element = String::new();
            write_certificate(&mut element, certificate);
            element
        })
        .collect();
    let mut roots = String::new();
    for root in &issued.roots {
        write_certificate(&mut roots, root);
    }
    cert_chain.push(roots);
    IstioCertificateResponse { cert_chain }
}

/// The token of the only `authorization` header, if that is of the scheme `Bearer` (RFC 6750 section 2.1; the scheme in any case,
/// RFC 9110 section 11.1). Two headers are none: nobody knows which one counts.
fn bearer(metadata: &MetadataMap) -> Option<Zeroizing<String>> {
    let mut headers = metadata.get_all("authorization").iter();
    let (header, None) = (headers.next()?, headers.next()) else { return None };
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    let token = token.trim_matches(' ');
    let shown = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty();
    shown.then(|| Zeroizing::new(token.to_owned()))
}

const NOT_ANSWERED: &str = "the request was not answered";

#[cfg(test)]
mod tests {
    use tonic::metadata::MetadataMap;

    use super::bearer;

    #[test]
    fn what_is_a_bearer_token() {
        for (name, headers, want) in [
            ("plain", &["Bearer abc"][..], Some("abc")),
            ("lower case", &["bearer abc"], Some("abc")),
            ("more spaces", &["Bearer   abc"], Some("abc")),
            ("none", &[], None),
            ("no scheme", &["abc"], None),
            ("no token", &["Bearer "], None),
            ("another scheme", &["Basic abc"], None),
            ("two", &["Bearer abc", "Bearer def"], None),
        ] {
            let mut metadata = MetadataMap::new();
            for header in headers {
                metadata.append("authorization", header.parse().unwrap());
            }
            assert_eq!(bearer(&metadata).as_deref().map(String::as_str), want, "{name}");
        }
    }
}
