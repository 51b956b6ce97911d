//! Creation times, in whole seconds.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// When an object was created, in whole seconds since the Unix epoch.
///
/// Kubernetes keeps creation times in seconds, so two objects often have the same one. A fraction in the text is dropped.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time that Kubernetes and Istio take where none is given: the first second of the year 1.
    pub const ZERO: Self = Self(-62_135_596_800);

    /// A time in seconds since the Unix epoch, negative before it.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// The seconds since the Unix epoch.
    pub const fn unix_seconds(self) -> i64 {
        self.0
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Reads an RFC 3339 time, such as `2024-03-01T00:00:01Z`.
    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        // jiff reads more spellings than RFC 3339 has: hold it to a `T`.
        if text.as_bytes().get(10) != Some(&b'T') {
            return Err(ParseTimestampError);
        }
        match text.parse::<jiff::Timestamp>() {
            // Rounded down, also before the epoch: the same second, whatever the fraction.
            Ok(time) => Ok(Self(time.as_millisecond().div_euclid(1000))),
            Err(_) => Err(ParseTimestampError),
        }
    }
}

/// As RFC 3339 in UTC; the plain number of seconds where the year has more than four digits.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

/// As its text.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text is not an RFC 3339 time.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an RFC 3339 time such as 2024-03-01T00:00:01Z")]
#[non_exhaustive]
pub struct ParseTimestampError;

#[cfg(test)]
mod tests {
    use super::{ParseTimestampError, Timestamp};

    #[test]
    fn texts() {
        for (text, want) in [
            ("2024-03-01T00:00:01Z", Ok(1_709_251_201)),
            ("2024-03-01T02:00:01.999+02:00", Ok(1_709_251_201)),
            ("1969-12-31T23:59:59.5Z", Ok(-1)),
            ("0001-01-01T00:00:00Z", Ok(Timestamp::ZERO.unix_seconds())),
            ("2024-03-01T00:00:01", Err(ParseTimestampError)),
            ("2024-03-01 00:00:01Z", Err(ParseTimestampError)),
            ("2024-02-30T00:00:01Z", Err(ParseTimestampError)),
            ("2024-03-01", Err(ParseTimestampError)),
            ("", Err(ParseTimestampError)),
        ] {
            assert_eq!(text.parse().map(Timestamp::unix_seconds), want, "{text}");
        }
    }

    #[test]
    fn printing() {
        for (seconds, want) in
            [(1_709_251_201, "2024-03-01T00:00:01Z"), (i64::MAX, "9223372036854775807")]
        {
            assert_eq!(Timestamp::from_unix_seconds(seconds).to_string(), want);
        }
    }
}
