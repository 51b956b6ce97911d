//! Structs of nothing but lists of text, each with its name in a policy and what it looks at.

/// Declares such a struct. A line is: field, method that adds values, name in a policy, attribute, sense.
macro_rules! text_lists {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            $($(#[$about:meta])* $field:ident, $with:ident, $text:literal, $attribute:ident, $sense:ident;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Eq, PartialEq, serde::Serialize)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$about])* #[serde(rename = $text, skip_serializing_if = "Vec::is_empty")] pub $field: Vec<String>,)*
        }

        impl $name {
            /// The names of the fields in a policy.
            pub(crate) const FIELDS: &'static [&'static str] = &[$($text),*];

            $(
                #[doc = concat!("Adds `", $text, "`.")]
                #[must_use]
                pub fn $with<T: Into<String>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
                    self.$field.extend(values.into_iter().map(Into::into));
                    self
                }
            )*

            /// Whether every list is empty, so that everything matches.
            pub fn is_empty(&self) -> bool {
                self.lists().all(|list| list.values.is_empty())
            }

            /// The lists, in the order of Istio's API.
            pub(crate) fn lists(&self) -> impl Iterator<Item = $crate::authorization::lists::List<'_>> {
                use $crate::authorization::attribute::{Attribute, Sense};
                [$($crate::authorization::lists::List {
                    name: $text,
                    attribute: Attribute::$attribute,
                    sense: Sense::$sense,
                    values: &self.$field,
                }),*].into_iter()
            }

            /// The same, to be filled.
            pub(crate) fn lists_mut(
                &mut self,
            ) -> impl Iterator<Item = (&'static str, $crate::authorization::attribute::Attribute, &mut Vec<String>)> {
                use $crate::authorization::attribute::Attribute;
                [$(($text, Attribute::$attribute, &mut self.$field)),*].into_iter()
            }
        }
    };
}

pub(crate) use text_lists;

use super::attribute::{Attribute, Sense};

/// One list of values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<'a> {
    pub(crate) name: &'static str,
    pub(crate) attribute: Attribute,
    pub(crate) sense: Sense,
    pub(crate) values: &'a [String],
}
