//! The token bucket, decided purely.

use super::{Left, Quota, ticks::Ticks};

/// A token bucket in one number: the moment at which it will be full again (the generic cell rate algorithm's
/// "theoretical arrival time"), in ticks of any clock that does not jump back. A bucket whose moment has passed is
/// full, and so is a new one.
///
/// The exact promise: in no span of `t` ticks do more than `burst + t / token` requests pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    pub(super) full_at: u64,
}

/// How a [`Bucket`] of a [`Quota`] fills, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refill {
    /// The time in which one token comes back, at least 1. A quota of 0 has none to give back and names its period.
    pub(super) token: u64,
    /// The time in which an empty bucket fills.
    pub(super) capacity: u64,
}

impl Refill {
    /// The pace of this quota.
    #[must_use]
    pub fn new(quota: Quota, ticks: Ticks) -> Self {
        let token = (ticks.of(quota.period()) / u64::from(quota.requests().max(1))).max(1);
        Self { token, capacity: token.saturating_mul(u64::from(quota.burst_size())) }
    }
}

impl Bucket {
    /// Takes one token at `now`, and returns the bucket as it is after that.
    ///
    /// # Errors
    /// How long until there is a token; the bucket is as it was.
    pub const fn take(self, refill: Refill, now: u64) -> Result<Self, u64> {
        let missing = self.full_at.saturating_sub(now).saturating_add(refill.token);
        if missing > refill.capacity {
            return Err(missing - refill.capacity);
        }
        Ok(Self { full_at: now.saturating_add(missing) })
    }

    /// How many more would pass at `now`, and when one more than that.
    #[must_use]
    pub fn left(self, refill: Refill, now: u64) -> Left {
        let missing = self.full_at.saturating_sub(now);
        let filled = refill.capacity.saturating_sub(missing);
        let requests = u32::try_from(filled / refill.token).unwrap_or(u32::MAX);
        let more_in = match (missing, refill.capacity) {
            (_, 0) => refill.token,
            (0, _) => 0,
            // Where a quota became smaller, the bucket may miss more than it holds.
            (missing, capacity) => refill.token - filled % refill.token + missing.saturating_sub(capacity),
        };
        Left { requests, more_in }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn refill(quota: Quota) -> Refill {
        Refill::new(quota, Ticks::NANOS)
    }

    #[test]
    fn passes_a_burst_and_then_one_for_every_token_that_comes_back() {
        let refill = refill(Quota::per_second(2).burst(3));
        let mut bucket = Bucket::default();
        let mut ask = |now| match bucket.take(refill, now) {
            Ok(after) => {
                bucket = after;
                Ok(bucket.left(refill, now).requests)
            }
            Err(wait) => Err(wait),
        };
        assert_eq!([ask(0), ask(0), ask(0)], [Ok(2), Ok(1), Ok(0)]);
        assert_eq!(ask(0), Err(SECOND / 2));
        assert_eq!(ask(SECOND / 2), Ok(0));
        assert_eq!(ask(SECOND / 2), Err(SECOND / 2));
        assert_eq!(ask(60 * SECOND), Ok(2), "it never holds more than its burst");
    }

    #[test]
    fn a_quota_of_nothing_refuses_everything() {
        let refill = refill(Quota::per_minute(0).burst(5));
        assert_eq!(Bucket::default().take(refill, 10 * SECOND), Err(60 * SECOND));
        assert_eq!(Bucket::default().left(refill, 0), Left { requests: 0, more_in: 60 * SECOND });
    }

    proptest! {
        /// In no span do more than burst + rate x span pass; a request that was told to come back passes when it
        /// does; what is left and when more is left is exact.
        #[test]
        fn never_passes_more_than_burst_plus_rate(
            requests in 1_u32..50,
            burst in 1_u32..20,
            gaps in prop::collection::vec(0_u64..300_000_000, 1..200),
        ) {
            let refill = refill(Quota::per_second(requests).burst(burst));
            let (mut bucket, mut now, mut passed) = (Bucket::default(), 0, Vec::new());
            for gap in gaps {
                now += gap;
                match bucket.take(refill, now) {
                    Ok(after) => {
                        passed.push(now);
                        bucket = after;
                    }
                    Err(wait) => {
                        prop_assert!(bucket.take(refill, now + wait).is_ok());
                        prop_assert!(bucket.take(refill, now + wait - 1).is_err());
                        prop_assert_eq!(bucket.left(refill, now), Left { requests: 0, more_in: wait });
                    }
                }
                let left = bucket.left(refill, now);
                if left.more_in > 0 {
                    prop_assert_eq!(bucket.left(refill, now + left.more_in - 1).requests, left.requests);
                    prop_assert_eq!(bucket.left(refill, now + left.more_in).requests, left.requests + 1);
                }
            }
            for (index, start) in passed.iter().enumerate() {
                for (count, end) in passed[index..].iter().enumerate() {
                    let allowed = u64::from(burst) + (end - start) / refill.token;
                    prop_assert!((count as u64) < allowed);
                }
            }
        }
    }
}
