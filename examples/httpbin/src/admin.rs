//! The admin routes: why a port is as it is, and which certificates are in use.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use meshtls::Workload;
use serde::Deserialize;
use serde_json::json;

/// `/explain?port=N[&format=text]` and `/certs`.
pub(crate) fn router(workload: Arc<Workload>) -> Router {
    Router::new()
        .route("/explain", get(explain))
        .route("/certs", get(certs))
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
