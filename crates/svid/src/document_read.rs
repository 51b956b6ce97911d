//! The JSON of a SPIFFE bundle document: what is read of it, and what an entry stands for.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use data_encoding::BASE64;
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::bundle_document::MAX_DOCUMENT_KEYS;
use crate::certificate::Certificate;
use crate::document_error::DocumentError;
use crate::jwk::PublicJwk;

/// Reads the JSON, and judges nothing.
pub(crate) fn read(text: &str) -> Result<Read, serde_json::Error> {
    serde_json::from_str(text).map(|Object(read)| read)
}

/// The document as it is read: an object, of which what is not named here is ignored.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) keys: Member<Keys>,
    pub(crate) sequence: Member<Value>,
    pub(crate) refresh_hint: Member<Value>,
}

/// One entry as it is read: an object. Whether a value is of the right type counts only once the entry does.
#[derive(Default)]
pub(crate) struct Entry {
    usage: Member<Value>,
    kty: Member<Value>,
    crv: Member<Value>,
    x: Member<Value>,
    y: Member<Value>,
    n: Member<Value>,
    e: Member<Value>,
    x5c: Member<Value>,
}

/// Reads the value of one member into its place. `Ok(false)`: the name means nothing here, and the value is still there.
trait Members<'de>: Default {
    const EXPECTED: &'static str;

    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error>;
}

impl<'de> Members<'de> for Read {
    const EXPECTED: &'static str = "a bundle document";

    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "keys" => once(&mut self.keys, map),
            "spiffe_sequence" => once(&mut self.sequence, map),
            "spiffe_refresh_hint" => once(&mut self.refresh_hint, map),
            _ => Ok(false),
        }
    }
}

impl<'de> Members<'de> for Entry {
    const EXPECTED: &'static str = "a key";

    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        let slot = match name {
            "use" => &mut self.usage,
            "kty" => &mut self.kty,
            "crv" => &mut self.crv,
            "x" => &mut self.x,
            "y" => &mut self.y,
            "n" => &mut self.n,
            "e" => &mut self.e,
            "x5c" => &mut self.x5c,
            _ => return Ok(false),
        };
        once(slot, map)
    }
}

/// Reads a member that may be there once. A `null` counts as a member that is not there.
fn once<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    member: &mut Member<T>,
    map: &mut A,
) -> Result<bool, A::Error> {
    if !matches!(member, Member::Absent) {
        return Err(A::Error::custom("a name is there twice"));
    }
    *member = map
        .next_value::<Option<T>>()?
        .map_or(Member::Null, Member::Is);
    Ok(true)
}

/// A member of an object.
#[derive(Default)]
pub(crate) enum Member<T> {
    #[default]
    Absent,
    Null,
    Is(T),
}

impl<T> Member<T> {
    pub(crate) fn value(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    fn as_ref(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }
}

/// An object. (A derived reader would take an array of values as well.)
struct Object<T>(T);

impl<'de, T: Members<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names<T>(PhantomData<T>);

        impl<'de, T: Members<'de>> Visitor<'de> for Names<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<T>, A::Error> {
                let mut object = T::default();
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    if !object.member(&name, &mut map)? {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Object(object))
            }
        }

        deserializer.deserialize_map(Names(PhantomData))
    }
}

impl Entry {
    /// The authority that this entry stands for. `None`: the entry is to be ignored.
    pub(crate) fn authority(
        &self,
        key: usize,
    ) -> Result<Option<CertificateDer<'static>>, DocumentError> {
        let kty = text(self.kty.as_ref());
        if text(self.usage.as_ref()) != Some(X509_SVID)
            || !PublicJwk::is_known(kty, text(self.crv.as_ref()))
        {
            return Ok(None);
        }
        let first = match self.x5c.as_ref() {
            None => return Ok(None),
            Some(Value::Array(certificates)) => match certificates.first() {
                None => return Ok(None),
                Some(first) => first,
            },
            Some(_) => return Err(DocumentError::Certificate { key }),
        };
        let certificate: CertificateDer<'static> = text(Some(first))
            .and_then(|text| BASE64.decode(text.as_bytes()).ok())
            .ok_or(DocumentError::Certificate { key })?
            .into();
        self.check_key(&certificate, kty, key)?;
        Ok(Some(certificate))
    }

    /// The key in the entry must be that of the certificate.
    fn check_key(
        &self,
        certificate: &CertificateDer<'_>,
        kty: Option<&str>,
        key: usize,
    ) -> Result<(), DocumentError> {
        if Certificate::read(certificate).is_none() {
            return Err(DocumentError::Malformed { key });
        }
        let other = |parameter| DocumentError::OtherKey { key, parameter };
        let certified = PublicJwk::of_certificate(certificate)
            .filter(|certified| kty == Some(certified.kty()))
            .ok_or_else(|| other("kty"))?;
        for (parameter, _) in certified.parameters() {
            let given = match parameter {
                "crv" => &self.crv,
                "x" => &self.x,
                "y" => &self.y,
                "n" => &self.n,
                _ => &self.e,
            };
            if !text(given.as_ref()).is_some_and(|given| certified.agrees(parameter, given)) {
                return Err(other(parameter));
            }
        }
        Ok(())
    }
}

/// The entries, of which no more than [`MAX_DOCUMENT_KEYS`] are kept, and how many there are.
pub(crate) struct Keys {
    pub(crate) entries: Vec<Entry>,
    pub(crate) count: usize,
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of keys")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Keys, A::Error> {
                let mut keys = Keys { entries: vec![], count: 0 };
                loop {
                    let more = if keys.count < MAX_DOCUMENT_KEYS {
                        let entry = seq.next_element::<Object<Entry>>()?;
                        let more = entry.is_some();
                        keys.entries.extend(entry.map(|Object(entry)| entry));
                        more
                    } else {
                        seq.next_element::<IgnoredAny>()?.is_some()
                    };
                    if !more {
                        return Ok(keys);
                    }
                    keys.count = keys.count.saturating_add(1);
                }
            }
        }

        deserializer.deserialize_seq(Entries)
    }
}

fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}

/// `use` of an entry for X509-SVIDs (X509-SVID section 6.1).
pub(crate) const X509_SVID: &str = "x509-svid";
