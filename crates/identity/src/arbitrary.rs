//! Valid random values for fuzzers.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::{
    PrincipalPattern, ServiceAccountId, SpiffeId, TrustDomain,
    grammar::{SCHEME, is_segment_byte, is_trust_domain_byte},
};

impl<'a> Arbitrary<'a> for TrustDomain {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let name = text(u, Self::MAX_LEN, is_trust_domain_byte)?;
        Ok(Self::from_checked(if name.is_empty() { "a" } else { &name }))
    }
}

impl<'a> Arbitrary<'a> for SpiffeId {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let trust_domain = TrustDomain::arbitrary(u)?;
        let mut id = format!("{SCHEME}{trust_domain}");
        while u.arbitrary()? {
            let segment = segment(u)?;
            if id.len().saturating_add(segment.len()) >= Self::MAX_LEN {
                break;
            }
            id.push('/');
            id.push_str(&segment);
        }
        Ok(Self::from_checked(id.into(), trust_domain))
    }
}

impl<'a> Arbitrary<'a> for ServiceAccountId {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (trust_domain, namespace, account) = (u.arbitrary()?, segment(u)?, segment(u)?);
        Self::new(&trust_domain, &namespace, &account)
            .map_err(|_never| arbitrary::Error::IncorrectFormat)
    }
}

impl<'a> Arbitrary<'a> for PrincipalPattern {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let text: &str = u.arbitrary()?;
        text.parse()
            .map_err(|_empty| arbitrary::Error::IncorrectFormat)
    }
}

/// A path segment of at most 255 bytes, so that a service account's ID stays below the limit.
fn segment(u: &mut Unstructured<'_>) -> Result<String> {
    let segment = text(u, 255, is_segment_byte)?;
    Ok(if matches!(segment.as_str(), "" | "." | "..") { "s".into() } else { segment })
}

/// The allowed bytes of the next at most `max` bytes.
fn text(u: &mut Unstructured<'_>, max: usize, allowed: fn(u8) -> bool) -> Result<String> {
    let len = u.int_in_range(0..=max.min(u.len()))?;
    let bytes = u.bytes(len.min(u.len()))?;
    Ok(bytes
        .iter()
        .filter(|&&byte| allowed(byte))
        .copied()
        .map(char::from)
        .collect())
}
