//! Accepts plaintext and mutual TLS on one port as Istio policy decides.
