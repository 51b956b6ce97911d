//! What the file of a join token holds.

use std::fmt;
use std::str::FromStr;

use meshtls_identity::SpiffeId;

/// Three lines: the format's name, the SPIFFE ID, and the last second in which the token may be used.
///
/// Parsing then printing gives back the same text.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct JoinRecord {
    /// For whom the token is.
    pub id: SpiffeId,
    /// Its last second, since the Unix epoch.
    pub expires: u64,
}

impl fmt::Display for JoinRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HEADER}\n{}\n{}\n", self.id, self.expires)
    }
}

impl FromStr for JoinRecord {
    type Err = MalformedJoinRecord;

    fn from_str(text: &str) -> Result<Self, MalformedJoinRecord> {
        let mut lines = text.split('\n');
        let (Some(HEADER), Some(id), Some(expires), Some(""), None) =
            (lines.next(), lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(MalformedJoinRecord);
        };
        let record = Self {
            id: id.parse().map_err(|_id| MalformedJoinRecord)?,
            expires: expires.parse().map_err(|_number| MalformedJoinRecord)?,
        };
        // One text for each record: `007` and `+7` are none.
        if record.to_string() == text { Ok(record) } else { Err(MalformedJoinRecord) }
    }
}

/// The file of a join token does not hold what was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not the record of a join token")]
#[non_exhaustive]
pub struct MalformedJoinRecord;

const HEADER: &str = "meshtls join token 1";

#[cfg(test)]
mod tests {
    use super::{JoinRecord, MalformedJoinRecord};

    #[test]
    fn what_is_a_record() {
        for (name, text, valid) in [
            ("as written", "meshtls join token 1\nspiffe://td/a\n7\n", true),
            ("another format", "meshtls join token 2\nspiffe://td/a\n7\n", false),
            ("no ID", "meshtls join token 1\ntd/a\n7\n", false),
            ("no time", "meshtls join token 1\nspiffe://td/a\n\n", false),
            ("a sign", "meshtls join token 1\nspiffe://td/a\n+7\n", false),
            ("a leading zero", "meshtls join token 1\nspiffe://td/a\n07\n", false),
            ("torn", "meshtls join token 1\nspiffe://td/a\n7", false),
            ("more", "meshtls join token 1\nspiffe://td/a\n7\n\n", false),
            ("CRLF", "meshtls join token 1\r\nspiffe://td/a\r\n7\r\n", false),
            ("empty", "", false),
        ] {
            match text.parse::<JoinRecord>() {
                Ok(record) => assert!(valid && record.to_string() == text, "{name}"),
                Err(MalformedJoinRecord) => assert!(!valid, "{name}"),
            }
        }
    }
}
