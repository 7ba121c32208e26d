use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use gateway_core::{Clock, key::BucketKey};

use super::{Settings, State, breaker::Kept};

/// The circuits of many keys: bounded, and a circuit that is not closed is never forgotten to make room.
pub(super) struct Circuits {
    max_keys_per_shard: usize,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    circuits: HashMap<BucketKey, Arc<Kept>>,
    /// No sweep before this moment, so that a full shard costs one sweep a second and not one a request.
    next_sweep: Option<Instant>,
}

impl Circuits {
    pub(super) fn new(max_keys: usize) -> Self {
        Self {
            max_keys_per_shard: max_keys.div_ceil(SHARDS).max(1),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// The circuit of this key, if there is room for one. A new one costs an allocation.
    pub(super) fn of(&self, key: BucketKey, settings: &Settings, clock: &Clock) -> Option<Arc<Kept>> {
        let mut shard = self.shard(key);
        if let Some(kept) = shard.circuits.get(&key) {
            return Some(Arc::clone(kept));
        }
        if !shard.has_room(self.max_keys_per_shard, settings, clock) {
            return None;
        }
        let kept = Arc::new(Kept::new(clock));
        shard.circuits.insert(key, Arc::clone(&kept));
        Some(kept)
    }

    /// The circuit of this key, if it has one of its own.
    pub(super) fn look(&self, key: BucketKey) -> Option<Arc<Kept>> {
        self.shard(key).circuits.get(&key).cloned()
    }

    fn shard(&self, key: BucketKey) -> MutexGuard<'_, Shard> {
        let index = (key.bits() >> (128 - SHARDS.ilog2())) as usize;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn has_room(&mut self, max_keys: usize, settings: &Settings, clock: &Clock) -> bool {
        if self.circuits.len() < max_keys {
            return true;
        }
        let now = clock.now();
        if self.next_sweep.is_none_or(|next| now >= next) {
            let matters = |kept: &Arc<Kept>| {
                kept.circuit.state() != State::Closed
                    || kept.circuit.totals(settings, kept.nanos(now)).calls > 0
                    || Arc::strong_count(kept) > 1
            };
            self.circuits.retain(|_, kept| matters(kept));
            self.next_sweep = Some(now + SWEEP_PAUSE);
        }
        self.circuits.len() < max_keys
    }
}

impl fmt::Debug for Circuits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuits").finish_non_exhaustive()
    }
}

/// So many locks that two requests seldom want the same one.
const SHARDS: usize = 16;
const SWEEP_PAUSE: Duration = Duration::from_secs(1);
