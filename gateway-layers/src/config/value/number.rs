use std::{borrow::Cow, fmt::Display, num::NonZeroU32, str::FromStr};

use serde_json::{Value as Json, json};

use super::{Value, Wrong};

impl Value for bool {
    const BARE: Self = true;

    fn wanted() -> Cow<'static, str> {
        "true or false".into()
    }

    fn schema() -> Json {
        json!({"type": "boolean"})
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        match (text, text.to_ascii_lowercase().as_str()) {
            ("true", _) => Ok(true),
            ("false", _) => Ok(false),
            (_, "true" | "yes" | "on" | "1" | "y") => Err(Wrong::meant("true".to_owned())),
            (_, "false" | "no" | "off" | "0" | "n") => Err(Wrong::meant("false".to_owned())),
            _ => Err(Wrong::default()),
        }
    }
}

macro_rules! whole_number {
    ($($type:ty: $wanted:expr;)*) => { $(
        impl Value for $type {
            const BARE: bool = true;

            fn wanted() -> Cow<'static, str> {
                $wanted.into()
            }

            fn schema() -> Json {
                let least: u8 = if Self::try_from(0).is_ok() { 0 } else { 1 };
                json!({"type": "integer", "minimum": least, "description": $wanted})
            }

            fn parse(text: &str) -> Result<Self, Wrong> {
                whole_number(text)
            }
        }
    )* };
}

whole_number! {
    u16: "a whole number up to 65535";
    u32: "a whole number";
    u64: "a whole number";
    usize: "a whole number";
    NonZeroU32: "a whole number of at least 1";
}

/// Digits only. A leading zero is refused, because older YAML reads it as octal.
pub(in crate::config) fn whole_number<T: FromStr + Display>(text: &str) -> Result<T, Wrong> {
    let digits: String = text.chars().filter(|c| !matches!(c, '_' | ',' | '\'' | ' ' | '+')).collect();
    let plain = match digits.trim_start_matches('0') {
        "" if !digits.is_empty() => "0",
        plain => plain,
    };
    match plain.parse::<T>() {
        Ok(number) if plain == text => Ok(number),
        Ok(number) => Err(Wrong::meant(number.to_string())),
        Err(_) if text.len() > 4 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(Wrong::because("it is too large"))
        }
        Err(_) => Err(Wrong::default()),
    }
}

impl Value for f64 {
    const BARE: bool = true;

    fn wanted() -> Cow<'static, str> {
        "a number such as 0.5".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        if let Some(Ok(percent)) = text.strip_suffix('%').map(str::parse::<Self>) {
            return Err(Wrong::meant((percent / 100.0).to_string()));
        }
        text.parse().ok().filter(|number: &Self| number.is_finite()).ok_or_else(Wrong::default)
    }
}
