//! Positional MessagePack: a struct is an array of its fields in order.
//!
//! Fields are only ever appended, under `since later`, where an absent element takes the default. A reader skips the
//! elements it does not know. So old and new read each other. (`serde`'s derive would refuse longer arrays.)

use std::marker::PhantomData;

use serde::de::{self, Deserialize, IgnoredAny, SeqAccess};
use serde::{Deserializer, Serialize};

use crate::limits;

/// Why bytes are not the expected value.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// Not MessagePack, or not of the expected shape.
    #[error("{0}")]
    Shape(#[from] rmp_serde::decode::Error),
    /// Bytes follow the value.
    #[error("bytes follow the value")]
    Trailing,
}

/// Reads one value that fills `bytes`.
///
/// # Errors
/// When the bytes are not the value, or not that alone.
pub fn decode_value<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, ValueError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    // Its counter has to stay above zero.
    deserializer.set_max_depth(limits::DEPTH_MAX + 1);
    let value = T::deserialize(&mut deserializer)?;
    // A number, because reading one looks at a single marker: inside a truncated array the end of the bytes would look
    // the same as the end after the value.
    match (&mut deserializer).deserialize_u8(IgnoredAny) {
        Err(rmp_serde::decode::Error::InvalidMarkerRead(error))
            if error.kind() == std::io::ErrorKind::UnexpectedEof =>
        {
            Ok(value)
        }
        _ => Err(ValueError::Trailing),
    }
}

/// Appends a value's bytes to `out`.
///
/// # Panics
/// Never for this crate's types: they hold nothing MessagePack cannot carry.
pub fn encode_value<T: Serialize>(out: &mut Vec<u8>, value: &T) {
    value
        .serialize(&mut rmp_serde::Serializer::new(out))
        .expect("a positional struct serialises into memory without failing");
}

/// Reads what the visitor expects of an array. Asked for a sequence, `rmp-serde` would take binary for an array of small
/// numbers as well.
#[doc(hidden)]
pub fn array_only<'de, D, V>(deserializer: D, visitor: V) -> Result<V::Value, D::Error>
where
    D: Deserializer<'de>,
    V: de::Visitor<'de>,
{
    deserializer.deserialize_any(visitor)
}

/// Text as it travels. Asked for a `String`, `rmp-serde` would take binary as well.
///
/// A field declared `String as Text` is read as this.
#[doc(hidden)]
#[derive(Debug)]
pub struct Text(String);

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StrOnly;
        impl de::Visitor<'_> for StrOnly {
            type Value = Text;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Text, E> {
                Ok(Text(text))
            }
        }
        deserializer.deserialize_str(StrOnly)
    }
}

/// Numbers as they travel. Asked for a `Vec`, `rmp-serde` would take binary for an array of small numbers as well, and
/// memory for as many as are announced.
///
/// A field declared `Vec<T> as List<T>` is read as this.
#[derive(Debug)]
pub(crate) struct List<T>(Vec<T>);

impl<T> From<List<T>> for Vec<T> {
    fn from(list: List<T>) -> Self {
        list.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Elements<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<List<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = elements.next_element()? {
                    list.push(element);
                }
                Ok(List(list))
            }
        }
        array_only(deserializer, Elements(PhantomData))
    }
}

/// What a field is read as: its type, unless another is named.
#[doc(hidden)]
#[macro_export]
macro_rules! read_as {
    ($type:ty) => {
        $type
    };
    ($type:ty, $wire:ty) => {
        $wire
    };
}

/// Consumes what a newer writer appended.
pub fn skip_newer_fields<'de, A: SeqAccess<'de>>(mut fields: A) -> Result<(), A::Error> {
    while fields.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Declares a struct that travels or is stored as an array of its fields.
#[macro_export]
macro_rules! positional {
    (
        $(#[$doc:meta])*
        $visibility:vis struct $name:ident {
            $( $(#[$field_doc:meta])* pub $field:ident: $type:ty $(as $wire:ty)?, )*
            $( since later: $( $(#[$later_doc:meta])* pub $later:ident: $later_type:ty, )* )?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, ::serde::Serialize)]
        $visibility struct $name {
            $( $(#[$field_doc])* pub $field: $type, )*
            $($( $(#[$later_doc])* pub $later: $later_type, )*)?
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;
                impl<'de> ::serde::de::Visitor<'de> for Fields {
                    type Value = $name;

                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str(concat!("the fields of ", stringify!($name)))
                    }

                    fn visit_seq<A: ::serde::de::SeqAccess<'de>>(self, mut fields: A) -> Result<$name, A::Error> {
                        let value = $name {
                            $( $field: fields
                                .next_element::<$crate::read_as!($type $(, $wire)?)>()?
                                .ok_or_else(|| <A::Error as ::serde::de::Error>::missing_field(stringify!($field)))?
                                .into(), )*
                            $($( $later: fields.next_element()?.unwrap_or_default(), )*)?
                        };
                        $crate::skip_newer_fields(fields)?;
                        Ok(value)
                    }
                }
                $crate::array_only(deserializer, Fields)
            }
        }
    };
}
