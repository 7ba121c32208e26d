//! The sliding window counter, decided purely.

use super::{Left, Quota, ticks::Ticks};

/// A sliding window in two counts: of the window that runs, and of the one before it, which counts as if its requests
/// had come evenly. Windows of one key follow each other from its first request; after a whole window without any,
/// the next request starts anew.
///
/// The exact promise, for a quota of `n` requests: each of the windows passes at most `n`, and no span as long as a
/// window passes more than `2 x n - 2` (one, for a quota of one). That worst case needs a caller who starts a window
/// with one request, spends the rest at its very end, and then takes each request as it comes free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The end of the window after the running one: from then on it is as new.
    pub(super) over_at: u64,
    pub(super) previous: u32,
    pub(super) current: u32,
}

/// How long the [`Window`] of a [`Quota`] is, in ticks, and how much passes in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub(super) period: u64,
    pub(super) requests: u32,
}

impl Span {
    /// The window of this quota. Its burst plays no part: all of a window's requests may come at once.
    #[must_use]
    pub fn new(quota: Quota, ticks: Ticks) -> Self {
        // Two of them must fit into the clock.
        let period = ticks.of(quota.period()).clamp(1, u64::MAX / 4);
        Self { period, requests: quota.requests() }
    }
}

impl Window {
    /// Counts one request at `now`, and returns the window as it is after that.
    ///
    /// # Errors
    /// How long until one passes; the window is as it was.
    pub fn take(self, span: Span, now: u64) -> Result<Self, u64> {
        let (window, rest) = self.at(span, now);
        let used = window.used(span, rest) + u128::from(span.period);
        if used > span.in_all(span.requests) {
            return Err(window.until(span, rest, span.requests.saturating_sub(1)));
        }
        Ok(Self { current: window.current.saturating_add(1), ..window })
    }

    /// How many more would pass at `now`, and when one more than that.
    #[must_use]
    pub fn left(self, span: Span, now: u64) -> Left {
        let (window, rest) = self.at(span, now);
        let free = span.in_all(span.requests).saturating_sub(window.used(span, rest));
        let requests = u32::try_from(free / u128::from(span.period)).unwrap_or(u32::MAX);
        let more_in = match (span.requests, window.previous, window.current) {
            (0, _, _) => span.period,
            (_, 0, 0) => 0,
            (all, _, _) => window.until(span, rest, all.saturating_sub(requests.saturating_add(1))),
        };
        Left { requests, more_in }
    }

    /// The window that runs at `now`, and how much of it is still to come.
    fn at(self, span: Span, now: u64) -> (Self, u64) {
        if now >= self.over_at {
            let over_at = now.saturating_add(2 * span.period);
            return (Self { over_at, previous: 0, current: 0 }, span.period);
        }
        let to_come = self.over_at - now;
        if to_come <= span.period {
            let over_at = self.over_at.saturating_add(span.period);
            return (Self { over_at, previous: self.current, current: 0 }, to_come);
        }
        // A request that arrived before the window's first but comes here after it counts as coming with it.
        (self, (to_come - span.period).min(span.period))
    }

    /// What is used with `rest` ticks to come, in requests times ticks of a window, so that nothing is rounded.
    fn used(self, span: Span, rest: u64) -> u128 {
        u128::from(self.previous).wrapping_mul(u128::from(rest)).wrapping_add(span.in_all(self.current))
    }

    /// How long until at most `target` requests are used, with `rest` ticks to come.
    fn until(self, span: Span, rest: u64, target: u32) -> u64 {
        if span.requests == 0 {
            return span.period;
        }
        // How much of a window may still be to come when `count` requests, thinning out, are down to `room`.
        let rest_for = |room: u32, count: u32| match u128::from(count) {
            0 => u64::MAX,
            count => u64::try_from(span.in_all(room) / count).unwrap_or(u64::MAX),
        };
        match target.checked_sub(self.current) {
            Some(room) => rest.saturating_sub(rest_for(room, self.previous)),
            None => rest + span.period.saturating_sub(rest_for(target, self.current)),
        }
    }
}

impl Span {
    fn in_all(self, requests: u32) -> u128 {
        // 32 and 64 bits: nothing to check for.
        u128::from(requests).wrapping_mul(u128::from(self.period))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn span(requests: u32, period: u64) -> Span {
        Span::new(Quota::per(requests, Duration::from_nanos(period)), Ticks::NANOS)
    }

    /// How many pass if one asks again and again at these moments.
    fn passed(span: Span, moments: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut window = Window::default();
        let take = |&now: &u64| window.take(span, now).map(|after| window = after).is_ok();
        moments.into_iter().filter(take).collect()
    }

    /// The most moments in any span as long as a window.
    fn most(moments: &[u64], period: u64) -> usize {
        let within = |(index, start): (usize, &u64)| {
            moments[index..].iter().take_while(|&&moment| moment < start + period).count()
        };
        moments.iter().enumerate().map(within).max().unwrap_or(0)
    }

    #[test]
    fn the_window_before_counts_as_much_as_is_left_of_it() {
        let span = span(4, 100);
        let mut window = Window::default();
        let mut ask = |now| {
            let asked = window.take(span, now);
            window = asked.unwrap_or(window);
            asked.map(|_| window.left(span, now))
        };
        let left = |requests, more_in| Ok(Left { requests, more_in });
        assert_eq!(ask(1_000), left(3, 200));
        assert_eq!([ask(1_000), ask(1_000), ask(1_000)], [left(2, 150), left(1, 134), left(0, 125)]);
        assert_eq!(ask(1_050), Err(75), "a quarter of the next window frees one of four");
        assert_eq!(ask(1_125), left(0, 25));
        assert_eq!(ask(1_149), Err(1));
        assert_eq!(ask(1_150), left(0, 25));
        assert_eq!(ask(1_300), left(3, 200), "after a silent window it is as new");
    }

    #[test]
    fn a_quota_of_nothing_refuses_everything() {
        assert_eq!(Window::default().take(span(0, 100), 7), Err(100));
        assert_eq!(Window::default().left(span(0, 100), 7), Left { requests: 0, more_in: 100 });
    }

    #[test]
    fn the_worst_case_is_what_it_is_said_to_be() {
        let span = span(10, 1_000);
        let greedy = [0].into_iter().chain((999..3_000).flat_map(|now| [now; 10]));
        assert_eq!(most(&passed(span, greedy), 1_000), 2 * 10 - 2);
        let once = [0].into_iter().chain(999..3_000);
        assert_eq!(most(&passed(self::span(1, 1_000), once), 1_000), 1);
    }

    proptest! {
        /// Against the log of all requests: what passes, when the next passes, and the two bounds.
        #[test]
        fn keeps_its_bounds(
            requests in 1_u32..12,
            period in 1_u64..400,
            gaps in prop::collection::vec(prop_oneof![Just(0_u64), 0..20_u64, 0..900_u64], 1..200),
        ) {
            let span = span(requests, period);
            let (mut window, mut now, mut log) = (Window::default(), 5_000, Vec::new());
            for gap in gaps {
                now += gap;
                match window.take(span, now) {
                    Ok(after) => {
                        log.push(now);
                        window = after;
                        prop_assert!(window.current <= requests);
                    }
                    Err(wait) => {
                        prop_assert!(window.take(span, now + wait).is_ok());
                        prop_assert!(window.take(span, now + wait - 1).is_err());
                        prop_assert_eq!(window.left(span, now), Left { requests: 0, more_in: wait });
                    }
                }
                let left = window.left(span, now);
                if left.more_in > 0 {
                    prop_assert_eq!(window.left(span, now + left.more_in - 1).requests, left.requests);
                    prop_assert!(window.left(span, now + left.more_in).requests > left.requests);
                }
            }
            let requests = requests as usize;
            prop_assert!(most(&log, period) <= requests.max(2 * requests - 2));
        }
    }
}
