use std::time::Duration;

use super::window::{BUCKETS, Totals};

/// When a circuit opens, how long it stays open, and how it comes back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub(super) window: Duration,
    /// A tenth of the window, in nanoseconds.
    pub(super) span: u64,
    pub(super) minimum: u64,
    pub(super) failure_rate: Rate,
    pub(super) slow: Option<(Duration, Rate)>,
    pub(super) open: Duration,
    pub(super) open_max: Duration,
    pub(super) probes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            span: 1_000_000_000,
            minimum: 20,
            failure_rate: Rate::of(0.5),
            slow: None,
            open: Duration::from_secs(5),
            open_max: Duration::ZERO,
            probes: 3,
        }
    }
}

impl Settings {
    /// How far back calls count. 10 s: long enough to hold a fair sample, short enough to forget an outage soon.
    /// From 100 ms to 10 min; it moves in tenths.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window.clamp(Self::SHORTEST_WINDOW, Self::LONGEST_WINDOW);
        self.span = u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX) / BUCKETS;
        self
    }

    /// How many calls the window must hold before rates mean something. 20: at the default rate ten of them must have
    /// failed, so that one unlucky moment opens nothing.
    #[must_use]
    pub fn minimum(mut self, calls: u64) -> Self {
        self.minimum = calls.max(1);
        self
    }

    /// The share of failed calls, 0.0 to 1.0, at which the circuit opens. 0.5.
    #[must_use]
    pub fn failure_rate(mut self, share: f64) -> Self {
        self.failure_rate = Rate::of(share);
        self
    }

    /// Also opens when this share of calls took so long or longer. Off by default: what is slow depends on the
    /// upstream. Costs a second look at the clock for each call.
    #[must_use]
    pub fn slow(mut self, than: Duration, share: f64) -> Self {
        self.slow = Some((than, Rate::of(share)));
        self
    }

    /// How long nothing is sent once it opened. 5 s: a process that restarts is back by then, and an upstream that
    /// stays dead costs no more than its probes each time. At least 1 ms, at most an hour.
    #[must_use]
    pub fn open(mut self, time: Duration) -> Self {
        self.open = time.clamp(Self::SHORTEST_OPEN, Self::LONGEST_OPEN);
        self
    }

    /// Doubles the time each time that probes fail, up to this. Off by default: recovery is noticed after one open
    /// time, however long the outage was.
    #[must_use]
    pub fn open_max(mut self, time: Duration) -> Self {
        self.open_max = time.min(Self::LONGEST_OPEN);
        self
    }

    /// How many calls try whether the upstream is back: at most so many at once, and so many must succeed. 3: one
    /// lucky answer is not enough, and no flood meets an upstream that has just started. From 1 to 1,000.
    #[must_use]
    pub fn probes(mut self, calls: u32) -> Self {
        self.probes = calls.clamp(1, Self::MOST_PROBES);
        self
    }

    pub(super) const SHORTEST_WINDOW: Duration = Duration::from_millis(100);
    pub(super) const LONGEST_WINDOW: Duration = Duration::from_secs(600);
    pub(super) const SHORTEST_OPEN: Duration = Duration::from_millis(1);
    pub(super) const LONGEST_OPEN: Duration = Duration::from_secs(3600);
    pub(super) const MOST_PROBES: u32 = 1_000;

    /// Why the circuit should open, if it should.
    pub(super) fn judge(&self, totals: Totals) -> Option<Reason> {
        if totals.calls < self.minimum {
            return None;
        }
        if self.failure_rate.is_reached(totals.failures, totals.calls) {
            return Some(Reason::Failures(totals));
        }
        let (_, rate) = self.slow?;
        rate.is_reached(totals.slow, totals.calls).then_some(Reason::Slow(totals))
    }

    pub(super) fn is_slow(&self, nanos: u64) -> bool {
        self.slow.is_some_and(|(than, _)| u128::from(nanos) >= than.as_nanos())
    }

    /// How long it stays open after its probes failed so many times in a row.
    pub(super) fn open_time(&self, streak: u8) -> Duration {
        let grown = self.open.saturating_mul(1_u32.checked_shl(streak.into()).unwrap_or(u32::MAX));
        grown.min(self.open_max.max(self.open))
    }
}

/// A share, in millionths: whole numbers decide the same everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate(u64);

impl Rate {
    /// What is no number counts as 1.0.
    fn of(share: f64) -> Self {
        let share = if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it was clamped to 0 to 1, so the product is 0 to 1,000,000"
        )]
        Self((share * 1e6).round() as u64)
    }

    fn is_reached(self, part: u64, whole: u64) -> bool {
        part > 0 && part.saturating_mul(1_000_000) >= whole.saturating_mul(self.0)
    }
}

/// Why a circuit opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Too many calls of the window failed.
    Failures(Totals),
    /// Too many calls of the window were slow.
    Slow(Totals),
    /// A probe failed or was slow.
    Probe,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_at_the_rate_and_not_below_and_never_below_the_minimum() {
        let settings = Settings::default().minimum(10).failure_rate(0.3);
        let judge = |calls, failures| settings.judge(Totals { calls, failures, slow: 0 }).is_some();
        assert_eq!([judge(9, 9), judge(10, 2), judge(10, 3), judge(100, 29)], [false, false, true, false]);
        let slow = settings.slow(Duration::from_secs(1), 0.8);
        let totals = |slow| Totals { calls: 10, failures: 0, slow };
        assert_eq!(slow.judge(totals(7)), None);
        assert_eq!(slow.judge(totals(8)), Some(Reason::Slow(totals(8))));
    }

    #[test]
    fn what_makes_no_sense_is_moved_to_the_nearest_that_does() {
        let settings = Settings::default()
            .window(Duration::ZERO)
            .minimum(0)
            .failure_rate(f64::NAN)
            .open(Duration::MAX)
            .probes(0);
        assert_eq!(settings.window, Settings::SHORTEST_WINDOW);
        assert_eq!((settings.minimum, settings.probes), (1, 1));
        assert_eq!(settings.failure_rate, Rate::of(1.0));
        assert_eq!(settings.open_time(31), Settings::LONGEST_OPEN);
        let at_zero = Settings::default().minimum(1).failure_rate(0.0);
        assert_eq!(at_zero.judge(Totals { calls: 5, failures: 0, slow: 0 }), None, "no failure, no reason");
    }

    #[test]
    fn the_open_time_doubles_up_to_its_most() {
        let settings = Settings::default().open(Duration::from_secs(2));
        assert_eq!(settings.open_time(9), Duration::from_secs(2));
        let growing = settings.open_max(Duration::from_secs(7));
        assert_eq!([0, 1, 2, 31].map(|streak| growing.open_time(streak).as_secs()), [2, 4, 7, 7]);
    }
}
