use std::fmt;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
};

/// Where a request carries its token.
///
/// There is no place for tokens in a query: queries end up in logs, histories and `Referer` (RFC 6750, 5.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TokenPlace {
    /// `Authorization: Bearer TOKEN` (RFC 6750, 2.1). The default.
    #[default]
    Bearer,
    /// A header with the token as its whole value.
    Header(HeaderName),
    /// A cookie. Browsers send it by themselves, so what changes something needs a protection against forged
    /// requests of its own.
    Cookie(String),
}

/// What is there.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    /// More than one: two servers might each take another.
    Several,
    Token(Carried),
}

/// A token in its header value, which is shared and not copied.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    value: HeaderValue,
    start: usize,
    end: usize,
}

impl Carried {
    /// The token; empty if it is no text, which is no token either.
    pub(super) fn as_str(&self) -> &str {
        let bytes = self.value.as_bytes().get(self.start..self.end);
        bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl TokenPlace {
    pub(super) fn find(&self, headers: &HeaderMap) -> Found {
        let name = self.header();
        let mut values = headers.get_all(name).iter();
        let Some(first) = values.next() else { return Found::Nothing };
        match self {
            Self::Cookie(name) => {
                let mut cookies = headers.get_all(COOKIE).iter().flat_map(|value| cookies(value, name));
                match (cookies.next(), cookies.next()) {
                    (None, _) => Found::Nothing,
                    (Some(cookie), None) => Found::Token(cookie),
                    (Some(_), Some(_)) => Found::Several,
                }
            }
            _ if values.next().is_some() => Found::Several,
            Self::Bearer => bearer(first),
            Self::Header(_) => {
                Found::Token(Carried { value: first.clone(), start: 0, end: first.as_bytes().len() })
            }
        }
    }

    /// Takes the token away, so that the upstream does not get it.
    pub(super) fn remove_from(&self, headers: &mut HeaderMap) {
        let Self::Cookie(name) = self else {
            headers.remove(self.header());
            return;
        };
        let old: Vec<HeaderValue> = headers.get_all(COOKIE).iter().cloned().collect();
        headers.remove(COOKIE);
        for value in old {
            let kept = value.as_bytes().split(|&byte| byte == b';').filter(|pair| !is_named(pair, name));
            let kept: Vec<&[u8]> = kept.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()).collect();
            // Parts of a header value are one, too.
            if let (false, Ok(value)) = (kept.is_empty(), HeaderValue::from_bytes(&kept.join(&b"; "[..]))) {
                headers.append(COOKIE, value);
            }
        }
    }

    /// Keeps the token out of what others print of these headers.
    pub(super) fn hide(&self, headers: &mut HeaderMap) {
        let name = self.header();
        if headers.contains_key(name) {
            headers
                .iter_mut()
                .filter(|(other, _)| *other == name)
                .for_each(|(_, value)| value.set_sensitive(true));
        }
    }

    fn header(&self) -> &HeaderName {
        match self {
            Self::Bearer => &AUTHORIZATION,
            Self::Header(name) => name,
            Self::Cookie(_) => &COOKIE,
        }
    }
}

impl fmt::Display for TokenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer => f.write_str("bearer"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

/// The token of `Bearer TOKEN`; the scheme's case does not matter (RFC 9110, 11.1). Other schemes are not ours.
fn bearer(value: &HeaderValue) -> Found {
    let bytes = value.as_bytes();
    let scheme = bytes.iter().position(|&byte| byte == b' ').unwrap_or(bytes.len());
    if !bytes[..scheme].eq_ignore_ascii_case(b"bearer") {
        return Found::Nothing;
    }
    let spaces = bytes[scheme..].iter().take_while(|&&byte| byte == b' ').count();
    Found::Token(Carried { value: value.clone(), start: scheme + spaces, end: bytes.len() })
}

/// The values of the cookies of this name.
fn cookies<'a>(value: &'a HeaderValue, name: &'a str) -> impl Iterator<Item = Carried> + 'a {
    let mut next = 0;
    let pairs = value.as_bytes().split(|&byte| byte == b';').map(move |pair| {
        let start = next;
        next += pair.len() + 1;
        (start, pair)
    });
    pairs.filter(move |(_, pair)| is_named(pair, name)).map(|(start, pair)| {
        let equals = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len() - 1);
        let end = start + pair.trim_ascii_end().len();
        Carried { value: value.clone(), start: (start + equals + 1).min(end), end }
    })
}

fn is_named(pair: &[u8], name: &str) -> bool {
    let equals = pair.iter().position(|&byte| byte == b'=');
    equals.is_some_and(|equals| pair[..equals].trim_ascii() == name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = list
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    fn found(place: &TokenPlace, list: &[(&'static str, &'static str)]) -> String {
        match place.find(&headers(list)) {
            Found::Nothing => "nothing".to_owned(),
            Found::Several => "several".to_owned(),
            Found::Token(token) => format!("<{}>", token.as_str()),
        }
    }

    #[test]
    fn a_token_is_found_where_it_belongs() {
        let (bearer, cookie) = (TokenPlace::Bearer, TokenPlace::Cookie("token".to_owned()));
        let header = TokenPlace::Header(HeaderName::from_static("x-token"));
        for (place, list, expected) in [
            (&bearer, &[][..], "nothing"),
            (&bearer, &[("authorization", "Bearer a.b.c")], "<a.b.c>"),
            (&bearer, &[("authorization", "bEARER  a.b.c")], "<a.b.c>"),
            (&bearer, &[("authorization", "Bearer")], "<>"),
            (&bearer, &[("authorization", "Bearer a b")], "<a b>"),
            (&bearer, &[("authorization", "Bearer\ta")], "nothing"),
            (&bearer, &[("authorization", "Basic a")], "nothing"),
            (&bearer, &[("authorization", "Bearer a"), ("authorization", "Bearer a")], "several"),
            (&header, &[("x-token", "a.b.c")], "<a.b.c>"),
            (&header, &[("x-token", "a"), ("x-token", "b")], "several"),
            (&header, &[("authorization", "Bearer a")], "nothing"),
            (&cookie, &[("cookie", "a=1; token=a.b.c; b=2")], "<a.b.c>"),
            (&cookie, &[("cookie", "token=a.b.c")], "<a.b.c>"),
            (&cookie, &[("cookie", "token=")], "<>"),
            (&cookie, &[("cookie", "token")], "nothing"),
            (&cookie, &[("cookie", "xtoken=a; token2=b")], "nothing"),
            (&cookie, &[("cookie", "token=a; token=b")], "several"),
            (&cookie, &[("cookie", "token=a"), ("cookie", "token=b")], "several"),
        ] {
            assert_eq!(found(place, list), expected, "{place} in {list:?}");
        }
    }

    #[test]
    fn only_the_token_is_taken_away() {
        let mut cookies = headers(&[("cookie", "a=1; token=x;b=2"), ("cookie", "token=y")]);
        TokenPlace::Cookie("token".to_owned()).remove_from(&mut cookies);
        assert_eq!(cookies.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }
}
