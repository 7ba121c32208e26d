//! The token bucket, decided purely.

use std::time::Duration;

use super::Quota;

/// A token bucket in one number: the moment at which it will be full again (the generic cell rate algorithm's
/// "theoretical arrival time"), in nanoseconds of any clock that does not jump back. A bucket whose moment has
/// passed is full, and so is a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at: u64,
}

/// What a bucket says to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether there was a token.
    pub passes: bool,
    /// How many more requests would pass right now.
    pub remaining: u32,
    /// When the next token is there; zero if the request passes.
    pub retry_after: Duration,
}

impl Bucket {
    /// Asks for one token at `now`. Returns the answer and the bucket as it is after that; a refused request
    /// leaves the bucket as it was.
    #[must_use]
    pub fn take(self, quota: Quota, now: u64) -> (Decision, Self) {
        let token = quota.nanos_per_token();
        let capacity = token.saturating_mul(u64::from(quota.burst_size()));
        // How far the bucket is from full, in nanoseconds of refilling.
        let missing = self.full_at.saturating_sub(now);
        let missing_after = missing.saturating_add(token);
        if missing_after > capacity {
            let retry_after = Duration::from_nanos(missing_after - capacity);
            return (Decision { passes: false, remaining: 0, retry_after }, self);
        }
        let remaining = u32::try_from((capacity - missing_after) / token).unwrap_or(u32::MAX);
        let after = Self { full_at: now.saturating_add(missing_after) };
        (Decision { passes: true, remaining, retry_after: Duration::ZERO }, after)
    }

    /// Whether the bucket holds all its tokens, so that forgetting it changes nothing.
    #[must_use]
    pub const fn is_full(self, now: u64) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn passes_a_burst_and_then_one_for_every_token_that_comes_back() {
        let quota = Quota::per_second(2).burst(3);
        let mut bucket = Bucket::default();
        let mut ask = |now| {
            let (decision, after) = bucket.take(quota, now);
            bucket = after;
            decision
        };
        assert_eq!([ask(0), ask(0), ask(0)].map(|decision| decision.remaining), [2, 1, 0]);
        let refused = ask(0);
        assert!(!refused.passes);
        assert_eq!(refused.retry_after, Duration::from_millis(500));
        assert!(ask(SECOND / 2).passes);
        assert!(!ask(SECOND / 2).passes);
        assert_eq!(ask(60 * SECOND).remaining, 2, "it never holds more than its burst");
    }

    #[test]
    fn a_quota_of_nothing_refuses_everything() {
        let quota = Quota::per_minute(0).burst(5);
        let (decision, _) = Bucket::default().take(quota, 10 * SECOND);
        assert!(!decision.passes);
        assert_eq!(decision.retry_after, Duration::from_secs(60));
    }

    proptest! {
        /// The exact promise: in no window do more than burst + rate x window pass, and a request that was told
        /// to come back passes when it does.
        #[test]
        fn never_passes_more_than_burst_plus_rate(
            requests in 1_u32..50,
            burst in 1_u32..20,
            gaps in prop::collection::vec(0_u64..300_000_000, 1..200),
        ) {
            let quota = Quota::per_second(requests).burst(burst);
            let token = quota.nanos_per_token();
            let (mut bucket, mut now, mut passed) = (Bucket::default(), 0, Vec::new());
            for gap in gaps {
                now += gap;
                let (decision, after) = bucket.take(quota, now);
                if decision.passes {
                    passed.push(now);
                } else {
                    let later = now + u64::try_from(decision.retry_after.as_nanos()).unwrap();
                    prop_assert!(bucket.take(quota, later).0.passes);
                    prop_assert!(!bucket.take(quota, later - 1).0.passes);
                }
                bucket = after;
            }
            for (index, start) in passed.iter().enumerate() {
                for (count, end) in passed[index..].iter().enumerate() {
                    let allowed = u64::from(burst) + (end - start) / token;
                    prop_assert!((count as u64) < allowed);
                }
            }
        }
    }
}
