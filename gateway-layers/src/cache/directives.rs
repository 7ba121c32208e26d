//! [`Directives`]: what `Cache-Control` says (RFC 9111, 5.2).

use std::fmt;

use http::{HeaderName, HeaderValue};

/// The directives of a request or of an answer. Unknown ones are ignored.
///
/// What cannot be understood counts as the stricter reading: an age that is no number is 0, one that is said twice in
/// two ways is 0, and a list of fields that cannot be read means the whole answer (RFC 9111, 4.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directives {
    pub(super) no_store: bool,
    pub(super) public: bool,
    pub(super) must_revalidate: bool,
    pub(super) proxy_revalidate: bool,
    pub(super) must_understand: bool,
    pub(super) only_if_cached: bool,
    pub(super) no_cache: Scope,
    pub(super) private: Scope,
    pub(super) max_age: Option<u64>,
    pub(super) s_maxage: Option<u64>,
    pub(super) min_fresh: Option<u64>,
    /// `u64::MAX` for any staleness.
    pub(super) max_stale: Option<u64>,
}

/// How much of an answer `no-cache` or `private` is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Scope {
    #[default]
    Nothing,
    Fields(Vec<HeaderName>),
    Everything,
}

impl Directives {
    /// Reads all lines of the field.
    pub(super) fn parse<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let mut all = Self::default();
        for line in lines {
            let mut rest = line.as_bytes();
            while let Some((name, value)) = next(&mut rest) {
                all.add(name, value);
            }
        }
        all
    }

    fn add(&mut self, name: &[u8], value: Option<Argument<'_>>) {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        if is("max-age") {
            stricter(&mut self.max_age, Some(seconds(value).unwrap_or(0)), |_, _| 0);
        } else if is("s-maxage") {
            stricter(&mut self.s_maxage, Some(seconds(value).unwrap_or(0)), |_, _| 0);
        } else if is("no-cache") {
            self.no_cache.add(value);
        } else if is("private") {
            self.private.add(value);
        } else if is("no-store") {
            self.no_store = true;
        } else if is("public") {
            self.public = true;
        } else if is("must-revalidate") {
            self.must_revalidate = true;
        } else if is("proxy-revalidate") {
            self.proxy_revalidate = true;
        } else if is("must-understand") {
            self.must_understand = true;
        } else if is("only-if-cached") {
            self.only_if_cached = true;
        } else if is("min-fresh") {
            stricter(&mut self.min_fresh, seconds(value), u64::max);
        } else if is("max-stale") {
            let any = value.is_none().then_some(u64::MAX);
            stricter(&mut self.max_stale, any.or_else(|| seconds(value)), u64::min);
        }
    }
}

impl Scope {
    fn add(&mut self, value: Option<Argument<'_>>) {
        let names = value.and_then(|value| {
            let text = value.text();
            let names = text.split(|&byte| byte == b',').map(|name| name.trim_ascii());
            names.map(|name| HeaderName::from_bytes(name).ok()).collect::<Option<Vec<_>>>()
        });
        match (names, &mut *self) {
            (None, scope) => *scope = Self::Everything,
            (Some(names), Self::Fields(before)) => before.extend(names),
            (Some(names), scope @ Self::Nothing) => *scope = Self::Fields(names),
            (Some(_), Self::Everything) => {}
        }
    }

    /// The fields that it is about, if it is about fields.
    pub(super) fn fields(&self) -> &[HeaderName] {
        match self {
            Self::Fields(names) => names,
            Self::Nothing | Self::Everything => &[],
        }
    }
}

impl fmt::Display for Directives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = Vec::new();
        for (is_set, word) in [
            (self.no_store, "no-store"),
            (self.public, "public"),
            (self.must_revalidate, "must-revalidate"),
            (self.proxy_revalidate, "proxy-revalidate"),
            (self.must_understand, "must-understand"),
            (self.only_if_cached, "only-if-cached"),
        ] {
            words.extend(is_set.then(|| word.to_owned()));
        }
        for (scope, word) in [(&self.no_cache, "no-cache"), (&self.private, "private")] {
            words.extend(match scope {
                Scope::Nothing => None,
                Scope::Everything => Some(word.to_owned()),
                Scope::Fields(names) => {
                    let names: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
                    Some(format!("{word}=\"{}\"", names.join(", ")))
                }
            });
        }
        for (seconds, word) in [
            (self.max_age, "max-age"),
            (self.s_maxage, "s-maxage"),
            (self.min_fresh, "min-fresh"),
            (self.max_stale, "max-stale"),
        ] {
            words.extend(seconds.map(|seconds| match seconds {
                u64::MAX => word.to_owned(),
                seconds => format!("{word}={seconds}"),
            }));
        }
        f.write_str(&words.join(", "))
    }
}

/// The argument of a directive: a token, or the inside of a quoted string with its escapes.
#[derive(Clone, Copy)]
enum Argument<'a> {
    Token(&'a [u8]),
    Quoted(&'a [u8]),
}

impl Argument<'_> {
    fn text(self) -> Vec<u8> {
        match self {
            Self::Token(token) => token.to_vec(),
            Self::Quoted(inside) => {
                let mut text = Vec::with_capacity(inside.len());
                let mut bytes = inside.iter();
                while let Some(&byte) = bytes.next() {
                    text.push(if byte == b'\\' { bytes.next().copied().unwrap_or(byte) } else { byte });
                }
                text
            }
        }
    }
}

/// The next directive, which `rest` is moved behind.
fn next<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], Option<Argument<'a>>)> {
    loop {
        *rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b",") {
            *rest = after;
            continue;
        }
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|byte| matches!(byte, b',' | b'=')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let name = name.trim_ascii_end();
        let Some(after) = after.strip_prefix(b"=") else {
            *rest = after;
            return Some((name, None));
        };
        let after = after.trim_ascii_start();
        let (argument, after) = match after.strip_prefix(b"\"") {
            Some(inside) => {
                let end = quoted_end(inside);
                (Argument::Quoted(&inside[..end]), &inside[end..])
            }
            None => {
                let end = after.iter().position(|&byte| byte == b',').unwrap_or(after.len());
                (Argument::Token(after[..end].trim_ascii_end()), &after[end..])
            }
        };
        // Whatever stands behind a quoted string belongs to nothing.
        let comma = after.iter().position(|&byte| byte == b',').unwrap_or(after.len());
        *rest = &after[comma..];
        return Some((name, Some(argument)));
    }
}

/// Where the quoted string ends; one that is never closed takes the rest.
fn quoted_end(inside: &[u8]) -> usize {
    let mut escaped = false;
    let end = inside.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(inside.len())
}

/// A number of seconds; what is larger than 2^31 means 2^31 (RFC 9111, 1.2.2).
fn seconds(value: Option<Argument<'_>>) -> Option<u64> {
    let text = match value? {
        Argument::Token(text) | Argument::Quoted(text) => text.trim_ascii(),
    };
    delta_seconds(text)
}

pub(super) fn delta_seconds(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = std::str::from_utf8(text).ok()?;
    Some(digits.parse().unwrap_or(MOST_SECONDS).min(MOST_SECONDS))
}

/// Takes the value, or what `both` makes of two that differ.
fn stricter(place: &mut Option<u64>, value: Option<u64>, both: fn(u64, u64) -> u64) {
    *place = match (*place, value) {
        (Some(one), Some(other)) if one != other => Some(both(one, other)),
        (one, other) => one.or(other),
    };
}

/// About 68 years.
const MOST_SECONDS: u64 = 1 << 31;

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    fn parse(lines: &[&str]) -> Directives {
        let lines: Vec<_> = lines.iter().map(|line| HeaderValue::from_str(line).unwrap()).collect();
        Directives::parse(&lines)
    }

    #[test]
    fn reads_what_servers_write() {
        for (lines, expected) in [
            (&["max-age=60"][..], "max-age=60"),
            (&["MAX-AGE=60 , Public"], "public, max-age=60"),
            (&["max-age=\"60\""], "max-age=60"),
            (&["max-age = 60"], "max-age=60"),
            (&["max-age=60", "no-store"], "no-store, max-age=60"),
            (&[" ,, max-age=60,"], "max-age=60"),
            (&["max-age=60, max-age=60"], "max-age=60"),
            (&["max-age=60, max-age=90"], "max-age=0"),
            (&["max-age=60", "max-age=abc"], "max-age=0"),
            (&["max-age"], "max-age=0"),
            (&["max-age=-1"], "max-age=0"),
            (&["max-age=1.5"], "max-age=0"),
            (&["max-age=99999999999999999999999"], "max-age=2147483648"),
            (&["s-maxage=5;x"], "s-maxage=0"),
            (&["private=\"Set-Cookie, x-a\""], "private=\"set-cookie, x-a\""),
            (&["private=\"x-a\", private=\"x-b\""], "private=\"x-a, x-b\""),
            (&["private=\"x-a\", private"], "private"),
            (&["no-cache=x-a"], "no-cache=\"x-a\""),
            (&["no-cache=\"\""], "no-cache"),
            (&["no-cache=\"a b\""], "no-cache"),
            (&["ext=\"no-store, private\", public"], "public"),
            (&["ext=\"a\\\", no-store\", public"], "public"),
            (&["private=\"unclosed, no-store"], "private=\"unclosed, no-store\""),
            (&["max-stale"], "max-stale"),
            (&["max-stale=10, max-stale"], "max-stale=10"),
            (&["min-fresh=5, min-fresh=9"], "min-fresh=9"),
            (&["min-fresh=x, max-stale=x"], ""),
            (&["no-storex, xno-store, =no-store"], ""),
        ] {
            assert_eq!(parse(lines).to_string(), expected, "{lines:?}");
        }
    }

    fn scope() -> impl Strategy<Value = Scope> {
        let name = "[a-z][a-z0-9-]{0,8}".prop_map(|name| HeaderName::try_from(name).unwrap());
        prop_oneof![Just(Scope::Nothing), Just(Scope::Everything), vec(name, 1..4).prop_map(Scope::Fields),]
    }

    prop_compose! {
        fn directives()(
            flags in any::<[bool; 6]>(),
            no_cache in scope(),
            private in scope(),
            max_age in option::of(0..=MOST_SECONDS),
            s_maxage in option::of(0..=MOST_SECONDS),
            min_fresh in option::of(0..=MOST_SECONDS),
            max_stale in option::of(prop_oneof![0..=MOST_SECONDS, Just(u64::MAX)]),
        ) -> Directives {
            let [no_store, public, must_revalidate, proxy_revalidate, must_understand, only_if_cached] = flags;
            Directives {
                no_store, public, must_revalidate, proxy_revalidate, must_understand, only_if_cached,
                no_cache, private, max_age, s_maxage, min_fresh, max_stale,
            }
        }
    }

    proptest! {
        #[test]
        fn never_panics(lines in vec(vec(any::<u8>(), 0..80), 0..4)) {
            let lines: Vec<_> = lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
            Directives::parse(&lines);
        }

        #[test]
        fn never_panics_on_what_looks_like_it(line in "[a-z=\",\\\\ 0-9-]{0,60}") {
            Directives::parse(&[HeaderValue::try_from(line).unwrap()]);
        }

        #[test]
        fn what_is_written_is_read(directives in directives()) {
            let text = HeaderValue::try_from(directives.to_string()).unwrap();
            prop_assert_eq!(Directives::parse(&[text]), directives);
        }
    }
}
