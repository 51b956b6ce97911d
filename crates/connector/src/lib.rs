//! Connects to mesh services: which TLS, secure naming, and errors that say why.
