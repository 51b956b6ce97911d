//! Keeps identities and policies fresh: watched files and reissue before expiry.
