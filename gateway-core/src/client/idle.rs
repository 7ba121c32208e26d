use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Connections that wait for their next request, last in, first out, so that spare ones age and go.
#[derive(Debug)]
pub(super) struct Idle<C>(VecDeque<Kept<C>>);

#[derive(Debug)]
struct Kept<C> {
    connection: C,
    until: Instant,
}

/// What a connection is found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Usable,
    /// For somebody else.
    Foreign,
    Closed,
}

impl<C> Idle<C> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn put(&mut self, connection: C, until: Instant) {
        self.0.push_back(Kept { connection, until });
    }

    /// The usable connection that was put last. Those above it that are closed or over their time go.
    pub(super) fn take(&mut self, now: Instant, look: impl Fn(&C) -> Found) -> Option<C> {
        for at in (0..self.0.len()).rev() {
            let kept = &self.0[at];
            let found = if now >= kept.until { Found::Closed } else { look(&kept.connection) };
            if found == Found::Foreign {
                continue;
            }
            let kept = self.0.remove(at)?;
            if found == Found::Usable {
                return Some(kept.connection);
            }
        }
        None
    }

    /// Lets go what is closed or over its time. Returns when the next one will be.
    pub(super) fn expire(&mut self, now: Instant, is_closed: impl Fn(&C) -> bool) -> Option<Instant> {
        self.0.retain(|kept| now < kept.until && !is_closed(&kept.connection));
        self.0.iter().map(|kept| kept.until).min()
    }

    /// Lets the one go that rested longest, if there is one.
    pub(super) fn evict(&mut self) -> bool {
        self.0.pop_front().is_some()
    }
}

impl<C> Default for Idle<C> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

/// For how long a connection of this age may rest: the upstream's own word counts if it is shorter, less a second on
/// the way; and no longer than it may live. `None` if not at all.
pub(super) fn rest(
    idle_timeout: Duration,
    promised: Option<Duration>,
    age: Duration,
    max_age: Duration,
) -> Option<Duration> {
    let promised = promised.map(|promised| promised.saturating_sub(Duration::from_secs(1)));
    let rest = idle_timeout.min(promised.unwrap_or(idle_timeout)).min(max_age.saturating_sub(age));
    (!rest.is_zero()).then_some(rest)
}

/// The time in a `Keep-Alive: timeout=5, max=100` (RFC 2068 section 19.7.1.1).
pub(super) fn promised(keep_alive: &[u8]) -> Option<Duration> {
    keep_alive.split(|&byte| byte == b',').find_map(|part| {
        let part = str::from_utf8(part.trim_ascii()).ok()?;
        let (name, value) = part.split_once('=')?;
        let seconds = value.trim().parse::<u32>().ok()?;
        name.trim().eq_ignore_ascii_case("timeout").then(|| Duration::from_secs(u64::from(seconds)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Clock;

    #[test]
    fn an_upstreams_promise_shortens_the_rest_and_never_lengthens_it() {
        let second = Duration::from_secs;
        for (said, expected) in [
            ("timeout=5, max=100", Some(5)),
            ("max=5,Timeout = 7", Some(7)),
            ("timeout=-1", None),
            ("timeout", None),
            ("", None),
        ] {
            assert_eq!(promised(said.as_bytes()), expected.map(second), "{said}");
        }
        let rest = |said: Option<u64>, age| rest(second(30), said.map(second), second(age), second(600));
        assert_eq!(rest(None, 0), Some(second(30)));
        assert_eq!(rest(Some(5), 0), Some(second(4)));
        assert_eq!(rest(Some(100), 0), Some(second(30)));
        assert_eq!(rest(Some(1), 0), None);
        assert_eq!(rest(None, 590), Some(second(10)));
        assert_eq!(rest(None, 600), None);
    }

    proptest! {
        #[test]
        fn gives_the_last_one_that_is_usable_and_never_one_over_its_time(
            kept in prop::collection::vec((0_u64..20, 0_u8..3), 0..12),
            now in 0_u64..20,
        ) {
            let start = Clock::default().now();
            let at = |second| start + Duration::from_secs(second);
            let mut idle = Idle::default();
            for (index, &(until, state)) in kept.iter().enumerate() {
                idle.put((index, state), at(until));
            }
            let look = |&(_, state): &(usize, u8)| [Found::Usable, Found::Foreign, Found::Closed][usize::from(state)];
            let expected = kept.iter().rposition(|&(until, state)| now < until && state == 0);
            let taken = idle.take(at(now), look);
            prop_assert_eq!(taken.map(|(index, _)| index), expected);
            let next = idle.expire(at(now), |&(_, state)| state == 2);
            let left: Vec<_> = kept
                .iter()
                .enumerate()
                .filter(|&(index, &(until, state))| now < until && state != 2 && Some(index) != expected)
                .collect();
            prop_assert_eq!(idle.len(), left.len());
            prop_assert_eq!(next, left.iter().map(|(_, (until, _))| at(*until)).min());
            prop_assert_eq!(idle.evict(), !left.is_empty());
        }
    }
}
