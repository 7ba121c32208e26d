//! What the client's request gives for the targets of branches.

use std::borrow::Cow;

use gateway_core::{Facts, facts::Principal};
use http::request::Parts;

use super::{
    path::Pattern,
    template::{Found, Source},
};

/// The values of one request.
pub(super) struct Given<'a> {
    pattern: Option<&'a Pattern>,
    head: &'a Parts,
}

impl<'a> Given<'a> {
    pub(super) fn new(pattern: Option<&'a Pattern>, head: &'a Parts) -> Self {
        Self { pattern, head }
    }

    /// What is there for a source that is no field of a branch.
    pub(super) fn find(&self, source: &Source) -> Found<'a> {
        let principal = || Facts::get(&self.head.extensions).and_then(Facts::principal);
        match source {
            Source::Parameter(name) => {
                let found = self.pattern.and_then(|pattern| pattern.parameter(self.head.uri.path(), name));
                found.map_or(Found::Nothing, |text| Found::Value(decode(text, false).into()))
            }
            Source::Query(name) => parameter(self.head.uri.query().unwrap_or_default(), name),
            Source::PrincipalId => text(principal().map(Principal::id)),
            Source::PrincipalTenant => text(principal().and_then(Principal::tenant)),
            Source::Field(..) => Found::Nothing,
        }
    }
}

/// The value of a query's parameter, as forms are encoded.
fn parameter<'a>(query: &str, name: &str) -> Found<'a> {
    let mut values = query.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key, true) == name.as_bytes()).then_some(value)
    });
    match (values.next(), values.next()) {
        (None, _) => Found::Nothing,
        (Some(value), None) => Found::Value(decode(value, true).into()),
        (Some(_), Some(_)) => Found::Twice,
    }
}

/// Without percent-encoding. What is no escape stays as it is.
pub(super) fn decode(text: &str, plus_is_space: bool) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let escaped = after.get(..2).and_then(|digits| {
            let digits = str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            u8::from_str_radix(digits, 16).ok()
        });
        rest = after;
        match (byte, escaped) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                rest = &after[2..];
            }
            (b'+', _) if plus_is_space => decoded.push(b' '),
            (&byte, _) => decoded.push(byte),
        }
    }
    decoded
}

fn text(text: Option<&str>) -> Found<'_> {
    text.map_or(Found::Nothing, |text| Found::Value(Cow::Borrowed(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_read_as_forms_are_and_counts_once() {
        for (query, found) in [
            ("", None),
            ("a=1", Some("")),
            ("x=1", None),
            ("page=2", Some("2")),
            ("a=1&p%61ge=a+b%26%zz", Some("a b&%zz")),
            ("page", Some("")),
        ] {
            let name = if found == Some("") && query.starts_with('a') { "b" } else { "page" };
            match parameter(query, name) {
                Found::Value(value) => assert_eq!(Some(&*value), found.map(str::as_bytes), "{query}"),
                Found::Nothing => assert!(name == "b" || found.is_none(), "{query}"),
                Found::Twice => panic!("{query}"),
            }
        }
        assert!(matches!(parameter("page=1&page=1", "page"), Found::Twice));
        assert_eq!(decode("%+1%c3%A4%", false), b"%+1\xc3\xa4%");
    }
}
