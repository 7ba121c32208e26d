//! Fields of JSON, named by a path such as `address.city`.

use std::fmt;

use serde_json::Value;

/// The keys on the way to a field. A key that holds a dot cannot be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field(Vec<String>);

impl Field {
    /// Reads `address.city`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let keys: Vec<String> = text.split('.').map(str::to_owned).collect();
        if keys.iter().any(String::is_empty) {
            return Err(format!("`{text}`: expected keys with dots between them, such as address.city"));
        }
        Ok(Self(keys))
    }

    /// The keys, at least one.
    pub(super) fn keys(&self) -> &[String] {
        &self.0
    }

    /// The field itself: through objects by key, through lists by number.
    pub(super) fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, key| match value {
            Value::Object(map) => map.get(key),
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The same, taken out of what surrounds it.
    pub(super) fn take(&self, value: Value) -> Option<Value> {
        self.0.iter().try_fold(value, |value, key| match value {
            Value::Object(mut map) => map.remove(key),
            Value::Array(mut items) => {
                let index = key.parse::<usize>().ok().filter(|&index| index < items.len())?;
                Some(items.swap_remove(index))
            }
            _ => None,
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}
