//! [`SingleFlight`]: one does the work, the others wait for its outcome.
//!
//! Many requests may need the same thing at the same moment: a key set, an answer that is not in the cache yet. The
//! first to [`join`](SingleFlight::join) leads and does the work; those that join meanwhile follow. It is safe against
//! cancellation: a leader that is dropped without an outcome wakes its followers, and one of them leads.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// Work in flight, by key. Cloning it shares it. It holds one entry for each key that somebody works on now.
pub struct SingleFlight<K, V>(Arc<Flights<K, V>>);

type Flights<K, V> = Mutex<HashMap<K, watch::Receiver<Option<V>>>>;

impl<K: Hash + Eq + Clone, V: Clone> SingleFlight<K, V> {
    /// Leads the work on this key, or follows whoever does.
    #[must_use]
    pub fn join(&self, key: &K) -> Role<K, V> {
        let mut flights = held(&self.0);
        if let Some(outcome) = flights.get(key) {
            return Role::Follow(Follower(outcome.clone()));
        }
        let (sender, outcome) = watch::channel(None);
        flights.insert(key.clone(), outcome);
        Role::Lead(Leader { flights: Arc::clone(&self.0), key: key.clone(), sender })
    }

    /// How many keys are worked on now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        held(&self.0).len()
    }
}

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Clone for SingleFlight<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> fmt::Debug for SingleFlight<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").field("in_flight", &held(&self.0).len()).finish()
    }
}

/// What [`SingleFlight::join`] makes of a caller.
#[derive(Debug)]
pub enum Role<K: Hash + Eq, V> {
    /// Do the work, then [`finish`](Leader::finish).
    Lead(Leader<K, V>),
    /// Somebody does it: [`wait`](Follower::wait).
    Follow(Follower<V>),
}

/// The one that does the work. Dropping it without an outcome lets another lead.
pub struct Leader<K: Hash + Eq, V> {
    flights: Arc<Flights<K, V>>,
    key: K,
    sender: watch::Sender<Option<V>>,
}

impl<K: Hash + Eq, V> Leader<K, V> {
    /// The outcome, for everybody who follows. Who joins after this leads anew.
    pub fn finish(self, outcome: V) {
        held(&self.flights).remove(&self.key);
        self.sender.send_replace(Some(outcome));
    }
}

impl<K: Hash + Eq, V> Drop for Leader<K, V> {
    fn drop(&mut self) {
        let mut flights = held(&self.flights);
        // After `finish` the place may belong to the next leader already.
        if flights.get(&self.key).is_some_and(|outcome| outcome.same_channel(&self.sender.subscribe())) {
            flights.remove(&self.key);
        }
    }
}

impl<K: Hash + Eq, V> fmt::Debug for Leader<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leader").finish_non_exhaustive()
    }
}

/// One that waits for the leader.
pub struct Follower<V>(watch::Receiver<Option<V>>);

impl<V: Clone> Follower<V> {
    /// The outcome, or `None` if the leader gave up: then [`join`](SingleFlight::join) again.
    ///
    /// It may be dropped at any time. Bound it by the request's deadline with
    /// [`Clock::timeout`](crate::Clock::timeout).
    pub async fn wait(mut self) -> Option<V> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<V> fmt::Debug for Follower<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").finish_non_exhaustive()
    }
}

fn held<K, V>(flights: &Flights<K, V>) -> MutexGuard<'_, HashMap<K, watch::Receiver<Option<V>>>> {
    flights.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_leads_the_others_hear_the_outcome() {
        let flights = SingleFlight::<&str, u32>::default();
        let Role::Lead(leader) = flights.join(&"a") else { unreachable!("the first leads") };
        let Role::Follow(follower) = flights.join(&"a") else { unreachable!("the second follows") };
        assert!(matches!(flights.join(&"b"), Role::Lead(_)), "other keys are other work");
        let waiting = tokio::spawn(follower.wait());
        tokio::task::yield_now().await;
        leader.finish(7);
        assert_eq!(waiting.await.unwrap(), Some(7));
        assert_eq!(flights.in_flight(), 0);
    }

    #[tokio::test]
    async fn a_leader_that_is_dropped_makes_room_for_the_next() {
        let flights = SingleFlight::<u8, u32>::default();
        let Role::Lead(leader) = flights.join(&1) else { unreachable!("the first leads") };
        let Role::Follow(follower) = flights.join(&1) else { unreachable!("the second follows") };
        drop(leader);
        assert_eq!(follower.wait().await, None);
        let Role::Lead(second) = flights.join(&1) else { unreachable!("somebody else leads") };
        second.finish(3);
        assert!(matches!(flights.join(&1), Role::Lead(_)));
    }
}
