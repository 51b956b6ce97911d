//! Test kit for users of meshtls: an in-memory CA, hostile certificates and clients, faulty streams, a hand-moved clock.
