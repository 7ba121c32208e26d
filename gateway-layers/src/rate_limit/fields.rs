//! What answers say about limits: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), or
//! the three older fields.

use std::fmt::Write;

use gateway_core::Stamp;
use http::{HeaderName, HeaderValue};

use super::{Left, Limit, ticks::Ticks};

/// Which fields tell clients about their limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fields {
    /// None but `Retry-After` on refusals. The default: a passing request then costs no allocation, and how much is
    /// left is not everybody's business.
    #[default]
    None,
    /// `RateLimit-Policy: "burst";q=10;w=1, "daily";q=10000;w=86400` with all limits, and `RateLimit: "burst";r=7;t=1`
    /// with the tightest. `r` is how many requests would pass now, `t` in how many seconds there are more; `w` is left
    /// out where a period is no whole number of seconds. A key is never told (there is no `pk`).
    Draft10,
    /// `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` (in seconds from now) of the tightest
    /// limit.
    Legacy,
}

/// The fields of one list of limits.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    fields: Fields,
    policy: HeaderValue,
}

impl Writer {
    pub(super) fn new<'a>(fields: Fields, limits: impl IntoIterator<Item = &'a Limit>) -> Self {
        let mut policy = String::new();
        for limit in limits {
            if !policy.is_empty() {
                policy.push_str(", ");
            }
            quote(&limit.name, &mut policy);
            let period = limit.quota.period();
            text(&mut policy, format_args!(";q={}", limit.quota.requests()));
            if period.subsec_nanos() == 0 && period.as_secs() > 0 {
                text(&mut policy, format_args!(";w={}", period.as_secs()));
            }
        }
        Self { fields, policy: value(policy) }
    }

    /// Whether somebody wants to know what is left.
    pub(super) fn wants_left(&self) -> bool {
        self.fields != Fields::None
    }

    /// Says what the tightest limit leaves.
    pub(super) fn write(&self, tightest: &Limit, left: Left, stamp: &mut Stamp) {
        let more_in = Ticks::NANOS.span(left.more_in);
        // Rounded up, as Retry-After is: who comes back then is not too early.
        let seconds = more_in.as_secs() + u64::from(more_in.subsec_nanos() > 0);
        match self.fields {
            Fields::None => {}
            Fields::Draft10 => {
                let mut limit = String::with_capacity(tightest.name.len() + 24);
                quote(&tightest.name, &mut limit);
                text(&mut limit, format_args!(";r={};t={seconds}", left.requests));
                stamp.set(POLICY, self.policy.clone());
                stamp.set(LIMIT, value(limit));
            }
            Fields::Legacy => {
                stamp.set(LEGACY_LIMIT, tightest.quota.requests().into());
                stamp.set(LEGACY_REMAINING, left.requests.into());
                stamp.set(LEGACY_RESET, seconds.into());
            }
        }
    }
}

/// A structured field's string (RFC 9651, section 3.3.3), which holds printable ASCII only.
fn quote(name: &str, out: &mut String) {
    out.push('"');
    for c in name.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => out.push('_'),
        }
    }
    out.push('"');
}

fn text(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes every text");
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("printable ASCII is a header value")
}

const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEGACY_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const LEGACY_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const LEGACY_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;
    use proptest::prelude::*;

    use super::*;
    use crate::rate_limit::Quota;

    fn written(fields: Fields, limits: &[Limit], tightest: usize, left: Left) -> HeaderMap {
        let mut stamp = Stamp::default();
        Writer::new(fields, limits).write(&limits[tightest], left, &mut stamp);
        let mut headers = HeaderMap::new();
        stamp.apply(&mut headers);
        headers
    }

    #[test]
    fn all_policies_and_the_tightest_limit_are_told() {
        let limits = [
            Limit::new("burst", Quota::per(10, Duration::from_millis(1_500))),
            Limit::new("daily", Quota::per(10_000, Duration::from_secs(86_400))),
        ];
        let left = Left { requests: 7, more_in: 1_000_000_001 };
        let headers = written(Fields::Draft10, &limits, 1, left);
        assert_eq!(headers["ratelimit-policy"], r#""burst";q=10, "daily";q=10000;w=86400"#);
        assert_eq!(headers["ratelimit"], r#""daily";r=7;t=2"#);
        let headers = written(Fields::Legacy, &limits, 0, left);
        let values =
            ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"].map(|name| &headers[name]);
        assert_eq!(values, ["10", "7", "2"]);
        assert!(written(Fields::None, &limits, 0, left).is_empty());
    }

    /// A list of strings with integer parameters, by the grammar of RFC 9651 and no more.
    fn parse(field: &HeaderValue) -> Vec<(String, Vec<(String, u64)>)> {
        let text = field.to_str().unwrap();
        let (mut rest, mut items) = (text, Vec::new());
        loop {
            rest = rest.strip_prefix('"').expect("a string begins");
            let mut name = String::new();
            loop {
                let c = rest.chars().next().expect("a string ends");
                rest = &rest[1..];
                match c {
                    '"' => break,
                    '\\' => {
                        let escaped = rest.chars().next().expect("something is escaped");
                        assert!(matches!(escaped, '"' | '\\'));
                        name.push(escaped);
                        rest = &rest[1..];
                    }
                    ' '..='~' => name.push(c),
                    c => panic!("{c:?} in {text}"),
                }
            }
            let mut parameters = Vec::new();
            while let Some(parameter) = rest.strip_prefix(';') {
                let (key, after) = parameter.split_once('=').expect("a parameter has a value");
                assert!(key.chars().all(|c| c.is_ascii_lowercase()));
                let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
                assert!((1..=15).contains(&digits), "an integer has up to 15 digits: {text}");
                parameters.push((key.to_owned(), after[..digits].parse().unwrap()));
                rest = &after[digits..];
            }
            items.push((name, parameters));
            match rest.strip_prefix(", ") {
                Some(after) => rest = after,
                None => break,
            }
        }
        assert_eq!(rest, "", "{text}");
        items
    }

    proptest! {
        #[test]
        fn every_name_and_number_is_a_structured_field(
            names in prop::collection::vec(any::<String>(), 1..5),
            requests: u32,
            seconds in 1_u64..10_000_000,
            left: u32,
            more_in: u64,
        ) {
            let quota = Quota::per(requests, Duration::from_secs(seconds));
            let limits: Vec<_> = names.iter().map(|name| Limit::new(name.as_str(), quota)).collect();
            let headers = written(Fields::Draft10, &limits, 0, Left { requests: left, more_in });
            let policies = parse(&headers["ratelimit-policy"]);
            prop_assert_eq!(policies.len(), limits.len());
            let expected = vec![("q".to_owned(), u64::from(requests)), ("w".to_owned(), seconds)];
            prop_assert!(policies.iter().all(|(_, parameters)| *parameters == expected));
            let limit = parse(&headers["ratelimit"]);
            let expected = vec![("r".to_owned(), u64::from(left)), ("t".to_owned(), more_in.div_ceil(1_000_000_000))];
            prop_assert_eq!(limit, [(policies[0].0.clone(), expected)]);
        }
    }
}
