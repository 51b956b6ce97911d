//! A block of IP addresses.

use std::net::IpAddr;

/// Addresses of one family that share their first bits. The bits after them are not looked at, and may be set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct IpBlock {
    /// As if the bits of an IPv4 address were the first of 128.
    bits: u128,
    mask: u128,
    is_ipv4: bool,
}

impl IpBlock {
    /// Reads `10.1.2.3`, `10.0.0.0/8` or the same of IPv6. Zones and leading zeros are refused.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => width,
            Some(text) => {
                let shortest = text == "0" || !text.starts_with('0');
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse()
                    .ok()
                    .filter(|&length| shortest && digits && length <= width)?
            }
        };
        let mask = u128::MAX
            .checked_shr(length)
            .map_or(u128::MAX, |rest| !rest);
        let (bits, is_ipv4) = left_aligned(address);
        Some(Self { bits: bits & mask, mask, is_ipv4 })
    }

    /// Whether `address` is in the block. An IPv4 address that a socket shows as IPv6 (`::ffff:10.1.2.3`) is the IPv4 address.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let (bits, is_ipv4) = left_aligned(address.to_canonical());
        is_ipv4 == self.is_ipv4 && bits & self.mask == self.bits
    }
}

fn left_aligned(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, true),
        IpAddr::V6(address) => (address.to_bits(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::IpBlock;

    #[test]
    fn blocks_hold_what_their_first_bits_say() {
        for (block, inside, outside) in [
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("10.1.0.0/16", "10.1.255.255", "10.2.0.0"),
            ("10.1.2.3/16", "10.1.9.9", "10.2.2.3"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "ffff::1", "10.1.2.3"),
            ("10.1.2.2/31", "10.1.2.3", "10.1.2.4"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("2001:db8::1/127", "2001:db8::0", "2001:db8::2"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"),
            ("::/96", "::10.1.2.3", "::ffff:10.1.2.3"),
        ] {
            let parsed = IpBlock::parse(block).unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{inside} is in {block}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{outside} is not in {block}");
        }
    }

    #[test]
    fn other_texts_are_no_blocks() {
        for text in [
            "",
            "/",
            "10.1.2",
            "10.1.2.3/",
            "10.1.2.3/33",
            "10.1.2.3/08",
            "10.1.2.3/+8",
            "10.1.2.3/-1",
            "010.1.2.3",
            "10.1.2.3/8/8",
            "::/129",
            "fe80::1%eth0",
            "fe80::%eth0/10",
            "*",
            "localhost",
            " 10.1.2.3",
            "[::1]",
        ] {
            assert_eq!(IpBlock::parse(text), None, "{text}");
        }
    }
}
