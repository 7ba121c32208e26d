//! [`Targets`]: what was invalidated since it was asked for (RFC 9111, 4.4).

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use super::key::Name;

/// The targets of which something is stored or being fetched, whoever asked. A target lives as long as one of its
/// answers, so there are never more of them.
#[derive(Debug, Default)]
pub(super) struct Targets([Shard; SHARDS]);

type Shard = Arc<Mutex<HashMap<Name, Weak<Target>>>>;

/// One target. An answer of an older generation is not used any more.
#[derive(Debug)]
pub(super) struct Target {
    name: Name,
    generation: AtomicU64,
    home: Shard,
}

impl Targets {
    /// The target of this name, known from now on.
    pub(super) fn of(&self, name: Name) -> Arc<Target> {
        let home = self.shard(name);
        let mut targets = held(home);
        if let Some(target) = targets.get(&name).and_then(Weak::upgrade) {
            return target;
        }
        let target = Arc::new(Target { name, generation: AtomicU64::new(0), home: Arc::clone(home) });
        targets.insert(name, Arc::downgrade(&target));
        target
    }

    /// Whatever was asked for before this is not used any more, for nobody. Whether there was anything.
    pub(super) fn invalidate(&self, name: Name) -> bool {
        let target = held(self.shard(name)).get(&name).and_then(Weak::upgrade);
        if let Some(target) = &target {
            target.generation.fetch_add(1, Ordering::AcqRel);
        }
        target.is_some()
    }

    fn shard(&self, name: Name) -> &Shard {
        let bits = name as usize;
        &self.0[bits % SHARDS]
    }
}

impl Target {
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let mut targets = held(&self.home);
        // Another may have taken the name meanwhile.
        if targets.get(&self.name).is_some_and(|target| target.strong_count() == 0) {
            targets.remove(&self.name);
        }
    }
}

fn held(shard: &Shard) -> MutexGuard<'_, HashMap<Name, Weak<Target>>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

const SHARDS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_known_as_long_as_somebody_holds_it() {
        let targets = Targets::default();
        assert!(!targets.invalidate(7));
        let (one, other) = (targets.of(7), targets.of(7));
        let before = one.generation();
        assert!(targets.invalidate(7));
        assert_eq!((one.generation(), other.generation()), (before + 1, before + 1));
        drop(one);
        assert!(targets.invalidate(7));
        drop(other);
        assert!(!targets.invalidate(7) && targets.0.iter().all(|shard| held(shard).is_empty()));
    }
}
