//! The routes of the service itself.

use std::collections::BTreeMap;

use axum::extract::{ConnectInfo, Path};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use meshtls::axum::Caller;
use serde_json::{Value, json};

/// `/`, `/ip`, `/headers`, `/status/{code}` and `/peer`.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/", get(|| async { "httpbin: /ip /headers /status/{code} /peer\n" }))
        .route("/ip", get(ip))
        .route("/headers", any(headers))
        .route("/status/{code}", any(status))
        .route("/peer", get(peer))
}

async fn ip(ConnectInfo(caller): ConnectInfo<Caller>) -> Json<Value> {
    Json(json!({ "origin": caller.address().ip().to_string() }))
}

async fn headers(headers: HeaderMap) -> Json<Value> {
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &headers {
        seen.entry(name.to_string())
            .or_default()
            .push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    Json(json!({ "headers": seen }))
}

/// Final statuses only: an informational one would promise an answer that never comes.
async fn status(Path(code): Path<u16>) -> Response {
    match StatusCode::from_u16(code) {
        Ok(status) if !status.is_informational() => status.into_response(),
        _ => (StatusCode::BAD_REQUEST, "write a status from 200 to 999\n").into_response(),
    }
}

/// Who is calling, as the handshake proved it, and which policies let them in.
async fn peer(ConnectInfo(caller): ConnectInfo<Caller>) -> Json<Value> {
    let id = caller.verified().map(|peer| peer.id().to_string());
    Json(json!({
        "connection": caller.kind(),
        "spiffe_id": id,
        "address": caller.address().to_string(),
        "mode": caller.mode().to_string(),
        "policy": caller.winner().to_string(),
        "authorization": caller.authorization().to_string(),
        "protocol": caller.protocol().to_string(),
    }))
}
