use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gateway_core::key::BucketKey;

use super::Gate;

/// The gates of a bulkhead: one for everybody, or one for each key that somebody is inside of or waits for.
///
/// It outlives the graph: requests of the graph before are still inside.
pub struct Gates {
    pub(super) everybody: Gate,
    max_keys_per_shard: usize,
    shards: [Mutex<HashMap<BucketKey, Arc<Gate>>>; SHARDS],
    /// What keys share that find no room.
    spare: [Arc<Gate>; SHARDS],
}

impl Gates {
    /// Empty gates, for about `max_keys` keys at a time.
    #[must_use]
    pub fn new(max_keys: usize) -> Self {
        Self {
            everybody: Gate::default(),
            max_keys_per_shard: max_keys.div_ceil(SHARDS).max(1),
            shards: std::array::from_fn(|_| Mutex::default()),
            spare: std::array::from_fn(|_| Arc::default()),
        }
    }

    /// The gate of this key. The first who comes pays an allocation.
    pub(super) fn of(&self, key: BucketKey) -> Arc<Gate> {
        let mut shard = self.shard(key);
        if let Some(gate) = shard.get(&key) {
            return Arc::clone(gate);
        }
        if shard.len() >= self.max_keys_per_shard {
            return Arc::clone(&self.spare[index(key)]);
        }
        Arc::clone(shard.entry(key).or_default())
    }

    /// How many are inside and wait at the gate of this key.
    pub(super) fn count(&self, key: BucketKey) -> (u32, u32) {
        self.shard(key).get(&key).map_or((0, 0), |gate| gate.count())
    }

    /// Forgets the gate of this key if nobody has it any more. Gates are only handed out under the same lock.
    pub(super) fn forget(&self, key: BucketKey) {
        let mut shard = self.shard(key);
        if shard.get(&key).is_some_and(|gate| Arc::strong_count(gate) == 1) {
            shard.remove(&key);
        }
    }

    /// How many keys have a gate.
    #[must_use]
    pub fn len(&self) -> usize {
        let held = |shard: &Mutex<HashMap<_, _>>| shard.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(held).sum()
    }

    /// Whether no key has a gate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: BucketKey) -> MutexGuard<'_, HashMap<BucketKey, Arc<Gate>>> {
        self.shards[index(key)].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn index(key: BucketKey) -> usize {
    (key.bits() >> (128 - SHARDS.ilog2())) as usize
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gates")
            .field("everybody", &self.everybody)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// So many locks that two requests seldom want the same one.
const SHARDS: usize = 16;
