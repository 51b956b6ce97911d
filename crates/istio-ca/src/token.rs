//! A bearer token in a file, which somebody else renews.

use std::path::{Path, PathBuf};

use meshtls_svid::{LoadError, read_file};
use zeroize::Zeroizing;

/// The longest token that is sent: 16 KiB (our bound).
pub(crate) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Reads the token at `path`, without the white space around it.
pub(crate) fn read_token(path: &Path) -> Result<Zeroizing<String>, TokenError> {
    let content = read_file(path)?;
    let token = content.trim_ascii();
    let at = || path.to_owned();
    if token.is_empty() {
        return Err(TokenError::Empty { path: at() });
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLong { path: at(), bytes: token.len() });
    }
    match str::from_utf8(token) {
        Ok(text) if token.iter().all(u8::is_ascii_graphic) => Ok(Zeroizing::new(text.to_owned())),
        _ => Err(TokenError::NotAToken { path: at() }),
    }
}

/// Why there is no bearer token. The token itself is never shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// The file cannot be read.
    #[error("the token cannot be read")]
    Unreadable(#[from] LoadError),
    /// The file holds nothing but white space.
    #[error("`{}` holds no token", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The token is longer than [`MAX_TOKEN_BYTES`].
    #[error("the token in `{}` has {bytes} bytes, more than {MAX_TOKEN_BYTES}", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// How long it is.
        bytes: usize,
    },
    /// White space, control characters or other bytes that no header may carry.
    #[error("`{}` holds something else than one token", path.display())]
    NotAToken {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::{MAX_TOKEN_BYTES, read_token};

    #[test]
    fn what_is_a_token() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let long = "x".repeat(MAX_TOKEN_BYTES);
        for (name, content, want) in [
            ("plain", "abc.def", Ok("abc.def")),
            ("with white space around it", " \nabc\r\n", Ok("abc")),
            ("the longest", &long, Ok(&*long)),
            ("empty", "", Err("holds no token")),
            ("blank", " \n", Err("holds no token")),
            ("too long", &format!("{long}x"), Err("more than 16384")),
            ("two", "abc def", Err("something else than one token")),
            ("two lines", "abc\ndef", Err("something else than one token")),
            ("control", "abc\u{1}", Err("something else than one token")),
            ("not ASCII", "töken", Err("something else than one token")),
        ] {
            std::fs::write(&path, content).unwrap();
            match (read_token(&path), want) {
                (Ok(token), Ok(want)) => assert_eq!(*token, want, "{name}"),
                (Err(error), Err(want)) => {
                    let text = error.to_string();
                    assert!(text.contains(want) && !text.contains("abc"), "{name}: {text}");
                }
                (token, _) => panic!("{name}: {token:?}"),
            }
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read_token(&path).unwrap_err().to_string(), "the token cannot be read");
        assert_eq!(
            read_token(directory.path()).unwrap_err().to_string(),
            "the token cannot be read",
            "a directory"
        );
    }
}
