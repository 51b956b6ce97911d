//! Addresses of Unix domain sockets, as Istio writes them.

/// What such an address begins with.
pub(crate) const PREFIX: &str = "unix://";

/// Whether the text after [`PREFIX`] names a socket: an absolute path to a file, or `@` and a name.
pub(crate) fn is_valid(path: &str) -> bool {
    path.starts_with('@') || (path.starts_with('/') && !path.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn paths() {
        for (path, want) in [
            ("/run/x.sock", true),
            ("@abstract", true),
            ("", false),
            ("run/x", false),
            ("/run/", false),
        ] {
            assert_eq!(is_valid(path), want, "{path}");
        }
    }
}
