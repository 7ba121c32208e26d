//! One value out of a query or out of cookies.

use std::borrow::Cow;

use http::{HeaderMap, header::COOKIE};

/// The first value of a query parameter, decoded as a form is: `%C3` is a byte and `+` a space. A parameter without
/// `=` has the empty value. Allocates only for a value with escapes.
pub(super) fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, [u8]>> {
    let value = written(query, name)?;
    Some(if is_escaped(value) { decoded(value).collect() } else { value.as_bytes().into() })
}

/// Whether the first value of a query parameter is this one. Allocates nothing.
pub(super) fn parameter_is(query: &str, name: &str, expected: &[u8]) -> bool {
    written(query, name).is_some_and(|value| match is_escaped(value) {
        true => decoded(value).eq(expected.iter().copied()),
        false => value.as_bytes() == expected,
    })
}

/// The first value of a parameter as it is written.
fn written<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let is_it = |found: &str| match is_escaped(found) {
        true => decoded(found).eq(name.bytes()),
        false => found == name,
    };
    pairs.find(|(found, _)| is_it(found)).map(|(_, value)| value)
}

/// The first value of a cookie, as it was sent (RFC 6265, 5.4).
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|&byte| byte == b';'));
    let mut pairs = pairs.filter_map(|pair| {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        Some((pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii()))
    });
    pairs.find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
}

fn is_escaped(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'%' | b'+'))
}

/// The bytes of a text in a form. An escape that is none stands for itself.
fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        rest = after;
        Some(match (first, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, further @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = further;
                    high << 4 | low
                }
                _ => first,
            },
            _ => first,
        })
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| digit.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_parameter_of_a_name_counts() {
        for (query, expected) in [
            ("a=1", Some("1")),
            ("b=2&a=1&a=3", Some("1")),
            ("a", Some("")),
            ("a=", Some("")),
            ("A=1", None),
            ("aa=1&a=2", Some("2")),
            ("%61=x%20y+z", Some("x y z")),
            ("&&a=b=c", Some("b=c")),
            ("a=%zz%4", Some("%zz%4")),
            ("", None),
        ] {
            let found = parameter(query, "a");
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{query}");
            if let Some(expected) = expected {
                assert!(parameter_is(query, "a", expected.as_bytes()), "{query}");
            }
            assert!(!parameter_is(query, "a", b"other"), "{query}");
        }
    }

    #[test]
    fn a_cookie_is_found_in_every_line() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; b = 2 ;junk".parse().unwrap());
        headers.append(COOKIE, "c=3=4; a=5".parse().unwrap());
        let find = |name| cookie(&headers, name).map(|value| std::str::from_utf8(value).unwrap());
        assert_eq!(
            [find("a"), find("b"), find("c"), find("junk"), find("A")],
            [Some("1"), Some("2"), Some("3=4"), None, None]
        );
    }
}
