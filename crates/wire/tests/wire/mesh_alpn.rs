//! Istio's ALPN sets, and the side that a mesh client asks for.

use meshtls_wire::alpn::{
    MESH_HTTP, MESH_TCP,
    MeshSide::{Http, Tcp},
    is_mesh, is_mesh_http, is_mesh_tcp, mesh_side,
};

use crate::support::{Hello, alpn, check_hello};

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

#[test]
fn the_clients_order_decides() {
    // On a PERMISSIVE port every mesh name is listed; on a STRICT one of undeclared protocol only those with HTTP.
    let none: &[&str] = &[];
    for (name, offer, permissive, strict_auto) in [
        ("HTTP client", &["istio-http/1.1", "istio", "http/1.1"][..], Some(Http), Some(Http)),
        ("HTTP/2 client", &["istio-h2", "istio", "h2"], Some(Http), Some(Http)),
        ("Envoy TCP client", &["istio-peer-exchange", "istio"], Some(Tcp), None),
        ("istio first", &["istio", "istio-http/1.1"], Some(Tcp), Some(Http)),
        ("istio-peer-exchange first", &["istio-peer-exchange", "istio-h2"], Some(Tcp), Some(Http)),
        ("a name outside the mesh first", &["http/1.1", "istio"], Some(Tcp), None),
        ("unknown names between", &["x", "istio-h2", "y", "istio"], Some(Http), Some(Http)),
        ("capitals", &["ISTIO"], None, None),
        ("ordinary HTTPS", &["h2", "http/1.1"], None, None),
        ("an empty offer", none, None, None),
    ] {
        let hello = check_hello(name, &Hello::with_extension(16, alpn(offer)).record());
        assert_eq!(mesh_side(hello.alpn(), is_mesh), permissive, "{name}");
        assert_eq!(mesh_side(hello.alpn(), is_mesh_http), strict_auto, "{name}");
    }
}

#[test]
fn a_name_outside_the_mesh_is_no_side_even_if_listed() {
    let offer: [&[u8]; 2] = [b"h2", b"istio"];
    assert_eq!(mesh_side(offer, |_| true), Some(Tcp));
}
