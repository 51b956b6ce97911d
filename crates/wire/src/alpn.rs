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

/// Which side of a port a mesh client asked for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle both sides")]
pub enum MeshSide {
    /// One of [`MESH_HTTP`].
    Http,
    /// One of [`MESH_TCP`].
    Tcp,
}

/// The side of the first offered mesh name that the port lists, in the client's order; `None` if
/// it lists none of them.
///
/// `lists` says which mesh names select a filter chain of the port; names outside the mesh are passed over.
/// A PERMISSIVE port lists them all ([`is_mesh`]). A STRICT port of undeclared protocol lists only
/// [`is_mesh_http`], and all else is its TCP side.
///
/// ```
/// use meshtls_wire::alpn::{MeshSide, is_mesh, is_mesh_http, mesh_side};
///
/// let offer: [&[u8]; 3] = [b"http/1.1", b"istio", b"istio-http/1.1"];
/// assert_eq!(mesh_side(offer, is_mesh), Some(MeshSide::Tcp));
/// assert_eq!(mesh_side(offer, is_mesh_http), Some(MeshSide::Http));
/// ```
pub fn mesh_side<'a>(
    offer: impl IntoIterator<Item = &'a [u8]>,
    lists: impl Fn(&[u8]) -> bool,
) -> Option<MeshSide> {
    offer.into_iter().filter(|name| lists(name)).find_map(side)
}

fn side(name: &[u8]) -> Option<MeshSide> {
    if is_mesh_http(name) {
        Some(MeshSide::Http)
    } else if is_mesh_tcp(name) {
        Some(MeshSide::Tcp)
    } else {
        None
    }
}
