//! [`MemoryStore`]: a map in memory that never weighs more than it may.

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
};

use moka::ops::compute::Op;

/// A map from `K` to `V` whose values together weigh at most a number of bytes.
///
/// Past it the values that are asked for least go first, and a new value that nobody asked for twice may not get in at
/// all (TinyLFU), so that a scan does not push out what is useful. There is no task in the background: whoever changes
/// the map does its housekeeping.
pub struct MemoryStore<K, V, H = RandomState> {
    cache: moka::sync::Cache<K, V, H>,
}

impl<K, V, H> MemoryStore<K, V, H>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    H: BuildHasher + Clone + Send + Sync + 'static,
{
    /// An empty map for at most `max_bytes`, as `weigh` counts them. One value weighs 4 GiB at most.
    pub fn new(max_bytes: u64, hasher: H, weigh: impl Fn(&K, &V) -> u64 + Send + Sync + 'static) -> Self {
        let weigher = move |key: &K, value: &V| u32::try_from(weigh(key, value)).unwrap_or(u32::MAX);
        Self {
            cache: moka::sync::Cache::builder()
                .max_capacity(max_bytes)
                .weigher(weigher)
                .build_with_hasher(hasher),
        }
    }

    /// The value of this key; being asked for makes it more likely to stay.
    pub fn get(&self, key: &K) -> Option<V> {
        self.cache.get(key)
    }

    /// Puts in place of the key's value what `change` makes of it; `None` removes it. Changes of one key wait for each
    /// other, so none is lost.
    pub fn update(&self, key: K, change: impl FnOnce(Option<V>) -> Option<V>) {
        self.cache.entry(key).and_compute_with(|entry| {
            let before = entry.map(moka::Entry::into_value);
            let was_there = before.is_some();
            match change(before) {
                Some(value) => Op::Put(value),
                None if was_there => Op::Remove,
                None => Op::Nop,
            }
        });
        self.cache.run_pending_tasks();
    }

    /// Forgets the value of this key.
    pub fn remove(&self, key: &K) {
        self.cache.invalidate(key);
        self.cache.run_pending_tasks();
    }

    /// What all values weigh together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.cache.weighted_size()
    }

    /// How many values are held.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.cache.entry_count()
    }

    /// Whether no value is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K, V, H> fmt::Debug for MemoryStore<K, V, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(max_bytes: u64) -> MemoryStore<u32, Vec<u8>> {
        MemoryStore::new(max_bytes, RandomState::new(), |_, value: &Vec<u8>| value.len() as u64)
    }

    #[test]
    fn never_weighs_more_than_it_may() {
        let store = store(1_000);
        for number in 0..500 {
            store.update(number, |_| Some(vec![0; 90]));
            assert!(store.bytes() <= 1_000);
        }
        assert!((5..=11).contains(&store.len()), "{}", store.len());
        store.update(1_000, |_| Some(vec![0; 2_000]));
        assert_eq!(store.get(&1_000), None, "what is larger than the store is not kept");
    }

    #[test]
    fn changes_see_what_was_there() {
        let store = store(1_000);
        store.update(1, |before| before.is_none().then(|| vec![1]));
        store.update(1, |before| {
            before.map(|mut value| {
                value.push(2);
                value
            })
        });
        assert_eq!(store.get(&1), Some(vec![1, 2]));
        store.update(1, |_| None);
        assert!(store.is_empty() && store.get(&1).is_none());
    }
}
