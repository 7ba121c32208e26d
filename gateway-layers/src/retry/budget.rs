use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How many retries an upstream may get: a share of its requests, and a few in any case.
///
/// Every request pays in a part of a retry, time pays in `per_second`, and every retry takes one out when it is
/// decided, so that those that still wait count, too. In any span of time there are at most
/// `burst + ratio x requests + per_second x seconds` retries, whoever asks: all routes and services that share the
/// budget. While it is full, paying in costs one look at a number.
#[derive(Debug)]
pub struct Budget {
    terms: Terms,
    /// Thousandths of a retry.
    balance: AtomicU64,
    /// Up to when time has paid in.
    paid: Mutex<Instant>,
}

/// The terms of a [`Budget`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Retries per request. 0.2: a full outage costs the upstream a fifth more load, not a multiple.
    pub ratio: f64,
    /// Retries per second in any case, so that a quiet upstream is retried, too. 10.
    pub per_second: u32,
}

impl Default for Terms {
    fn default() -> Self {
        Self { ratio: 0.2, per_second: 10 }
    }
}

impl Terms {
    /// How many retries may come at once: what ten seconds pay in, and 10 at least.
    #[must_use]
    pub fn burst(&self) -> u64 {
        u64::from(self.per_second).saturating_mul(BURST_SECONDS).max(10)
    }

    /// What a request pays in. A ratio of more than 1000 or of less than nothing is none.
    fn deposit(&self) -> u64 {
        let thousandths = (self.ratio * MILLI as f64).round();
        if thousandths.is_finite() { thousandths.clamp(0.0, 1_000_000.0) as u64 } else { 0 }
    }
}

impl Budget {
    /// A full budget.
    #[must_use]
    pub fn new(terms: Terms, now: Instant) -> Self {
        Self { terms, balance: AtomicU64::new(terms.burst() * MILLI), paid: Mutex::new(now) }
    }

    /// A request was made.
    pub fn request(&self) {
        self.pay_in(self.terms.deposit());
    }

    /// Takes a retry out, if there is one.
    #[must_use]
    pub fn take(&self, now: Instant) -> bool {
        self.pay_in_time(now);
        let take = |balance: u64| balance.checked_sub(MILLI);
        self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// How many retries there are now.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.balance.load(Ordering::Relaxed) / MILLI
    }

    fn pay_in_time(&self, now: Instant) {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        // Whole milliseconds only, so that the rest is not lost between two calls.
        let millis = now.saturating_duration_since(*paid).as_millis() as u64;
        *paid += Duration::from_millis(millis);
        self.pay_in(millis.saturating_mul(self.terms.per_second.into()));
    }

    fn pay_in(&self, thousandths: u64) {
        let most = self.terms.burst() * MILLI;
        let mut balance = self.balance.load(Ordering::Relaxed);
        while balance < most {
            let more = balance.saturating_add(thousandths).min(most);
            match self.balance.compare_exchange_weak(balance, more, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(found) => balance = found,
            }
        }
    }
}

const MILLI: u64 = 1000;
const BURST_SECONDS: u64 = 10;

#[cfg(test)]
mod tests {
    use gateway_core::{Clock, random::Random};

    use super::*;

    /// Ten thousand lives of a budget: bursts, pauses, and as many wishes for retries as chance gives. In every span
    /// from the start of a life the retries stay within the promise.
    #[test]
    fn there_are_never_more_retries_than_the_budget_says() {
        let start = Clock::default().now();
        let mut granted_in_all = 0;
        for seed in 0..10_000 {
            let random = Random::seeded(seed);
            let below = |most: u64| random.next() % most;
            let terms = Terms { ratio: below(1001) as f64 / 1000.0, per_second: below(20) as u32 };
            let budget = Budget::new(terms, start);
            let (mut now, mut requests, mut granted) = (start, 0_u64, 0_u64);
            for _ in 0..below(400) {
                match below(8) {
                    0 => now += Duration::from_micros(below(2_000_000)),
                    1 => (0..below(50)).for_each(|_| granted += u64::from(budget.take(now))),
                    _ => {
                        budget.request();
                        requests += 1;
                        granted += u64::from(below(3) > 0 && budget.take(now));
                    }
                }
                let millis = (now - start).as_millis() as u64;
                let promised =
                    terms.burst() * MILLI + terms.deposit() * requests + u64::from(terms.per_second) * millis;
                assert!(granted * MILLI <= promised, "seed {seed}: {granted} of {promised} thousandths");
            }
            granted_in_all += granted;
        }
        assert!(granted_in_all > 10_000, "the simulations asked for something: {granted_in_all}");
    }

    #[test]
    fn a_fifth_of_the_requests_and_ten_a_second() {
        let start = Clock::default().now();
        let budget = Budget::new(Terms::default(), start);
        let taken = |now, wishes: u32| (0..wishes).filter(|_| budget.take(now)).count();
        assert_eq!(taken(start, 1000), 100, "the burst");
        (0..100).for_each(|_| budget.request());
        assert_eq!(taken(start, 1000), 20);
        assert_eq!(taken(start + Duration::from_millis(500), 1000), 5);
        assert_eq!(taken(start + Duration::from_secs(3600), 1000), 100, "not more than the burst");
    }

    #[test]
    fn those_who_ask_at_the_same_time_share_what_there_is() {
        let start = Clock::default().now();
        let budget = Budget::new(Terms::default(), start);
        let taken: usize = std::thread::scope(|scope| {
            let ask = || (0..1000).filter(|_| budget.take(start)).count();
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!((taken, budget.left()), (100, 0));
    }

    #[test]
    fn short_pauses_pay_in_as_much_as_one_long_one() {
        let start = Clock::default().now();
        let budget = Budget::new(Terms { ratio: 0.0, per_second: 10 }, start);
        while budget.take(start) {}
        let taken =
            (1..=10_000).filter(|step| budget.take(start + Duration::from_micros(150 * step))).count();
        assert_eq!(taken, 15);
    }

    #[test]
    fn terms_that_make_no_sense_pay_in_nothing() {
        for ratio in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(Terms { ratio, per_second: 0 }.deposit(), 0);
        }
        assert_eq!(Terms { ratio: 0.0, per_second: u32::MAX }.burst(), u64::from(u32::MAX) * 10);
    }
}
