//! [`Freshness`]: how old an answer is and how old it may get (RFC 9111, 4.2).

use std::time::{Duration, Instant, SystemTime};

use http::{
    HeaderMap, HeaderValue,
    header::{AGE, DATE, EXPIRES},
};

use super::directives::{Directives, delta_seconds};

/// How old an answer was when it came, and how old it may get. Its age in the store is measured with the monotonic
/// clock, so a wall clock that jumps later changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Freshness {
    received: Instant,
    initial_age: Duration,
    lifetime: Duration,
}

/// When an answer was asked for and when its head was there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    pub(super) asked: Instant,
    pub(super) received: Instant,
    pub(super) received_wall: SystemTime,
}

impl Freshness {
    /// The freshness of an answer with this explicit lifetime.
    pub(super) fn new(headers: &HeaderMap, lifetime: Duration, exchange: Exchange) -> Self {
        Self { received: exchange.received, initial_age: initial_age(headers, exchange), lifetime }
    }

    /// RFC 9111, 4.2.3: `current_age`.
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.initial_age.saturating_add(now.saturating_duration_since(self.received))
    }

    /// How long it is still fresh; `Err` says since when it is not.
    pub(super) fn left(&self, now: Instant) -> Result<Duration, Duration> {
        let age = self.age(now);
        match self.lifetime.checked_sub(age) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(age.saturating_sub(self.lifetime)),
        }
    }

    /// Which of two was received later.
    pub(super) fn received(&self) -> Instant {
        self.received
    }
}

/// The explicit lifetime (RFC 9111, 4.2.1): `s-maxage`, or `max-age`, or `Expires` less `Date`. There is no heuristic:
/// who says nothing gets `None`. What cannot be understood is stale.
pub(super) fn lifetime(
    headers: &HeaderMap,
    directives: &Directives,
    received: SystemTime,
) -> Option<Duration> {
    if let Some(seconds) = directives.s_maxage.or(directives.max_age) {
        return Some(Duration::from_secs(seconds));
    }
    let mut lines = headers.get_all(EXPIRES).iter();
    let first = lines.next()?;
    if lines.any(|line| line != first) {
        return Some(Duration::ZERO);
    }
    let date = date(headers).unwrap_or(received);
    Some(parse_date(first).and_then(|expires| expires.duration_since(date).ok()).unwrap_or_default())
}

/// What `Date` says.
pub(super) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    parse_date(headers.get(DATE)?)
}

/// A date in any of the three forms (RFC 9110, 5.6.7).
pub(super) fn parse_date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?.trim()).ok()
}

/// The date as a header value. Moments that HTTP cannot write become the nearest that it can.
pub(super) fn format_date(moment: SystemTime) -> HeaderValue {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let moment = SystemTime::UNIX_EPOCH + since.min(LAST_DATE);
    HeaderValue::try_from(httpdate::fmt_http_date(moment)).expect("a date is visible ASCII")
}

/// RFC 9111, 4.2.3: `corrected_initial_age`.
fn initial_age(headers: &HeaderMap, exchange: Exchange) -> Duration {
    let apparent = date(headers).and_then(|date| exchange.received_wall.duration_since(date).ok());
    let said = headers.get(AGE).and_then(|value| {
        // Of several values the first counts (RFC 9111, 5.1).
        delta_seconds(value.as_bytes().split(|&byte| byte == b',').next()?.trim_ascii())
    });
    let delay = exchange.received.saturating_duration_since(exchange.asked);
    let corrected = Duration::from_secs(said.unwrap_or(0)).saturating_add(delay);
    // `Date` has whole seconds: what is less than one is not an age.
    let apparent = Duration::from_secs(apparent.unwrap_or_default().as_secs());
    apparent.max(corrected)
}

/// The last second of the year 9999.
const LAST_DATE: Duration = Duration::from_secs(253_402_300_799);

#[cfg(test)]
mod tests {
    use gateway_core::Clock;
    use proptest::prelude::*;

    use super::*;

    const EPOCH: SystemTime = SystemTime::UNIX_EPOCH;

    fn exchange(delay: u64, wall: u64) -> Exchange {
        let asked = Clock::default().now();
        let received = asked + Duration::from_secs(delay);
        Exchange { asked, received, received_wall: EPOCH + Duration::from_secs(wall) }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &str)| (name.parse().unwrap(), value.parse().unwrap());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn the_first_of_the_three_lifetimes_counts() {
        let dated = ("date", "Thu, 01 Jan 1970 00:01:40 GMT");
        let expires = ("expires", "Thu, 01 Jan 1970 00:02:40 GMT");
        for (control, pairs, expected) in [
            ("s-maxage=5, max-age=6", &[dated, expires][..], Some(5)),
            ("max-age=6", &[dated, expires], Some(6)),
            ("", &[dated, expires], Some(60)),
            ("", &[expires], Some(120)),
            ("", &[dated], None),
            ("public", &[], None),
            ("max-age=x", &[dated, expires], Some(0)),
            ("", &[dated, ("expires", "0")], Some(0)),
            ("", &[dated, ("expires", "never")], Some(0)),
            ("", &[dated, expires, ("expires", "Thu, 01 Jan 1970 00:05:00 GMT")], Some(0)),
            ("", &[expires, ("date", "nonsense")], Some(120)),
            ("", &[dated, ("expires", "Thursday, 01-Jan-70 00:02:40 GMT")], Some(60)),
            ("", &[dated, ("expires", "Thu Jan  1 00:02:40 1970")], Some(60)),
        ] {
            let mut map = HeaderMap::new();
            for &(name, value) in pairs {
                map.append(name, value.parse().unwrap());
            }
            let directives = Directives::parse(&[control.parse().unwrap()]);
            let lifetime = lifetime(&map, &directives, EPOCH + Duration::from_secs(40));
            assert_eq!(lifetime.map(|life| life.as_secs()), expected, "{control} {pairs:?}");
        }
    }

    #[test]
    fn the_age_is_what_was_said_or_what_the_date_says_whatever_is_more() {
        let date = ("date", "Thu, 01 Jan 1970 00:01:40 GMT");
        for (pairs, delay, wall, expected) in [
            (&[][..], 0, 100, 0),
            (&[], 7, 100, 7),
            (&[("age", "30")], 2, 100, 32),
            (&[date], 2, 140, 40),
            (&[date, ("age", "90")], 2, 140, 92),
            (&[date], 0, 50, 0),
            (&[("age", "-5")], 0, 100, 0),
            (&[("age", "30, 40")], 0, 100, 30),
            (&[("age", "99999999999999999999")], 0, 100, 1 << 31),
        ] {
            let exchange = exchange(delay, wall);
            let fresh = Freshness::new(&headers(pairs), Duration::from_secs(1_000), exchange);
            assert_eq!(fresh.age(exchange.received).as_secs(), expected, "{pairs:?}");
        }
    }

    proptest! {
        #[test]
        fn no_clock_and_no_header_panics(
            delay in any::<u32>(), wall in any::<u32>(), date in "\\PC{0,40}", age in "\\PC{0,30}",
            lifetime in any::<u64>(), back in any::<u32>(),
        ) {
            let exchange = exchange(delay.into(), wall.into());
            let mut map = HeaderMap::new();
            for (name, text) in [("date", &date), ("expires", &date), ("age", &age)] {
                if let Ok(value) = HeaderValue::try_from(text) {
                    map.insert(name, value);
                }
            }
            let directives = Directives::default();
            super::lifetime(&map, &directives, exchange.received_wall);
            let fresh = Freshness::new(&map, Duration::from_secs(lifetime), exchange);
            let earlier = exchange.received.checked_sub(Duration::from_secs(back.into()));
            let _ = fresh.left(earlier.unwrap_or(exchange.asked));
        }

        #[test]
        fn a_date_is_read_as_it_was_written(seconds in 0_u64..253_402_300_800) {
            let moment = EPOCH + Duration::from_secs(seconds);
            prop_assert_eq!(parse_date(&format_date(moment)), Some(moment));
        }
    }

    #[test]
    fn moments_that_have_no_date_are_clamped() {
        let first = EPOCH.checked_sub(Duration::from_secs(1)).unwrap();
        assert_eq!(format_date(first), "Thu, 01 Jan 1970 00:00:00 GMT");
        let last = EPOCH + Duration::from_secs(900_000_000_000);
        assert_eq!(format_date(last), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
