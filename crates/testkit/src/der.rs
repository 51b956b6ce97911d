//! DER written by hand: hostile certificates need forms that no certificate encoder writes.

use rustls_pki_types::UnixTime;
use time::OffsetDateTime;

/// One element: tag, length, contents.
pub(crate) fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len()).expect("certificates of tests are short");
    let header: &[u8] = match length.to_be_bytes() {
        [0, low @ 0..=0x7f] => &[tag, low],
        [0, low] => &[tag, 0x81, low],
        [high, low] => &[tag, 0x82, high, low],
    };
    [header, contents].concat()
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

pub(crate) fn set(parts: &[&[u8]]) -> Vec<u8> {
    element(0x31, &parts.concat())
}

/// `[number]`, constructed: explicit, or an implicit sequence.
pub(crate) fn tagged(number: u8, contents: &[u8]) -> Vec<u8> {
    element(0xa0 | number, contents)
}

pub(crate) fn oid(contents: &[u8]) -> Vec<u8> {
    element(0x06, contents)
}

pub(crate) fn octet_string(contents: &[u8]) -> Vec<u8> {
    element(0x04, contents)
}

/// Whole bytes.
pub(crate) fn bit_string(contents: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], contents].concat())
}

pub(crate) fn utf8(text: &str) -> Vec<u8> {
    element(0x0c, text.as_bytes())
}

/// Tags of universal types (X.680 section 8.4).
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const BMP_STRING: u8 = 0x1e;

pub(crate) const NULL: &[u8] = &[0x05, 0x00];

pub(crate) const TRUE: &[u8] = &[0x01, 0x01, 0xff];

/// A non-negative number below 128.
pub(crate) fn small(number: u8) -> Vec<u8> {
    element(0x02, &[number])
}

/// `UTCTime` from 1950 to 2049, else `GeneralizedTime` (RFC 5280 section 4.1.2.5).
pub(crate) fn time(time: UnixTime) -> Vec<u8> {
    let seconds = i64::try_from(time.as_secs()).expect("times of tests are near");
    let date = OffsetDateTime::from_unix_timestamp(seconds).expect("times of tests are near");
    let (year, month) = (date.year(), u8::from(date.month()));
    let (day, hour, minute, second) = (date.day(), date.hour(), date.minute(), date.second());
    let rest = format!("{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    match year {
        1950..=2049 => element(UTC_TIME, format!("{:02}{rest}", year % 100).as_bytes()),
        _ => element(0x18, format!("{year:04}{rest}").as_bytes()),
    }
}
