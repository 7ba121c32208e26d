//! [`Wakers`]: everybody who waits for one thing.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Wake, Waker},
};

/// Those who wait; as a waker of its own it wakes all of them.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    waiting: Mutex<HashMap<u64, Waker>>,
    next: AtomicU64,
}

impl Wakers {
    /// A place for one who may wait.
    pub(super) fn place(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The one at this place waits.
    pub(super) fn wait(&self, place: u64, waker: &Waker) {
        let mut waiting = self.waiting();
        match waiting.get_mut(&place) {
            Some(known) => known.clone_from(waker),
            None => drop(waiting.insert(place, waker.clone())),
        }
    }

    /// The one at this place has left.
    pub(super) fn leave(&self, place: u64) {
        self.waiting().remove(&place);
    }

    /// Wakes all who wait.
    pub(super) fn wake_all(&self) {
        let all = std::mem::take(&mut *self.waiting());
        all.into_values().for_each(Waker::wake);
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}
