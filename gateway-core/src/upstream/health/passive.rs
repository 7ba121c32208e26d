use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

/// When an endpoint is left alone because of how its requests end, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Ejection {
    /// So many failures in a row eject. 5; 0 for never.
    pub consecutive: u32,
    /// How long the first time. 30 s. The second time in a row it is twice as long, and so on; each such time without
    /// a failure takes one off again.
    pub base: Duration,
    /// The longest time. 300 s.
    pub longest: Duration,
    /// Which part of the endpoints is ejected at most, though one of two or more always may be. 0.5: if more of
    /// them fail, the fault is probably not theirs, and those that are left would not bear the load.
    pub most: f64,
    /// Whether one that fails far more than the others is ejected, and what that means. Off.
    pub success_rate: Option<SuccessRate>,
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            consecutive: 5,
            base: Duration::from_secs(30),
            longest: Duration::from_secs(300),
            most: 0.5,
            success_rate: None,
        }
    }
}

impl Ejection {
    /// Whether another one may be ejected, when so many are.
    #[must_use]
    pub fn has_room(&self, ejected: usize, all: usize) -> bool {
        let most = (all as f64 * self.most) as usize;
        all > 1 && ejected < most.max(1)
    }
}

/// Compares the endpoints of an upstream with each other, now and then.
#[derive(Clone, Debug, PartialEq)]
pub struct SuccessRate {
    /// How often. 10 s.
    pub interval: Duration,
    /// So many endpoints are needed for a comparison. 5.
    pub hosts: usize,
    /// So many requests in an interval make an endpoint's rate count. 100.
    pub requests: u32,
    /// So many standard deviations below the average is too far. 1.9.
    pub deviations: f64,
}

impl Default for SuccessRate {
    fn default() -> Self {
        Self { interval: Duration::from_secs(10), hosts: 5, requests: 100, deviations: 1.9 }
    }
}

/// How the requests of one endpoint end. Atomics throughout; a success after a success writes nothing.
#[derive(Debug, Default)]
pub struct Passive {
    in_a_row: AtomicU32,
    asked: AtomicU32,
    failed: AtomicU32,
    /// Until when it is ejected, or was the last time.
    until: AtomicU64,
    is_out: AtomicBool,
    times: AtomicU32,
}

impl Passive {
    /// A request ended. Whether there were too many failures in a row now.
    pub fn record(&self, is_failure: bool, ejection: &Ejection) -> bool {
        if ejection.success_rate.is_some() {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if is_failure {
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        if is_failure {
            let row = self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
            return ejection.consecutive > 0 && row >= ejection.consecutive;
        }
        if self.in_a_row.load(Ordering::Relaxed) != 0 {
            self.in_a_row.store(0, Ordering::Relaxed);
        }
        false
    }

    /// The share of requests that succeeded since it was last asked for, if there were as many as that.
    pub fn take_rate(&self, at_least: u32) -> Option<f64> {
        let asked = self.asked.swap(0, Ordering::Relaxed);
        let failed = self.failed.swap(0, Ordering::Relaxed).min(asked);
        (asked >= at_least.max(1)).then(|| 1.0 - f64::from(failed) / f64::from(asked))
    }

    /// Whether it is left alone at this time.
    #[must_use]
    pub fn is_ejected(&self, now: u64) -> bool {
        now < self.until.load(Ordering::Relaxed)
    }

    /// Until when it is left alone, if it is.
    #[must_use]
    pub fn until(&self, now: u64) -> Option<u64> {
        Some(self.until.load(Ordering::Relaxed)).filter(|&until| now < until)
    }

    /// For how much longer it is left alone, if it is.
    #[must_use]
    pub fn left(&self, now: u64) -> Option<Duration> {
        self.until(now).map(|until| Duration::from_nanos(until - now))
    }

    /// Whether its time is over since it was last asked this. Once for each ejection.
    pub fn is_back(&self, now: u64) -> bool {
        let is_over = self.is_out.load(Ordering::Relaxed) && !self.is_ejected(now);
        is_over && self.is_out.swap(false, Ordering::Relaxed)
    }

    /// How often in a row it was ejected.
    #[must_use]
    pub fn times(&self) -> u32 {
        self.times.load(Ordering::Relaxed)
    }

    /// Leaves it alone from now on, and says for how long.
    pub fn eject(&self, now: u64, ejection: &Ejection) -> Duration {
        let base = nanos(ejection.base).max(1);
        let quiet = now.saturating_sub(self.until.load(Ordering::Relaxed)) / base;
        let before = u64::from(self.times.load(Ordering::Relaxed)).saturating_sub(quiet);
        let times = u32::try_from(before + 1).unwrap_or(u32::MAX);
        let time = ejection.base.saturating_mul(times).min(ejection.longest.max(ejection.base));
        self.times.store(times, Ordering::Relaxed);
        self.in_a_row.store(0, Ordering::Relaxed);
        self.until.store(now.saturating_add(nanos(time)), Ordering::Relaxed);
        self.is_out.store(true, Ordering::Relaxed);
        time
    }
}

/// Which of these rates are too far below the others; empty if there are too few to compare.
#[must_use]
pub fn outliers(rates: &[(usize, f64)], rule: &SuccessRate) -> Vec<usize> {
    if rates.len() < rule.hosts.max(2) {
        return Vec::new();
    }
    let count = rates.len() as f64;
    let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / count;
    let variance = rates.iter().map(|(_, rate)| (rate - mean).powi(2)).sum::<f64>() / count;
    let bound = mean - rule.deviations * variance.sqrt();
    rates.iter().filter(|&&(_, rate)| rate < bound).map(|&(place, _)| place).collect()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn failures_in_a_row_are_too_many_and_a_success_ends_the_row() {
        let (passive, ejection) = (Passive::default(), Ejection::default());
        let tell = |outcomes: &str| -> Vec<bool> {
            outcomes.chars().map(|outcome| passive.record(outcome == '-', &ejection)).collect()
        };
        assert!(!tell("----+----").contains(&true));
        assert_eq!(tell("-+"), [true, false]);
        let never = Ejection { consecutive: 0, ..ejection };
        assert!(!(0..100).any(|_| passive.record(true, &never)));
    }

    #[test]
    fn the_time_grows_up_to_a_limit_and_shrinks_with_quiet() {
        let (passive, ejection) = (Passive::default(), Ejection::default());
        let mut now = 0;
        let mut times = Vec::new();
        for _ in 0..12 {
            let time = passive.eject(now, &ejection);
            times.push(time.as_secs());
            now += nanos(time);
            assert!(passive.is_ejected(now - 1) && !passive.is_ejected(now));
        }
        assert_eq!(times, [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]);
        assert_eq!(passive.eject(now + 320 * SECOND, &ejection).as_secs(), 90, "10 times 30 s were quiet");
        assert_eq!(passive.eject(now + 100_000 * SECOND, &ejection).as_secs(), 30);
    }

    #[test]
    fn only_a_part_is_ejected_but_one_of_two_may_be() {
        let room =
            |most: f64| move |ejected, all| Ejection { most, ..Ejection::default() }.has_room(ejected, all);
        let half = room(0.5);
        assert_eq!(
            [half(0, 1), half(0, 2), half(1, 2), half(0, 3), half(1, 3), half(1, 4), half(2, 4)],
            [false, true, false, true, false, true, false]
        );
        let tenth = room(0.1);
        assert_eq!([tenth(0, 3), tenth(1, 3), tenth(1, 19), tenth(1, 20)], [true, false, false, true]);
    }

    #[test]
    fn one_that_fails_far_more_than_the_others_stands_out() {
        let rule = SuccessRate::default();
        let of = |rates: &[f64]| outliers(&rates.iter().copied().enumerate().collect::<Vec<_>>(), &rule);
        assert_eq!(of(&[1.0, 0.99, 1.0, 0.7, 1.0]), [3]);
        assert!(of(&[1.0, 0.99, 1.0, 0.7]).is_empty(), "too few to compare");
        assert!(of(&[0.7; 6]).is_empty(), "all fail alike: nobody stands out");
        assert!(of(&[1.0, 0.9, 0.8, 0.7, 0.6]).is_empty(), "no line between them");
    }

    #[test]
    fn a_rate_needs_enough_requests() {
        let ejection = Ejection { success_rate: Some(SuccessRate::default()), ..Ejection::default() };
        let passive = Passive::default();
        for number in 0..100 {
            passive.record(number % 4 == 0, &ejection);
        }
        assert_eq!(passive.take_rate(100), Some(0.75));
        assert_eq!(passive.take_rate(100), None, "it begins anew");
    }
}
