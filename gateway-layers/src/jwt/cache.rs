//! [`Cache`]: tokens that were found good, so that the next request with the same one costs a hash and no signature.

use std::{
    collections::HashMap,
    fmt, mem,
    sync::{Arc, Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

/// Good tokens by the SHA-256 of their whole text: no two tokens share a place, and no token is kept in memory. Only
/// good tokens get in, so forged ones cannot fill it.
pub(super) struct Cache<V> {
    shards: Box<[Mutex<Shard<V>>]>,
    /// The most entries of one generation of one shard.
    most: usize,
}

/// The name of a token in the cache.
pub(super) type Name = [u8; 32];

/// Two generations: what is asked for moves to the young one; when that is full, the old one is forgotten.
struct Shard<V> {
    young: HashMap<Name, Entry<V>>,
    old: HashMap<Name, Entry<V>>,
}

struct Entry<V> {
    /// Which key set found it good.
    keys: u64,
    value: Arc<V>,
}

impl<V> Cache<V> {
    /// A cache of at most about this many tokens; of none, it remembers nothing.
    pub(super) fn new(entries: usize) -> Self {
        let shards = if entries < 64 { 1 } else { 16 };
        let empty = || Mutex::new(Shard { young: HashMap::new(), old: HashMap::new() });
        Self { shards: (0..shards).map(|_| empty()).collect(), most: entries.div_ceil(2 * shards) }
    }

    pub(super) fn name(token: &str) -> Name {
        Sha256::digest(token).into()
    }

    /// What this token was found to be, with the same keys.
    pub(super) fn get(&self, name: &Name, keys: u64) -> Option<Arc<V>> {
        let mut shard = self.shard(name)?.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = shard.young.get(name) {
            return (entry.keys == keys).then(|| Arc::clone(&entry.value));
        }
        let entry = shard.old.remove(name)?;
        let value = (entry.keys == keys).then(|| Arc::clone(&entry.value))?;
        shard.put(*name, entry, self.most);
        Some(value)
    }

    pub(super) fn put(&self, name: Name, keys: u64, value: &Arc<V>) {
        let Some(shard) = self.shard(&name) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.put(name, Entry { keys, value: Arc::clone(value) }, self.most);
    }

    /// How many tokens it holds now.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let size = |shard: &Mutex<Shard<V>>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.young.len() + shard.old.len()
        };
        self.shards.iter().map(size).sum()
    }

    fn shard(&self, name: &Name) -> Option<&Mutex<Shard<V>>> {
        self.shards.get(usize::from(name[31]) % self.shards.len()).filter(|_| self.most > 0)
    }
}

impl<V> Shard<V> {
    fn put(&mut self, name: Name, entry: Entry<V>, most: usize) {
        if self.young.len() >= most && !self.young.contains_key(&name) {
            // The emptied table keeps its memory for the next generation.
            mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(name, entry);
    }
}

impl<V> fmt::Debug for Cache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("most", &(self.most * 2 * self.shards.len())).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_forgotten_within_the_bound() {
        let cache = Cache::new(10);
        let name = |number: u32| Cache::<u32>::name(&number.to_string());
        for number in 0..100 {
            cache.put(name(number), 1, &Arc::new(number));
            assert_eq!(cache.get(&name(0), 1).as_deref(), Some(&0), "{number}");
            assert!(cache.len() <= 10);
        }
        assert_eq!(cache.get(&name(99), 1).as_deref(), Some(&99));
        assert_eq!(cache.get(&name(1), 1), None);
        assert_eq!(cache.get(&name(99), 2), None, "with other keys it has to be checked anew");
        let nothing = Cache::new(0);
        nothing.put(name(1), 1, &Arc::new(1));
        assert_eq!((nothing.get(&name(1), 1), nothing.len()), (None, 0));
    }
}
