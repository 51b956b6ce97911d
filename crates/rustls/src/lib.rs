//! rustls verifiers, configurations and handshakes that end in a verified SPIFFE peer.
