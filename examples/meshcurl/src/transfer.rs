//! One request and its answer.

use http::header::HOST;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use meshtls::connector::{Connector, Destination, Protocol};

use crate::Arguments;
use crate::failure::Failure;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The body, or the headers of a HEAD request.
    pub(crate) output: Vec<u8>,
}

/// Connects as the mesh says, sends the request and reads the whole answer.
pub(crate) async fn transfer(
    connector: &Connector,
    arguments: &Arguments,
) -> Result<Answer, Failure> {
    let url = &arguments.url;
    let (Some("http"), Some(authority)) = (url.scheme_str(), url.authority()) else {
        return Err(Failure::Usage("the URL must begin with http://HOST".into()));
    };
    let destination = Destination::new(authority.host(), authority.port_u16().unwrap_or(80))
        .protocol(Protocol::Http1)
        .subset(arguments.subset.as_deref().unwrap_or_default());
    if arguments.verbose {
        eprintln!("{}", connector.explain_to(&destination));
    }
    let stream = connector.connect_to(&destination).await?.into_stream();

    let mut request = Request::builder()
        .method(if arguments.head { Method::HEAD } else { Method::GET })
        .uri(url.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority.as_str())
        .header("user-agent", concat!("meshcurl/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|error| Failure::Usage(error.into()))?;
    for (name, value) in &arguments.header {
        request.headers_mut().insert(name, value.clone());
    }

    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // The connection is driven beside the exchange, and its own error is the better one: it holds the TLS alert.
    let (driven, exchanged) = tokio::join!(connection, exchange(sender, request, arguments.head));
    match (driven, exchanged) {
        (_, Ok(answer)) => Ok(answer),
        (Err(error), Err(Failure::Http(_))) => Err(error.into()),
        (_, Err(failure)) => Err(failure),
    }
}

/// Sends the request and reads the answer; then the connection ends, since `sender` does.
async fn exchange(
    mut sender: http1::SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
    head: bool,
) -> Result<Answer, Failure> {
    let response = sender.send_request(request).await?;
    let status = response.status();
    if !head {
        let body = Limited::new(response.into_body(), MAX_BODY)
            .collect()
            .await
            .map_err(Failure::Body)?;
        return Ok(Answer { status, output: body.to_bytes().to_vec() });
    }
    let mut output = format!("{:?} {status}\r\n", response.version()).into_bytes();
    for (name, value) in response.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            output.extend_from_slice(part);
        }
    }
    Ok(Answer { status, output })
}

/// A body is kept in memory, so it is bounded: 64 MiB.
const MAX_BODY: usize = 64 << 20;
