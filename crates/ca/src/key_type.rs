//! The kinds of keys that are made here.

/// The kinds of keys that can be asked for.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum KeyType {
    /// ECDSA on P-256. The default.
    #[default]
    P256,
    /// ECDSA on P-384.
    P384,
    /// Ed25519. Browsers and some TLS stacks do not take it.
    Ed25519,
    /// RSA of 2048 bits. Generated only with the feature `aws-lc-rs`; loaded with either backend.
    Rsa2048,
}
