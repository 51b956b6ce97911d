//! Istio's ALPN sets.

use meshtls_wire::alpn::{MESH_HTTP, MESH_TCP, is_mesh, is_mesh_http, is_mesh_tcp};

#[test]
fn sets() {
    for (name, http, tcp) in [
        ("istio-http/1.0", true, false),
        ("istio-http/1.1", true, false),
        ("istio-h2", true, false),
        ("istio-peer-exchange", false, true),
        ("istio", false, true),
        ("h2", false, false),
        ("h2c", false, false),
        ("http/1.1", false, false),
        ("ISTIO", false, false),
        ("istio-", false, false),
        ("istio-http/1.1 ", false, false),
        ("", false, false),
    ] {
        let bytes = name.as_bytes();
        assert_eq!(is_mesh_http(bytes), http, "{name}");
        assert_eq!(is_mesh_tcp(bytes), tcp, "{name}");
        assert_eq!(is_mesh(bytes), http || tcp, "{name}");
    }
    assert!(MESH_HTTP.into_iter().chain(MESH_TCP).all(is_mesh));
}
