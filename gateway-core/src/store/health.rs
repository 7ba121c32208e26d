use std::time::{Duration, Instant};

/// Whether a store is worth a question, decided purely: after some failures in a row it rests, and from then on
/// somebody who is not a request asks it once in a while, until it answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Health {
    failures: u32,
    next_probe: Option<Instant>,
}

/// What to do about a request's question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// Ask the store.
    Ask,
    /// Do not ask.
    Rest,
    /// Do not ask, but find out in the background whether it is back.
    RestAndProbe,
}

impl Health {
    pub(super) fn advice(&mut self, now: Instant) -> Advice {
        match self.next_probe {
            None => Advice::Ask,
            Some(next) if now < next => Advice::Rest,
            Some(_) => {
                self.next_probe = Some(now + Self::PAUSE);
                Advice::RestAndProbe
            }
        }
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Returns whether the store rests from now on.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let rests = self.failures >= Self::ENOUGH;
        if rests && self.next_probe.is_none() {
            self.next_probe = Some(now + Self::PAUSE);
        }
        rests
    }

    pub(super) fn is_resting(&self) -> bool {
        self.next_probe.is_some()
    }

    /// Failures in a row until it rests: more than one lost connection explains.
    pub(super) const ENOUGH: u32 = 3;
    /// Between two probes; short, so that a store that is back is used again at once.
    pub(super) const PAUSE: Duration = Duration::from_secs(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;

    #[test]
    fn rests_after_failures_in_a_row_and_is_probed_by_one_at_a_time() {
        let start = Clock::default().now();
        let mut health = Health::default();
        assert!(!health.failed(start));
        health.succeeded();
        assert!(!health.failed(start) && !health.failed(start));
        assert_eq!(health.advice(start), Advice::Ask);
        assert!(health.failed(start));
        assert_eq!(health.advice(start), Advice::Rest);
        let later = start + Health::PAUSE;
        assert_eq!([health.advice(later), health.advice(later)], [Advice::RestAndProbe, Advice::Rest]);
        assert!(health.failed(later));
        health.succeeded();
        assert_eq!(health.advice(later), Advice::Ask);
    }
}
