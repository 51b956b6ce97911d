//! Every parsed type as a string, and back through its parser.

use std::{error::Error as StdError, fmt, marker::PhantomData, str::FromStr};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use crate::{PrincipalPattern, ServiceAccountId, SpiffeId, TrustDomain};

macro_rules! as_string {
    ($($name:ident)*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Parsed::<Self>(PhantomData))
            }
        }
    )*};
}

as_string! { TrustDomain SpiffeId ServiceAccountId PrincipalPattern }

/// Reads a string by the type's own parser.
struct Parsed<T>(PhantomData<T>);

impl<T: FromStr<Err: StdError>> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse()
            .map_err(|error: T::Err| match StdError::source(&error) {
                Some(cause) => E::custom(format_args!("{error}: {cause}")),
                None => E::custom(error),
            })
    }
}
