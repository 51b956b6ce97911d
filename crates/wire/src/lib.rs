//! What the first bytes of a connection are, decided without consuming them.
