//! One GET to a bundle endpoint over TLS that we verify ourselves. Time and every length are bounded.

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, LOCATION};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use meshtls_identity::{IdMatcher, SpiffeId};
use meshtls_rustls::{
    ClientStream, MeshClient, OriginationClient, TlsProfile, log_text, refusal_of,
};
use meshtls_svid::{BundleDocument, MAX_DOCUMENT_BYTES, NameCheck, TrustBundle, TrustBundles};
use tokio::net::TcpStream;

use crate::FetchError;
use crate::bundle_endpoint::{Server, Target};

/// Fetches the document that `endpoint` serves now, within its time.
pub(crate) async fn fetch(
    endpoint: &Target,
    profile: &TlsProfile,
    known: &[TrustBundle],
) -> Result<BundleDocument, FetchError> {
    let after = endpoint.timeout;
    // Boxed, so that the memory of the exchange is given back between two of them.
    tokio::time::timeout(after, Box::pin(exchange(endpoint, profile, known)))
        .await
        .map_err(|_elapsed| FetchError::Timeout { after })?
}

async fn exchange(
    endpoint: &Target,
    profile: &TlsProfile,
    known: &[TrustBundle],
) -> Result<BundleDocument, FetchError> {
    let stream = connect(endpoint, profile, known).await?;
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(http)?;
    let request = Request::get(endpoint.place.target.as_str())
        .header(HOST, endpoint.place.authority.as_str())
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| FetchError::Http(error.into()))?;
    let body = driven(connection, async {
        let response = sender.send_request(request).await.map_err(http)?;
        body_of(response).await
    })
    .await?;
    let document = BundleDocument::parse(endpoint.trust_domain.clone(), &body)?;
    if let Some(bundle) = document.bundle() {
        bundle.check_ids().map_err(FetchError::OtherDomain)?;
    }
    Ok(document)
}

/// Connects, and comes back with a server that is who it should be.
async fn connect(
    endpoint: &Target,
    profile: &TlsProfile,
    known: &[TrustBundle],
) -> Result<ClientStream<TcpStream>, FetchError> {
    let place = &endpoint.place;
    let dial = async {
        let tcp = TcpStream::connect((place.host.as_str(), place.port));
        tcp.await.map_err(FetchError::Connect)
    };
    let name = place.name.clone();
    match &endpoint.server {
        Server::Web(authorities) => {
            let client = OriginationClient::new(profile, Arc::clone(authorities), None)
                .map_err(FetchError::WebClient)?;
            let names = NameCheck::Host(name.clone());
            let (stream, _peer) = client
                .connect(dial.await?, Some(name), &names, ALPN)
                .await
                .map_err(FetchError::WebServer)?;
            Ok(stream)
        }
        Server::Spiffe { id, bootstrap } => {
            let bundle = bundle_for(id, known, bootstrap.as_ref())?;
            let bundles = Arc::new(TrustBundles::new([bundle]));
            let client =
                MeshClient::without_svid(profile, &bundles).map_err(FetchError::SpiffeClient)?;
            let (stream, _peer) = client
                .connect(dial.await?, Some(name), &IdMatcher::Exact(id.clone()), ALPN)
                .await
                .map_err(FetchError::SpiffeServer)?;
            Ok(stream)
        }
    }
}

/// The newest bundle of the server's domain that is known, or the one to begin with.
fn bundle_for(
    server: &SpiffeId,
    known: &[TrustBundle],
    bootstrap: Option<&TrustBundle>,
) -> Result<TrustBundle, FetchError> {
    known
        .iter()
        .find(|bundle| bundle.trust_domain() == server.trust_domain())
        .or(bootstrap)
        .cloned()
        .ok_or_else(|| FetchError::NoBundleForServer {
            trust_domain: server.trust_domain().clone(),
        })
}

/// Reads the body of a response with status 200.
async fn body_of(response: Response<Incoming>) -> Result<Bytes, FetchError> {
    let status = response.status();
    if status.is_redirection() {
        let location = response.headers().get(LOCATION);
        let location = location.map(|to| log_text(&String::from_utf8_lossy(to.as_bytes())));
        return Err(FetchError::Redirect { status: status.as_u16(), location });
    }
    if status != StatusCode::OK {
        return Err(FetchError::Status { status: status.as_u16() });
    }
    let too_large = FetchError::BodyTooLarge { max: MAX_DOCUMENT_BYTES };
    let body = response.into_body();
    // What is announced as too large need not be read.
    if usize::try_from(body.size_hint().lower()).map_or(true, |least| least > MAX_DOCUMENT_BYTES) {
        return Err(too_large);
    }
    match Limited::new(body, MAX_DOCUMENT_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large),
        Err(error) => Err(refused(&*error).unwrap_or(FetchError::Http(error))),
    }
}

/// Drives `connection` while `exchange` runs. What goes wrong with the connection, the exchange is told.
async fn driven<C: Future, E: Future>(connection: C, exchange: E) -> E::Output {
    let (mut connection, mut exchange) = (pin!(connection), pin!(exchange));
    let mut is_over = false;
    poll_fn(|cx| {
        if !is_over {
            is_over = matches!(connection.as_mut().poll(cx), Poll::Ready(_));
        }
        exchange.as_mut().poll(cx)
    })
    .await
}

fn http(error: hyper::Error) -> FetchError {
    refused(&error).unwrap_or_else(|| FetchError::Http(error.into()))
}

/// Finds the server's alert among the causes.
fn refused(error: &(dyn Error + 'static)) -> Option<FetchError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && let Some(refusal) = refusal_of(io)
        {
            return Some(FetchError::Refused(*refusal));
        }
        cause = error.source();
    }
    None
}

const ALPN: &[&[u8]] = &[b"http/1.1"];
const MAX_HEADERS: usize = 64;
const MAX_HEAD_BYTES: usize = 16 * 1024;
