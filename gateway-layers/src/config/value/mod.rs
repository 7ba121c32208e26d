mod json;
mod number;
mod unit;
mod web;

use std::{
    borrow::Cow,
    fmt::{self, Display},
};

use gateway_core::Mode;
use serde_json::{Value as Json, json};

use super::{item::Item, suggest};

pub(super) use number::whole_number;
pub(crate) use unit::ByteSize;

/// A type that one text of the document, or a list of texts, can be read as.
///
/// A text is read by the type that is wanted and has none of its own: `version: 1.10` is `1.10` for a `String`,
/// and `no` is `no`.
pub(crate) trait Value: Sized {
    /// What is wanted, with an example, so that `expected {wanted}, found ...` is a sentence.
    fn wanted() -> Cow<'static, str>;

    /// The value, or why the text is none.
    fn parse(text: &str) -> Result<Self, Wrong>;

    /// The JSON Schema of such a value as it stands in the document.
    fn schema() -> Json {
        // A text may look like a number or a word of YAML.
        let mut schema = json!({"type": ["string", "number", "boolean"]});
        if Self::BARE {
            schema = json!({"type": "number"});
        }
        schema["description"] = Self::wanted().into();
        schema
    }

    /// Whether a quoted text is refused: `"10"` is a text and no number.
    const BARE: bool = false;

    /// Whether messages must not repeat this text.
    fn is_secret(_text: &str) -> bool {
        false
    }

    /// The value of an item, or nothing and a problem.
    fn read(item: &Item<'_>) -> Option<Self> {
        item.scalar()
    }
}

/// Why a text is not the value that was wanted. Neither part is shown where the text may be secret.
#[derive(Debug, Default)]
pub(crate) struct Wrong {
    pub(crate) reason: Option<String>,
    pub(crate) suggestion: Option<String>,
}

impl Wrong {
    /// Not the wanted value, for this reason.
    pub(crate) fn because(reason: impl Display) -> Self {
        Self { reason: Some(reason.to_string()), suggestion: None }
    }

    /// Not the wanted value, but perhaps this was meant.
    pub(crate) fn meant(suggestion: impl Into<Option<String>>) -> Self {
        Self { reason: None, suggestion: suggestion.into() }
    }
}

/// A value that is one of a few words. Every such type is a [`Value`]: a wrong word is told which are allowed.
pub(crate) trait Words: Copy + 'static {
    /// The words with their values, the usual one first.
    const WORDS: &'static [(&'static str, Self)];
}

impl<T: Words> Value for T {
    fn wanted() -> Cow<'static, str> {
        let words: Vec<_> = T::WORDS.iter().map(|&(word, _)| word).collect();
        match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")).into(),
            _ => words.concat().into(),
        }
    }

    fn schema() -> Json {
        let words: Vec<_> = T::WORDS.iter().map(|&(word, _)| word).collect();
        json!({"enum": words})
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let known = T::WORDS.iter().find(|&&(word, _)| word == text);
        let meant = || suggest::nearest(text, T::WORDS.iter().map(|&(word, _)| word)).map(str::to_owned);
        known.map(|&(_, value)| value).ok_or_else(|| Wrong::meant(meant()))
    }
}

impl Words for Mode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("enforce", Self::Enforce), ("audit", Self::Audit), ("off", Self::Off)];
}

/// A list; one text without a list around it is a list of one.
impl<T: Value> Value for Vec<T> {
    const BARE: bool = T::BARE;

    fn is_secret(text: &str) -> bool {
        T::is_secret(text)
    }

    fn wanted() -> Cow<'static, str> {
        format!("{}, or a list of them", T::wanted()).into()
    }

    fn schema() -> Json {
        json!({"anyOf": [T::schema(), {"type": "array", "items": T::schema()}]})
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        T::parse(text).map(|value| vec![value])
    }

    fn read(item: &Item<'_>) -> Option<Self> {
        if !item.is_list() {
            return item.scalar();
        }
        // Every item is read, so that every problem is told.
        let values: Vec<Option<T>> = item.items().iter().map(Item::value).collect();
        values.into_iter().collect()
    }
}

impl Value for String {
    fn wanted() -> Cow<'static, str> {
        "a text".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        Ok(text.to_owned())
    }
}

/// A text that no message, log line or `Debug` output shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The text itself; the name makes its uses easy to find.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Value for Secret {
    fn is_secret(_text: &str) -> bool {
        true
    }

    fn wanted() -> Cow<'static, str> {
        "a secret text".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        Ok(Self(text.to_owned()))
    }
}
