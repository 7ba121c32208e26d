//! How long an answer that is made of several may be kept: as long as the one that may be kept the shortest.

use http::{
    HeaderMap, HeaderValue,
    header::{AGE, CACHE_CONTROL, VARY},
};

/// What `Cache-Control` of an answer allows, as far as it can be said of a part of a larger one (RFC 9111, 5.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Freshness {
    /// Seconds from now; `None`: it is not to be kept.
    seconds: Option<u64>,
    is_private: bool,
    must_revalidate: bool,
}

impl Freshness {
    /// The freshness of no part at all: nothing is restricted yet.
    pub(super) const FOREVER: Self =
        Self { seconds: Some(u64::MAX), is_private: false, must_revalidate: false };

    /// Not to be kept.
    pub(super) const NONE: Self = Self { seconds: None, is_private: false, must_revalidate: false };

    /// What these headers say. Without an age that is said in so many words nothing is kept: the whole cannot be
    /// asked whether it is still good.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut fresh = Self::FOREVER;
        let mut lifetime: Option<u64> = None;
        for directive in list(headers, CACHE_CONTROL) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match &*name.trim().to_ascii_lowercase() {
                "no-store" | "no-cache" => return Self::NONE,
                "private" => fresh.is_private = true,
                "must-revalidate" | "proxy-revalidate" => fresh.must_revalidate = true,
                "max-age" | "s-maxage" => {
                    // What is no number is stale (RFC 9111, 4.2.1).
                    let seconds = value.trim().trim_matches('"').parse().unwrap_or(0);
                    lifetime = Some(lifetime.map_or(seconds, |shorter| shorter.min(seconds)));
                }
                _ => {}
            }
        }
        if list(headers, VARY).any(|name| name == "*") {
            return Self::NONE;
        }
        let age = headers.get(AGE).map_or(Some(0), |age| age.to_str().ok()?.trim().parse::<u64>().ok());
        fresh.seconds = lifetime.map(|lifetime| lifetime.saturating_sub(age.unwrap_or(u64::MAX)));
        fresh
    }

    /// Of a whole that has both parts.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            seconds: self.seconds.zip(other.seconds).map(|(one, other)| one.min(other)),
            is_private: self.is_private || other.is_private,
            must_revalidate: self.must_revalidate || other.must_revalidate,
        }
    }

    /// The same for one caller alone.
    pub(super) fn private(self) -> Self {
        Self { is_private: true, ..self }
    }

    /// The value of `Cache-Control`.
    pub(super) fn to_header(self) -> HeaderValue {
        let Some(seconds) = self.seconds else { return HeaderValue::from_static("no-store") };
        // Caches take no more than 2^31 seconds (RFC 9111, 1.2.2).
        let mut text = format!("max-age={}", seconds.min(1 << 31));
        if self.is_private {
            text.push_str(", private");
        }
        if self.must_revalidate {
            text.push_str(", must-revalidate");
        }
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("no-store"))
    }
}

fn list(headers: &HeaderMap, name: http::HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cache_control: &str, age: Option<&str>) -> Freshness {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, cache_control.parse().unwrap());
        if let Some(age) = age {
            headers.insert(AGE, age.parse().unwrap());
        }
        Freshness::of(&headers)
    }

    #[test]
    fn the_whole_is_as_fresh_as_its_least_fresh_part() {
        for (parts, whole) in [
            (&["max-age=60", "max-age=5, public"][..], "max-age=5"),
            (&["max-age=60, private", "max-age=5"], "max-age=5, private"),
            (&["max-age=60", "Max-Age=70, must-revalidate"], "max-age=60, must-revalidate"),
            (&["max-age=60, s-maxage=9"], "max-age=9"),
            (&["max-age=60", "no-store"], "no-store"),
            (&["max-age=60", "no-cache=\"a, b\""], "no-store"),
            (&["max-age=60", "public"], "no-store"),
            (&["max-age=soon"], "max-age=0"),
            (&["max-age=60, max-age=9"], "max-age=9"),
            (&["max-age=99999999999"], "max-age=2147483648"),
        ] {
            let fresh = parts.iter().fold(Freshness::FOREVER, |fresh, part| fresh.and(of(part, None)));
            assert_eq!(fresh.to_header(), whole, "{parts:?}");
        }
    }

    #[test]
    fn time_already_spent_in_caches_counts() {
        assert_eq!(of("max-age=60", Some("45")).to_header(), "max-age=15");
        assert_eq!(of("max-age=60", Some("90")).to_header(), "max-age=0");
        assert_eq!(of("max-age=60", Some("old")).to_header(), "max-age=0");
        assert_eq!(of("max-age=60", None).private().to_header(), "max-age=60, private");
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
        headers.insert(VARY, HeaderValue::from_static("*"));
        assert_eq!(Freshness::of(&headers), Freshness::NONE);
    }
}
