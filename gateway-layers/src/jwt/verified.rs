//! [`Verified`]: what a good token comes to.

use std::time::Duration;

use gateway_core::facts::Principal;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::{
    claims::{Checks, Lifetime, find},
    flaw::Flaw,
    key_set::KeySet,
    token::Token,
};

/// A token that was found good: who the caller is, what the upstream is told, and until when.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) principal: Principal,
    pub(super) lifetime: Lifetime,
    headers: Box<[(HeaderName, HeaderValue)]>,
}

impl Verified {
    /// Checks the token: its form, then its signature, then its claims.
    pub(super) fn new(
        text: &str,
        kind: Option<&str>,
        keys: &KeySet,
        checks: &Checks,
        headers: &[(HeaderName, String)],
        now: Duration,
    ) -> Result<Self, Flaw> {
        let token = Token::parse(text, kind)?;
        keys.check(&token)?;
        let claims = token.claims()?;
        let lifetime = checks.check(&claims, now)?;
        let headers =
            headers.iter().filter_map(|(name, claim)| Some((name.clone(), header(&claims, claim)?)));
        let headers = headers.collect();
        Ok(Self { principal: checks.principal(claims)?, lifetime, headers })
    }

    /// Tells the upstream.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
    }
}

/// A claim as a header's value: a text, a number, true or false, or a list of texts with commas between. What could
/// be read in another way than it was meant is none.
fn header(claims: &Map<String, Value>, name: &str) -> Option<HeaderValue> {
    let text = match find(claims, name)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Array(list) => {
            let texts: Vec<&str> = list.iter().map(Value::as_str).collect::<Option<_>>()?;
            let is_plain = |text: &&str| !text.is_empty() && text.trim() == *text && !text.contains(',');
            if !texts.iter().all(is_plain) {
                return None;
            }
            texts.join(",")
        }
        _ => return None,
    };
    // White space at the ends does not survive the way.
    let is_plain =
        !text.is_empty() && text.trim() == text && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    is_plain.then(|| HeaderValue::try_from(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_reads_as_it_was_meant_becomes_a_header() {
        let claims = serde_json::json!({
            "text": "ada", "number": 7, "yes": true, "list": ["a", "b c"], "deep": {"er": ["x"]},
            "dotted.name": "d", "null": null, "map": {}, "empty": "", "spaced": " a", "lines": "a\r\nx-admin: 1",
            "unicode": "é", "commas": ["a,b"], "mixed": ["a", 1], "none": [], "gap": [""],
        });
        let claims = claims.as_object().unwrap();
        for (name, expected) in [
            ("text", Some("ada")),
            ("number", Some("7")),
            ("yes", Some("true")),
            ("list", Some("a,b c")),
            ("deep.er", Some("x")),
            ("dotted.name", Some("d")),
            ("null", None),
            ("map", None),
            ("empty", None),
            ("spaced", None),
            ("lines", None),
            ("unicode", None),
            ("commas", None),
            ("mixed", None),
            ("none", None),
            ("gap", None),
            ("absent", None),
            ("text.more", None),
        ] {
            assert_eq!(
                header(claims, name).as_ref().map(|value| value.to_str().unwrap()),
                expected,
                "{name}"
            );
        }
    }
}
