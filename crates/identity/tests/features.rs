//! The optional features: text in serde's formats, valid values from `arbitrary`.

#![cfg(any(feature = "serde", feature = "arbitrary"))]

use meshtls_identity::{PrincipalPattern, ServiceAccountId, SpiffeId, TrustDomain};

#[cfg(feature = "serde")]
mod serde {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fmt::Debug;

    use ::serde::{Serialize, de::DeserializeOwned};

    use super::*;

    #[test]
    fn strings_go_through_the_parser() {
        round_trip::<TrustDomain>("\"td\"");
        round_trip::<SpiffeId>("\"spiffe://td/a\"");
        round_trip::<ServiceAccountId>("\"td/ns/n/sa/s\"");
        round_trip::<PrincipalPattern>("\"td/*\"");
    }

    #[test]
    fn defects_are_named() {
        refused::<TrustDomain>("\"Td\"", "byte 0x54 at offset 0 is not allowed");
        refused::<SpiffeId>("\"spiffe://td/a/\"", "the path ends in a slash");
        refused::<ServiceAccountId>(
            "\"td//\"",
            "not a SPIFFE ID: the path segment at offset 12 is empty",
        );
        refused::<ServiceAccountId>(
            "\"td/a\"",
            "the path is not `/ns/<namespace>/sa/<service account>`",
        );
        refused::<PrincipalPattern>("\"\"", "the principal pattern is empty");
        refused::<SpiffeId>("7", "invalid type: integer `7`, expected a string");
    }

    fn round_trip<T: DeserializeOwned + Serialize + Debug>(json: &str) {
        let value: T = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap(), json);
    }

    fn refused<T: DeserializeOwned + Debug>(json: &str, want: &str) {
        let error = serde_json::from_str::<T>(json).unwrap_err().to_string();
        assert!(error.starts_with(want), "{error}");
    }
}

#[cfg(feature = "arbitrary")]
mod arbitrary {
    use ::arbitrary::{Arbitrary, Unstructured};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_are_valid(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            let mut u = Unstructured::new(&bytes);
            let domain = TrustDomain::arbitrary(&mut u).unwrap();
            prop_assert_eq!(domain.as_str().parse(), Ok(domain));
            let id = SpiffeId::arbitrary(&mut u).unwrap();
            prop_assert_eq!(id.as_str().parse(), Ok(id));
            let account = ServiceAccountId::arbitrary(&mut u).unwrap();
            prop_assert_eq!(account.to_string().parse(), Ok(account));
            if let Ok(pattern) = PrincipalPattern::arbitrary(&mut u) {
                prop_assert_eq!(pattern.as_str().parse(), Ok(pattern));
            }
        }
    }
}
