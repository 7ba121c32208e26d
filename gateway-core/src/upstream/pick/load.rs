use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::Candidate;

/// What a candidate has to do: the requests under way, how long answers take, and how warm it is. Atomics throughout;
/// it outlives the list that the candidate is in.
#[derive(Debug, Default)]
pub struct Load {
    under_way: AtomicU32,
    latency: AtomicU64,
    /// When it was new or came back, and how many milliseconds it takes to warm up; 0 if it is warm.
    warming: AtomicU64,
}

impl Load {
    /// How many requests are under way.
    #[must_use]
    pub fn under_way(&self) -> u32 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// One more is under way, until what is returned is dropped.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// An answer took so long. The average falls slowly, over about `decay`, and rises at once: a peak counts in full.
    pub fn observe(&self, took: Duration, now: u64, decay: Duration) {
        let took = took.as_secs_f32();
        let mut bits = self.latency.load(Ordering::Relaxed);
        loop {
            let (average, stamp) = unpack(bits);
            let moved = if bits == 0 || took >= average {
                took
            } else {
                took + (average - took) * freshness(stamp, now, decay).min(1.0 - LEAST_SHARE)
            };
            let packed = pack(moved, now);
            match self.latency.compare_exchange_weak(bits, packed, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => bits = other,
            }
        }
    }

    /// A try failed after so long. However quick that was, it makes the candidate look no faster.
    pub fn observe_failure(&self, took: Duration, now: u64, decay: Duration) {
        let known = self.latency(now, decay).unwrap_or_default();
        self.observe(took.max(known).max(FAILURE), now, decay);
    }

    /// How long an answer will probably take: the average, which fades while nobody asks, so that one that was slow
    /// is tried again. `None` if nothing was seen yet.
    #[must_use]
    pub fn latency(&self, now: u64, decay: Duration) -> Option<Duration> {
        let bits = self.latency.load(Ordering::Relaxed);
        let (average, stamp) = unpack(bits);
        (bits != 0).then(|| Duration::from_secs_f32(average * freshness(stamp, now, decay)))
    }

    /// It is new or back: its weight grows from a tenth to the whole within `window`.
    pub fn warm_up(&self, now: u64, window: Duration) {
        let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX).min(LONGEST_WINDOW);
        self.warming.store(millis(now) << WINDOW_BITS | window, Ordering::Relaxed);
    }

    /// How warm it is, in thousandths: 1,000 unless it is new or back.
    #[must_use]
    pub fn warmth(&self, now: u64) -> u64 {
        let warming = self.warming.load(Ordering::Relaxed);
        if warming == 0 {
            return Candidate::FULL;
        }
        let (since, window) = (warming >> WINDOW_BITS, warming & LONGEST_WINDOW);
        let passed = millis(now).saturating_sub(since);
        if passed >= window {
            // Others may do the same, or have begun anew: then it stays.
            let _ = self.warming.compare_exchange(warming, 0, Ordering::Relaxed, Ordering::Relaxed);
            return Candidate::FULL;
        }
        (Candidate::FULL * passed / window).max(Candidate::FULL / 10)
    }
}

/// A request that is under way at a candidate.
#[derive(Debug)]
pub struct UnderWay(Arc<Load>);

impl UnderWay {
    /// Where it is under way.
    #[must_use]
    pub fn load(&self) -> &Load {
        &self.0
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The average in seconds as a float, and the milliseconds of the clock, which come round after 49 days. The lowest
/// bit of the float says that there is one at all.
fn pack(average: f32, now: u64) -> u64 {
    u64::from(average.to_bits() | 1) << 32 | millis(now) & u64::from(u32::MAX)
}

fn unpack(bits: u64) -> (f32, u32) {
    (f32::from_bits((bits >> 32) as u32), (bits & u64::from(u32::MAX)) as u32)
}

/// How much an average of that time still counts, from 1 down to 0.
fn freshness(stamp: u32, now: u64, decay: Duration) -> f32 {
    let passed = (millis(now) as u32).wrapping_sub(stamp);
    // A clock that another thread read a little earlier.
    let passed = if passed > u32::MAX / 2 { 0 } else { passed };
    (-(passed as f32) / 1_000.0 / decay.as_secs_f32().max(f32::MIN_POSITIVE)).exp()
}

const fn millis(nanos: u64) -> u64 {
    nanos / 1_000_000
}

/// The least share of a new value in the average, for answers within the same millisecond.
const LEAST_SHARE: f32 = 0.001;

/// What a failure counts as, at least: one second, so that an endpoint that refuses at once does not look quick.
const FAILURE: Duration = Duration::from_secs(1);

/// A window has 24 bits of milliseconds, 4.6 hours.
const WINDOW_BITS: u32 = 24;
const LONGEST_WINDOW: u64 = (1 << WINDOW_BITS) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const DECAY: Duration = Duration::from_secs(10);

    fn near(load: &Load, now: u64, millis: u64) -> bool {
        let latency = load.latency(now, DECAY).unwrap().as_secs_f64() * 1_000.0;
        (latency / millis as f64 - 1.0).abs() < 0.02
    }

    #[test]
    fn a_peak_counts_at_once_and_fades_slowly() {
        let load = Load::default();
        assert_eq!(load.latency(0, DECAY), None);
        load.observe(Duration::from_millis(10), 0, DECAY);
        assert!(near(&load, 0, 10));
        load.observe(Duration::from_millis(500), 0, DECAY);
        assert!(near(&load, 0, 500), "{load:?}");
        load.observe(Duration::from_millis(10), 0, DECAY);
        assert!(near(&load, 0, 500), "one quick answer is no proof");
        assert!(near(&load, 10 * SECOND, 184), "1/e after the decay time");
        for second in 100..200 {
            load.observe(Duration::from_millis(10), second * SECOND, DECAY);
        }
        assert!(near(&load, 200 * SECOND, 9), "what is steady is believed");
    }

    #[test]
    fn a_quick_failure_looks_slow() {
        let load = Load::default();
        load.observe_failure(Duration::from_micros(1), 0, DECAY);
        assert!(near(&load, 0, 1_000));
    }

    #[test]
    fn counts_what_is_under_way_until_it_is_dropped() {
        let load = Arc::new(Load::default());
        let (first, second) = (load.begin(), load.begin());
        assert_eq!(load.under_way(), 2);
        drop((first, second));
        assert_eq!(load.under_way(), 0);
    }

    #[test]
    fn warms_up_from_a_tenth_to_the_whole() {
        let load = Load::default();
        assert_eq!(load.warmth(0), 1_000);
        load.warm_up(5 * SECOND, Duration::from_secs(10));
        let warmth = [5, 7, 10, 14, 15, 16].map(|second| load.warmth(second * SECOND));
        assert_eq!(warmth, [100, 200, 500, 900, 1_000, 1_000]);
    }
}
