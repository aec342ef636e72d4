//! How the files in `protocol/vectors/` are written and read.

use std::fmt;
use std::path::PathBuf;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A value as the vectors show it. Objects keep their order, because it is the order on the wire.
#[derive(Clone, PartialEq)]
pub(crate) enum Value {
    Nil,
    Bool(bool),
    Uint(u64),
    Text(String),
    Bin(Vec<u8>),
    List(Vec<Value>),
    Fields(Vec<(String, Value)>),
}

impl Value {
    /// A payload with the names of its fields.
    pub(crate) fn of<T: Serialize>(payload: &T) -> Self {
        serde_json::from_str(&json(payload)).expect("what this file writes it reads")
    }

    pub(crate) fn fields(&self) -> &[(String, Value)] {
        match self {
            Self::Fields(fields) => fields,
            other => panic!("{other:?} has no fields"),
        }
    }

    pub(crate) fn field(&self, name: &str) -> &Value {
        let found = self.fields().iter().find(|(key, _)| key == name);
        &found.unwrap_or_else(|| panic!("no field {name} in {self:?}")).1
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }

    pub(crate) fn list(&self) -> &[Value] {
        match self {
            Self::List(list) => list,
            other => panic!("{other:?} is no list"),
        }
    }

    /// The same without names: what travels.
    pub(crate) fn unnamed(&self) -> Self {
        match self {
            Self::List(list) => Self::List(list.iter().map(Self::unnamed).collect()),
            Self::Fields(fields) => Self::List(fields.iter().map(|(_, value)| value.unnamed()).collect()),
            leaf => leaf.clone(),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Bool(value) => value.fmt(f),
            Self::Uint(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
            Self::Bin(bytes) => write!(f, "x{}", hex(bytes)),
            Self::List(list) => list.fmt(f),
            Self::Fields(fields) => {
                f.debug_map().entries(fields.iter().map(|(name, value)| (name, value))).finish()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a vector's value")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
                Ok(Value::Nil)
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
                Ok(Value::Uint(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(value) = seq.next_element()? {
                    list.push(value);
                }
                Ok(Value::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut fields: Vec<(String, Value)> = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(match &fields[..] {
                    [(name, Value::Text(text))] if name == "bin" => Value::Bin(unhex(text)),
                    [(name, Value::Text(text))] if name == "uint" => {
                        Value::Uint(text.parse().map_err(de::Error::custom)?)
                    }
                    _ => Value::Fields(fields),
                })
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A payload as one line of JSON: binary as `{"bin": hex}`, numbers that doubles cannot hold as `{"uint": decimal}`.
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    struct Readable;
    impl serde_json::ser::Formatter for Readable {
        fn write_u64<W: ?Sized + std::io::Write>(
            &mut self,
            writer: &mut W,
            value: u64,
        ) -> std::io::Result<()> {
            if value < 1 << 53 {
                write!(writer, "{value}")
            } else {
                write!(writer, r#"{{"uint": "{value}"}}"#)
            }
        }

        fn write_byte_array<W: ?Sized + std::io::Write>(
            &mut self,
            writer: &mut W,
            value: &[u8],
        ) -> std::io::Result<()> {
            write!(writer, r#"{{"bin": "{}"}}"#, hex(value))
        }

        fn begin_array_value<W: ?Sized + std::io::Write>(
            &mut self,
            writer: &mut W,
            first: bool,
        ) -> std::io::Result<()> {
            writer.write_all(if first { b"" } else { b", " })
        }

        fn begin_object_key<W: ?Sized + std::io::Write>(
            &mut self,
            writer: &mut W,
            first: bool,
        ) -> std::io::Result<()> {
            writer.write_all(if first { b"" } else { b", " })
        }

        fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
            writer.write_all(b": ")
        }
    }
    let mut out = Vec::new();
    value
        .serialize(&mut serde_json::Serializer::with_formatter(&mut out, Readable))
        .expect("payloads are JSON too");
    String::from_utf8(out).expect("JSON is UTF-8")
}

/// The text of a file: what it is about, then its entries, each a list of members that are JSON already.
pub(crate) fn file_text(about: &[&str], entries: &[Vec<(&str, String)>]) -> String {
    let about: Vec<String> = about.iter().map(|line| format!("    {}", json(line))).collect();
    let entries: Vec<String> = entries
        .iter()
        .map(|members| {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("      {}: {value}", json(name))).collect();
            format!("    {{\n{}\n    }}", members.join(",\n"))
        })
        .collect();
    format!(
        "{{\n  \"about\": [\n{}\n  ],\n  \"vectors\": [\n{}\n  ]\n}}\n",
        about.join(",\n"),
        entries.join(",\n")
    )
}

/// Holds a committed file to what the code produces, or writes it when asked to with `ROOKERY_BLESS=1`.
pub(crate) fn bless_or_compare(name: &str, produced: &str) {
    if std::env::var_os("ROOKERY_BLESS").is_some() {
        // In one step, because other tests are reading.
        let unfinished = path(&format!("{name}.unfinished"));
        std::fs::write(&unfinished, produced).expect("the vectors can be written");
        std::fs::rename(unfinished, path(name)).expect("the vectors can be replaced");
    }
    assert!(
        read(name) == produced,
        "{name} is not what the code produces; if that is right, run with ROOKERY_BLESS=1"
    );
}

/// The entries of a committed file.
pub(crate) fn entries(name: &str) -> Vec<Value> {
    entries_of(&read(name))
}

/// The entries of a file's text.
pub(crate) fn entries_of(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).expect("the vectors are JSON");
    file.field("vectors").list().to_vec()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text} has half a byte");
    let byte =
        |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap_or_else(|_| panic!("{text} is no hex"));
    (0..text.len()).step_by(2).map(byte).collect()
}

/// `MessageEvent` as the documentation and the vectors write it: `MESSAGE_EVENT`.
pub(crate) fn shouted(name: &str) -> String {
    let mut out = String::new();
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}
