//! JSON objects in which every name stands once, at every depth. Parsers differ in which of two equal names they
//! take; whoever is checked by one and served by the other is let in as somebody else (RFC 7515, 4; RFC 7519, 4).

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// The object that these bytes are, and nothing behind it.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, &'static str> {
    match serde_json::from_slice(bytes) {
        Ok(Unique(Value::Object(map))) => Ok(map),
        Ok(_) => Err("it is no JSON object"),
        Err(error) if error.to_string().starts_with(TWICE) => Err("a name is in it twice"),
        Err(_) => Err("it is no JSON"),
    }
}

const TWICE: &str = "a name twice";

struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading).map(Self)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, Unique(value))) = entries.next_entry::<String, _>()? {
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_once_whatever_its_spelling() {
        assert_eq!(object(br#"{"a":1,"b":[{"a":null}],"c":-1.5}"#).unwrap().len(), 3);
        for (text, why) in [
            (&br#"{"a":1,"a":1}"#[..], "a name is in it twice"),
            (br#"{"a":1,"\u0061":2}"#, "a name is in it twice"),
            (br#"{"x":[{"b":1,"b":2}]}"#, "a name is in it twice"),
            (b"[1]", "it is no JSON object"),
            (b"{} {}", "it is no JSON"),
            (b"{\"a\":1,}", "it is no JSON"),
            (b"\xef\xbb\xbf{}", "it is no JSON"),
            (b"{\"a\":\"\xff\"}", "it is no JSON"),
            (b"", "it is no JSON"),
        ] {
            assert_eq!(object(text), Err(why), "{}", String::from_utf8_lossy(text));
        }
        let deep = [b"{\"a\":".repeat(2_000), b"1".to_vec(), b"}".repeat(2_000)].concat();
        assert_eq!(object(&deep), Err("it is no JSON"), "the depth has an end");
    }
}
