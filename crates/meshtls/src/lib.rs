//! Istio mutual TLS inside a Rust service: identity, permissive ports, policies, secure naming.
