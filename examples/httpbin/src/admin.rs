//! The admin routes: why a port is as it is, which policies and certificates are in use, and whether the service is ready.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use meshtls::Workload;
use meshtls::rustls::WithCauses;
use serde::Deserialize;
use serde_json::json;

/// `/explain?port=N[&format=text]`, `/policies`, `/certs`, `/identity` and `/ready`.
pub(crate) fn router(workload: Arc<Workload>) -> Router {
    Router::new()
        .route("/explain", get(explain))
        .route("/policies", get(policies))
        .route("/certs", get(certs))
        .route("/identity", get(identity))
        .route("/ready", get(ready))
        .with_state(workload)
}

#[derive(Deserialize)]
struct Explain {
    port: u16,
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Text,
}

async fn explain(State(workload): State<Arc<Workload>>, Query(query): Query<Explain>) -> Response {
    let explanation = workload.explain(query.port);
    match query.format {
        Format::Json => Json(explanation).into_response(),
        Format::Text => explanation.to_string().into_response(),
    }
}

/// What of the policy files is in force, how old it is in seconds, and why newer ones were refused.
async fn policies(State(workload): State<Arc<Workload>>) -> Response {
    let Some(status) = workload.policy_status() else {
        return (StatusCode::NOT_FOUND, "there are no policy files\n").into_response();
    };
    Json(json!({
        "path": status.path,
        "version": status.version,
        "files": status.files,
        "objects": status.objects,
        "loaded": status.loaded.as_secs(),
        "age": status.age.as_secs(),
        "stale": status.stale.map(|then| then.to_string()),
        "error": status.last_error.map(|error| WithCauses(&*error).to_string()),
    }))
    .into_response()
}

/// 200, or 503 while there is no identity or it is about to end, or while the policies are so old that this was said to count as
/// not ready. The text is for an operator.
async fn ready(State(workload): State<Arc<Workload>>) -> Response {
    let policies = workload.policy_status();
    let identity = workload.identity_status();
    let ready = policies.as_ref().is_none_or(|policies| policies.is_ready())
        && identity.as_ref().is_none_or(|identity| identity.ready);
    let (status, word) = if ready {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    let mut text = word.to_owned();
    for part in [policies.map(|it| it.to_string()), identity.map(|it| it.to_string())] {
        text.extend(part.map(|part| format!("; {part}")));
    }
    (status, text + "\n").into_response()
}

/// How the identity fares. Times are in seconds from now.
async fn identity(State(workload): State<Arc<Workload>>) -> Response {
    let Some(status) = workload.identity_status() else {
        return (StatusCode::NOT_FOUND, "the identity is not renewed here\n").into_response();
    };
    Json(json!({
        "state": status.state.to_string(),
        "ready": status.ready,
        "id": status.id.map(|id| id.to_string()),
        "generation": workload.identity().ok().map(|snapshot| snapshot.generation()),
        "expiresIn": status.expires_in.map(|left| left.as_secs()),
        "nextRenewal": status.next_renewal.map(|left| left.as_secs_f64()),
        "failures": status.failures,
        "error": status.last_error.map(|error| WithCauses(&*error).to_string()),
    }))
    .into_response()
}

/// The certificate in use, as an operator checks it: name, serial, notBefore, notAfter, valid now.
async fn certs(State(workload): State<Arc<Workload>>) -> Response {
    match workload.identity() {
        Ok(snapshot) => {
            let svid = snapshot.svid();
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs();
            let (from, to) = (svid.not_before().as_secs(), svid.not_after().as_secs());
            let serial: String = svid
                .serial()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            Json(json!([{
                "name": svid.id().as_str(),
                "serial": serial,
                "notBefore": rfc3339(from),
                "notAfter": rfc3339(to),
                "validNow": from <= now && now <= to,
            }]))
            .into_response()
        }
        Err(unavailable) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{unavailable}\n")).into_response()
        }
    }
}

/// Seconds since the Unix epoch as text; the number itself where the calendar ends.
fn rfc3339(seconds: u64) -> String {
    match i64::try_from(seconds).map(Timestamp::from_second) {
        Ok(Ok(timestamp)) => timestamp.to_string(),
        _ => seconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use axum::body::to_bytes;
    use axum::extract::State;
    use axum::response::Response;
    use meshtls::source::{Issued, Issuer, IssuerError, IssuerFuture, SvidRequest, WhenStale};
    use meshtls::{IdentityFrom, PoliciesFrom, Workload};
    use serde_json::Value;

    use super::{identity, policies, ready};

    const POLICY: &str = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n\
        metadata: { name: default, namespace: foo }\nspec: { mtls: { mode: STRICT } }\n";

    fn workload(directory: &Path, from: PoliciesFrom) -> State<Arc<Workload>> {
        let id = "cluster.local/ns/foo/sa/httpbin".parse().unwrap();
        let identity = IdentityFrom::ca_dir(directory.join("ca"));
        State(Arc::new(
            Workload::builder(id, identity)
                .policies(from)
                .start()
                .unwrap(),
        ))
    }

    async fn text(response: Response) -> (u16, String) {
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn stale_policies_can_be_seen() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("foo.yaml");
        fs::write(&file, POLICY).unwrap();
        let bound = Duration::from_secs(60);
        let from = PoliciesFrom::path(&file).stale_after(bound, WhenStale::NotReady);
        let workload = workload(directory.path(), from);
        tokio::time::sleep(2 * bound).await;
        let (status, body) = text(ready(workload.clone()).await).await;
        assert!(status == 200 && body.starts_with("ready; version 1 of "), "{status} {body}");
        assert!(
            body.contains("; fresh: spiffe://cluster.local/ns/foo/sa/httpbin, ends in "),
            "{body}"
        );

        fs::write(&file, "kind: [").unwrap();
        tokio::time::sleep(2 * bound).await;
        let (status, body) = text(ready(workload.clone()).await).await;
        assert!(status == 503 && body.starts_with("not ready; version 1"), "{status} {body}");
        let (status, body) = text(policies(workload.clone()).await).await;
        assert_eq!(status, 200, "{body}");
        let seen: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(seen["version"], 1, "{seen}");
        assert_eq!(seen["files"][0], file.to_str().unwrap(), "{seen}");
        assert!(seen["age"].as_u64() >= Some(119), "{seen}");
        assert_eq!(seen["stale"], WhenStale::NotReady.to_string(), "{seen}");
        assert!(seen["error"].as_str().unwrap().contains("foo.yaml"), "{seen}");

        fs::write(&file, POLICY).unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(text(ready(workload).await).await.0, 200);
    }

    #[tokio::test]
    async fn without_policy_files_there_is_nothing_to_get_stale() {
        let directory = tempfile::tempdir().unwrap();
        let workload = workload(directory.path(), PoliciesFrom::Nowhere);
        let (status, body) = text(ready(workload.clone()).await).await;
        assert!(status == 200 && body.starts_with("ready; fresh: "), "{status} {body}");
        assert_eq!(text(policies(workload).await).await.0, 404);
    }

    /// An authority that is away: nothing to show yet, and why can be read.
    #[tokio::test(start_paused = true)]
    async fn an_identity_that_has_not_come_is_not_ready() {
        #[derive(Debug)]
        struct Away;
        impl Issuer for Away {
            fn issue<'a>(
                &'a self,
                _: &'a SvidRequest,
            ) -> IssuerFuture<'a, Result<Issued, IssuerError>> {
                Box::pin(async { Err(IssuerError::retryable("away", "nobody is there")) })
            }
        }
        let id = "cluster.local/ns/foo/sa/httpbin".parse().unwrap();
        let from = IdentityFrom::Issuer(Arc::new(Away));
        let workload = State(Arc::new(Workload::builder(id, from).start().unwrap()));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(text(ready(workload.clone()).await).await.0, 503);
        let (status, body) = text(identity(workload).await).await;
        assert_eq!(status, 200, "{body}");
        let seen: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&seen["state"], &seen["ready"]), (&"not yet".into(), &false.into()), "{seen}");
        assert!(seen["error"].as_str().unwrap().ends_with("nobody is there"), "{seen}");
    }
}
