//! [`Flights`]: one fetch for many requests of the same.
//!
//! The first request leads, the others follow: they wait until the leader knows whether its answer is for all of them.
//! A leader whose client leaves before hands over to a follower.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use super::{filling::Filling, key::Name, wakers::Wakers};

/// The fetches that are under way. A flight is known as long as somebody may still join it.
#[derive(Debug, Default)]
pub(super) struct Flights([Mutex<HashMap<Name, Arc<Flight>>>; SHARDS]);

#[derive(Debug)]
struct Flight {
    name: Name,
    stage: Mutex<Stage>,
    /// Changed under the lock of the map alone, so that the last one is known.
    followers: AtomicUsize,
    wakers: Wakers,
}

#[derive(Debug)]
enum Stage {
    /// Somebody is asking.
    Led,
    /// Nobody is: the first who looks leads.
    Vacant,
    /// The answer is for all of them, and its body is coming.
    Filling(Arc<Filling>),
    /// Everybody goes on alone.
    Over,
}

/// What a request does in its flight.
#[derive(Debug)]
pub(super) enum Role {
    Lead(Leader),
    Follow(Follower),
}

/// The right and the duty to fetch for all. Dropped without a word, it is handed over.
#[derive(Debug)]
pub(super) struct Leader {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    is_done: bool,
}

/// One who waits for a leader.
#[derive(Debug)]
pub(super) struct Follower {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    place: u64,
}

/// What a follower is told.
#[derive(Debug)]
pub(super) enum Turn {
    Lead(Leader),
    Join(Arc<Filling>),
    Alone,
}

impl Flights {
    /// Joins the flight of this name, or starts it.
    pub(super) fn join(self: &Arc<Self>, name: Name) -> Role {
        let mut flights = self.shard(name);
        if let Some(flight) = flights.get(&name) {
            flight.followers.fetch_add(1, Ordering::Relaxed);
            let (flight, place) = (Arc::clone(flight), flight.wakers.place());
            return Role::Follow(Follower { flights: Arc::clone(self), flight, place });
        }
        let flight = Arc::new(Flight {
            name,
            stage: Mutex::new(Stage::Led),
            followers: AtomicUsize::new(0),
            wakers: Wakers::default(),
        });
        flights.insert(name, Arc::clone(&flight));
        Role::Lead(Leader { flights: Arc::clone(self), flight, is_done: false })
    }

    /// Whether somebody asks for this at the moment.
    pub(super) fn is_under_way(&self, name: Name) -> bool {
        self.shard(name).contains_key(&name)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    fn shard(&self, name: Name) -> MutexGuard<'_, HashMap<Name, Arc<Flight>>> {
        let bits = name as usize;
        self.0[bits % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody can join this flight any more.
    fn close(&self, flight: &Arc<Flight>) {
        let mut flights = self.shard(flight.name);
        if flights.get(&flight.name).is_some_and(|known| Arc::ptr_eq(known, flight)) {
            flights.remove(&flight.name);
        }
    }
}

impl Flight {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, stage: Stage) {
        let before = std::mem::replace(&mut *self.stage(), stage);
        drop(before);
        self.wakers.wake_all();
    }
}

impl Leader {
    /// The answer is for all: they can join it until the flight is [over](Self::over).
    pub(super) fn share(&self, filling: &Arc<Filling>) {
        self.flight.enter(Stage::Filling(Arc::clone(filling)));
    }

    /// Whoever still waits goes on alone, and whoever comes starts anew.
    pub(super) fn over(mut self) {
        self.is_done = true;
        self.flights.close(&self.flight);
        self.flight.enter(Stage::Over);
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut flights = self.flights.shard(self.flight.name);
        if self.flight.followers.load(Ordering::Relaxed) == 0 {
            flights.remove(&self.flight.name);
            return;
        }
        self.flight.enter(Stage::Vacant);
    }
}

impl Follower {
    /// What becomes of this follower. It is dropped once it knows.
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Turn> {
        let mut stage = self.flight.stage();
        Poll::Ready(match &*stage {
            Stage::Led => {
                self.flight.wakers.wait(self.place, cx.waker());
                return Poll::Pending;
            }
            Stage::Vacant => {
                *stage = Stage::Led;
                let (flights, flight) = (Arc::clone(&self.flights), Arc::clone(&self.flight));
                Turn::Lead(Leader { flights, flight, is_done: false })
            }
            Stage::Filling(filling) => Turn::Join(Arc::clone(filling)),
            Stage::Over => Turn::Alone,
        })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.flight.wakers.leave(self.place);
        let mut flights = self.flights.shard(self.flight.name);
        let others = self.flight.followers.fetch_sub(1, Ordering::Relaxed) - 1;
        // The last of a flight that nobody leads takes it along.
        if others == 0 && matches!(*self.flight.stage(), Stage::Vacant) {
            flights.remove(&self.flight.name);
        }
    }
}

const SHARDS: usize = 16;

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn lead(flights: &Arc<Flights>) -> Leader {
        match flights.join(1) {
            Role::Lead(leader) => leader,
            Role::Follow(_) => panic!("somebody leads"),
        }
    }

    fn follow(flights: &Arc<Flights>) -> Follower {
        match flights.join(1) {
            Role::Follow(follower) => follower,
            Role::Lead(_) => panic!("nobody leads"),
        }
    }

    fn poll(follower: &mut Follower) -> Poll<Turn> {
        follower.poll(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_leader_that_leaves_hands_over_to_one() {
        let flights = Arc::<Flights>::default();
        let leader = lead(&flights);
        let (mut one, mut other) = (follow(&flights), follow(&flights));
        assert!(poll(&mut one).is_pending() && poll(&mut other).is_pending());
        drop(leader);
        let Poll::Ready(Turn::Lead(leader)) = poll(&mut other) else { panic!("it is vacant") };
        drop(other);
        assert!(poll(&mut one).is_pending());
        leader.over();
        assert!(matches!(poll(&mut one), Poll::Ready(Turn::Alone)));
        assert_eq!(flights.len(), 0);
    }

    #[test]
    fn a_flight_that_everybody_left_is_forgotten() {
        let flights = Arc::<Flights>::default();
        drop(lead(&flights));
        assert_eq!(flights.len(), 0);
        let leader = lead(&flights);
        let (one, other) = (follow(&flights), follow(&flights));
        drop((one, leader));
        assert_eq!(flights.len(), 1);
        drop(other);
        assert_eq!(flights.len(), 0);
        lead(&flights).over();
        assert_eq!(flights.len(), 0);
    }
}
