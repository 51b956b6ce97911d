//! Durations such as `5s`, `100ms` and `1h30m`.

use std::time::Duration;

use crate::field::{Field, shorten};
use crate::parse_error::ParseError;
use crate::violation::Violation;

/// Reads a duration that is not negative.
pub(crate) fn read(field: &Field<'_>) -> Result<Duration, ParseError> {
    let text = field.text()?;
    parse(text).ok_or_else(|| field.invalid(Violation::BadDuration { found: shorten(text) }))
}

/// One or more decimal numbers with a unit each, up to some 292 years; `0` needs no unit.
fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    } else if rest.is_empty() {
        return None;
    }
    let mut nanoseconds = 0_u128;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (unit, after) = UNITS
            .iter()
            .find_map(|(name, size)| Some((*size, after.strip_prefix(name)?)))?;
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        nanoseconds = nanoseconds.checked_add(whole.checked_mul(unit)?)?;
        nanoseconds = nanoseconds.checked_add(part(fraction, unit)?)?;
        rest = after;
    }
    let nanoseconds = u64::try_from(nanoseconds).ok()?;
    i64::try_from(nanoseconds).ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// The decimals after the point, of a unit; digits below a nanosecond of the largest unit do not count.
fn part(fraction: &str, unit: u128) -> Option<u128> {
    let fraction = fraction.get(..fraction.len().min(18))?;
    let places = u32::try_from(fraction.len()).ok()?;
    let number: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    number
        .checked_mul(unit)?
        .checked_div(10_u128.checked_pow(places)?)
}

/// In nanoseconds; `ms` before `m`, so that the longer name is found first.
const UNITS: [(&str, u128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn texts() {
        for (text, want) in [
            ("0", Some(Duration::ZERO)),
            ("0s", Some(Duration::ZERO)),
            ("5s", Some(Duration::from_secs(5))),
            ("100ms", Some(Duration::from_millis(100))),
            ("1h30m", Some(Duration::from_secs(5400))),
            ("1.5s", Some(Duration::from_millis(1500))),
            (".5s", Some(Duration::from_millis(500))),
            ("1.0000000000000000000000001s", Some(Duration::from_secs(1))),
            ("-5s", None),
            ("5", None),
            ("s", None),
            (".s", None),
            ("", None),
            ("5 s", None),
            ("2562048h", None),
            ("99999999999999999999999999999999999999999h", None),
        ] {
            assert_eq!(parse(text), want, "{text}");
        }
    }
}
