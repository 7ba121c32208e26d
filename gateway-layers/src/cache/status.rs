//! `Cache-Status` (RFC 9211): what the cache did, said in every answer.

use std::{fmt::Write, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};

/// Why a request went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forwarded {
    /// It is none that is cached.
    Bypass,
    /// Its method is none that is cached.
    Method,
    /// Nothing is stored for its target.
    UriMiss,
    /// Only answers to other kinds of requests are stored.
    VaryMiss,
    /// It demands so.
    Request,
    /// What is stored is stale.
    Stale,
}

impl Forwarded {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
        }
    }

    /// The value for an answer that went by and was not kept; shared, not made.
    pub(super) const fn passed(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Bypass => "gateway; fwd=bypass",
            Self::Method => "gateway; fwd=method",
            Self::UriMiss => "gateway; fwd=uri-miss",
            Self::VaryMiss => "gateway; fwd=vary-miss",
            Self::Request => "gateway; fwd=request",
            Self::Stale => "gateway; fwd=stale",
        })
    }
}

/// What is said about one forwarded request beyond why.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) why: Forwarded,
    /// The upstream's status, where the client sees another.
    pub(super) status: Option<u16>,
    pub(super) stored: bool,
    /// Whether it waited for another request, and whether that helped.
    pub(super) collapsed: Option<bool>,
    pub(super) ttl: Option<i64>,
}

impl Told {
    pub(super) fn value(self) -> HeaderValue {
        if let Self { why, status: None, stored: false, collapsed: None, ttl: None } = self {
            return why.passed();
        }
        let mut text = String::with_capacity(ROOM);
        let write = &mut text;
        let done = write!(write, "gateway; fwd={}", self.why.as_str())
            .and_then(|()| self.status.map_or(Ok(()), |status| write!(write, "; fwd-status={status}")))
            .and_then(|()| if self.stored { write.write_str("; stored") } else { Ok(()) })
            .and_then(|()| match self.collapsed {
                Some(true) => write.write_str("; collapsed"),
                Some(false) => write.write_str("; collapsed=?0"),
                None => Ok(()),
            })
            .and_then(|()| self.ttl.map_or(Ok(()), |ttl| write!(write, "; ttl={ttl}")));
        debug_assert!(done.is_ok(), "a string takes every text");
        value(text)
    }
}

/// The value for an answer from the store.
pub(super) fn hit(ttl: i64) -> HeaderValue {
    let mut text = String::with_capacity(ROOM);
    let _ = write!(text, "gateway; hit; ttl={ttl}");
    value(text)
}

/// The time to live in whole seconds; negative for what is stale.
pub(super) fn ttl(left: Result<Duration, Duration>) -> i64 {
    match left {
        Ok(left) => i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        Err(over) => i64::try_from(over.as_secs()).map_or(i64::MIN, |over| -over),
    }
}

/// Adds our word behind those of the caches nearer to the origin (RFC 9211, 2).
pub(super) fn say(headers: &mut HeaderMap, value: HeaderValue) {
    headers.append(CACHE_STATUS, value);
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("numbers and words are visible ASCII")
}

pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const ROOM: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_done() {
        let told = Told { why: Forwarded::Stale, status: None, stored: false, collapsed: None, ttl: None };
        for (told, text) in [
            (told, "gateway; fwd=stale"),
            (
                Told { status: Some(304), stored: true, ttl: Some(60), ..told },
                "gateway; fwd=stale; fwd-status=304; stored; ttl=60",
            ),
            (Told { collapsed: Some(true), ttl: Some(-1), ..told }, "gateway; fwd=stale; collapsed; ttl=-1"),
            (Told { collapsed: Some(false), ..told }, "gateway; fwd=stale; collapsed=?0"),
        ] {
            assert_eq!(told.value(), text);
        }
        assert_eq!(hit(ttl(Ok(Duration::from_millis(1_900)))), "gateway; hit; ttl=1");
        assert_eq!(hit(ttl(Err(Duration::from_secs(5)))), "gateway; hit; ttl=-5");
    }
}
