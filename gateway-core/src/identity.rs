//! State outlives the graph.
//!
//! A gateway is rebuilt whenever its configuration changes, but buckets, breakers and pools must not start from
//! nothing each time. A stateful layer therefore asks a [`Shelf`] for its state by a stable [`Identity`]; the
//! same identity gets the same state in the next graph, and state that the next graph does not ask for is let go.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// The stable name of one layer's state: where it stands and what its state depends on.
///
/// Settings that do not change what the state means (a mode, a key's label) do not belong in it; those that do
/// (the key of a limit) belong in it, so that changing them starts anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity(String);

impl Identity {
    /// The state of `concern` at `place`, such as `rate_limit` at `route orders`.
    #[must_use]
    pub fn new(concern: &str, place: &str) -> Self {
        Self(format!("{concern} at {place}"))
    }

    /// The same place, for state that also depends on this setting.
    #[must_use]
    pub fn and(mut self, setting: impl fmt::Display) -> Self {
        use fmt::Write;
        write!(self.0, ", {setting}").expect("a string takes every text");
        self
    }
}

/// Where the state of a graph is kept for the next one.
#[derive(Default)]
pub struct Shelf {
    before: HashMap<(TypeId, Identity), Arc<dyn Any + Send + Sync>>,
    now: Mutex<HashMap<(TypeId, Identity), Arc<dyn Any + Send + Sync>>>,
}

impl Shelf {
    /// A shelf for the next graph. It offers what this graph's layers hold.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { before: self.held().clone(), now: Mutex::default() }
    }

    /// The state with this identity: taken over from the graph before, shared if this graph already has it, or
    /// made new.
    pub fn state<T: Send + Sync + 'static>(&self, identity: Identity, make: impl FnOnce() -> T) -> Arc<T> {
        let slot = (TypeId::of::<T>(), identity);
        let mut now = self.held();
        let kept = now.get(&slot).or_else(|| self.before.get(&slot)).cloned();
        let state = kept.and_then(|kept| kept.downcast().ok()).unwrap_or_else(|| Arc::new(make()));
        now.insert(slot, Arc::clone(&state) as _);
        state
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<(TypeId, Identity), Arc<dyn Any + Send + Sync>>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.held();
        let mut names: Vec<_> = held.keys().map(|(_, Identity(name))| name).collect();
        names.sort_unstable();
        f.debug_set().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unchanged_layers_keep_their_state_and_vanished_ones_let_go() {
        let identity = |place: &str| Identity::new("rate_limit", place);
        let first = Shelf::default();
        let orders = first.state(identity("orders"), || 1_u32);
        first.state(identity("users"), || 2_u32);

        let second = first.next();
        assert!(Arc::ptr_eq(&orders, &second.state(identity("orders"), || 9_u32)));
        let third = second.next();
        assert_eq!(*third.state(identity("orders"), || 9_u32), 1);
        assert_eq!(*third.state(identity("users"), || 9_u32), 9, "the second graph had no users");
        assert_eq!(*third.state(identity("orders").and("by header"), || 9_u32), 9);
    }
}
