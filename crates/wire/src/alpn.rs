//! The ALPN names by which Istio's clients say that they speak mesh mTLS.
//!
//! Source: Istio, `pilot/pkg/networking/core/listener.go` (the sets) and `filterchain_options.go` (who lists them).
//! Names are compared byte by byte: `ISTIO` is not a mesh name.

/// The names of mesh mTLS with HTTP in it.
pub const MESH_HTTP: [&[u8]; 3] = [b"istio-http/1.0", b"istio-http/1.1", b"istio-h2"];

/// The names of mesh mTLS with any other protocol in it.
pub const MESH_TCP: [&[u8]; 2] = [b"istio-peer-exchange", b"istio"];

/// Whether `name` is one of [`MESH_HTTP`] or [`MESH_TCP`].
#[must_use]
pub fn is_mesh(name: &[u8]) -> bool {
    is_mesh_http(name) || is_mesh_tcp(name)
}

/// Whether `name` is one of [`MESH_HTTP`].
#[must_use]
pub fn is_mesh_http(name: &[u8]) -> bool {
    MESH_HTTP.contains(&name)
}

/// Whether `name` is one of [`MESH_TCP`].
#[must_use]
pub fn is_mesh_tcp(name: &[u8]) -> bool {
    MESH_TCP.contains(&name)
}
