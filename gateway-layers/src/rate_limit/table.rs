use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasherDefault, Hasher},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use gateway_core::key::BucketKey;

use super::{Bucket, Decision, Quota};

/// The buckets of all keys: bounded, and nobody can use the bound to get a fresh bucket.
///
/// A bucket is forgotten only when it is full again, which changes nothing for its key. When a shard holds
/// `max_keys / 64` buckets and none is full, new keys share that shard's one spare bucket until some are: a flood
/// of invented keys limits itself, and no key that is over its limit is ever reset.
pub struct Table {
    /// The zero of the buckets' clock.
    epoch: Instant,
    max_keys_per_shard: usize,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    buckets: HashMap<BucketKey, Bucket, BuildHasherDefault<HashedAlready>>,
    spare: Bucket,
    /// No sweep before this moment, so that a full shard costs one sweep a second and not one a request.
    next_sweep: u64,
}

impl Table {
    /// An empty table for at most about `max_keys` buckets.
    #[must_use]
    pub fn new(max_keys: usize, epoch: Instant) -> Self {
        Self {
            epoch,
            max_keys_per_shard: max_keys.div_ceil(SHARDS).max(1),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Takes a token from the bucket of `key`.
    pub fn take(&self, key: BucketKey, quota: Quota, now: Instant) -> Decision {
        let now = self.nanos(now);
        self.shard(key, |shard| {
            let take_from = |bucket: &mut Bucket| {
                let (decision, after) = bucket.take(quota, now);
                *bucket = after;
                decision
            };
            if let Some(bucket) = shard.buckets.get_mut(&key) {
                return take_from(bucket);
            }
            match shard.has_room(self.max_keys_per_shard, now) {
                true => take_from(shard.buckets.entry(key).or_default()),
                false => take_from(&mut shard.spare),
            }
        })
    }

    /// What [`take`](Self::take) would say, without taking anything.
    #[must_use]
    pub fn look(&self, key: BucketKey, quota: Quota, now: Instant) -> Decision {
        let now = self.nanos(now);
        let bucket = self.shard(key, |shard| match shard.buckets.get(&key) {
            Some(bucket) => *bucket,
            None if shard.buckets.len() < self.max_keys_per_shard => Bucket::default(),
            None => shard.spare,
        });
        bucket.take(quota, now).0
    }

    /// How many buckets are held.
    #[must_use]
    pub fn len(&self) -> usize {
        let held = |shard: &Mutex<Shard>| shard.lock().unwrap_or_else(PoisonError::into_inner).buckets.len();
        self.shards.iter().map(held).sum()
    }

    /// Whether no bucket is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn nanos(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX)
    }

    fn shard<T>(&self, key: BucketKey, work: impl FnOnce(&mut Shard) -> T) -> T {
        // The high bits choose the shard, the low bits the slot inside it.
        let shard = &self.shards[(key.bits() >> SHARD_SHIFT) as usize];
        work(&mut shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shard {
    fn has_room(&mut self, max_keys: usize, now: u64) -> bool {
        if self.buckets.len() >= max_keys && now >= self.next_sweep {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            self.next_sweep = now.saturating_add(SWEEP_PAUSE);
        }
        self.buckets.len() < max_keys
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Takes the bits of a [`BucketKey`] as they are.
#[derive(Default)]
struct HashedAlready(u64);

impl Hasher for HashedAlready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
    }

    fn write_u128(&mut self, bits: u128) {
        #[expect(clippy::cast_possible_truncation, reason = "the low half is as well mixed as the whole")]
        let low = bits as u64;
        self.0 = low;
    }
}

const SHARDS: usize = 64;
const SHARD_SHIFT: u32 = 128 - SHARDS.ilog2();

/// Nanoseconds between two sweeps of one full shard.
const SWEEP_PAUSE: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, time::Duration};

    use gateway_core::{Clock, Key};
    use http::Request;

    use super::*;

    fn key(number: u32) -> BucketKey {
        let key = Key::custom(move |_| Some(Cow::Owned(number.to_be_bytes().to_vec())));
        key.of(&Request::new(()).into_parts().0).unwrap()
    }

    #[test]
    fn a_flood_of_keys_neither_grows_the_table_nor_resets_a_key_over_its_limit() {
        let now = Clock::default().now();
        let table = Table::new(640, now);
        let quota = Quota::per_hour(1);
        assert!(table.take(key(0), quota, now).passes);
        let flooded = (1..20_000).filter(|&number| table.take(key(number), quota, now).passes).count();
        assert!(table.len() <= 640);
        assert!(flooded <= 640 + SHARDS, "the rest shared the spare buckets: {flooded}");
        assert!(!table.take(key(0), quota, now).passes);
    }

    #[test]
    fn buckets_that_are_full_again_make_room() {
        let start = Clock::default().now();
        let table = Table::new(64, start);
        let quota = Quota::per_second(1);
        (0..1_000).for_each(|number| assert!(table.take(key(number), quota, start).remaining == 0));
        let later = start + Duration::from_secs(5);
        assert!((2_000..2_010).all(|number| table.take(key(number), quota, later).passes));
    }

    #[test]
    fn looking_takes_nothing() {
        let now = Clock::default().now();
        let table = Table::new(64, now);
        let quota = Quota::per_second(1);
        assert!(table.look(key(1), quota, now).passes);
        assert!(table.take(key(1), quota, now).passes);
        assert!(!table.look(key(1), quota, now).passes);
        assert_eq!(table.len(), 1);
    }
}
