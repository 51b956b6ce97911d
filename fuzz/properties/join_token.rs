//! The files of join tokens: what is read is written back, and has one text.

use meshtls_istio_ca::JoinRecord;

/// Holds for all bytes.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match text.parse::<JoinRecord>() {
        Ok(record) => {
            assert_eq!(record.to_string(), text);
            assert!(text.contains(record.id.as_str()));
            assert_eq!(text.lines().count(), 3);
        }
        Err(error) => assert_eq!(error.to_string(), "not the record of a join token"),
    }
}
