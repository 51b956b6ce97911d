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

/// `/explain?port=N[&format=text]`, `/policies`, `/certs` and `/ready`.
pub(crate) fn router(workload: Arc<Workload>) -> Router {
    Router::new()
        .route("/explain", get(explain))
        .route("/policies", get(policies))
        .route("/certs", get(certs))
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

/// 200, or 503 while the policies are so old that this was said to count as not ready. The text is for an operator.
async fn ready(State(workload): State<Arc<Workload>>) -> Response {
    match workload.policy_status() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(status) if status.is_ready() => (StatusCode::OK, format!("ready; {status}\n")),
        Some(status) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready; {status}\n")),
    }
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
    use meshtls::source::WhenStale;
    use meshtls::{IdentityFrom, PoliciesFrom, Workload};
    use serde_json::Value;

    use super::{policies, ready};

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
        assert_eq!(text(ready(workload.clone()).await).await, (200, "ready\n".to_owned()));
        assert_eq!(text(policies(workload).await).await.0, 404);
    }
}
