use std::{
    sync::Arc,
    task::{Context, Poll},
};

use gateway_core::{Mode, key::BucketKey};

use super::{Entry, Gate, layer::Shared};

/// A request's place inside or in the queue, from its arrival until its answer's body ends. Dropping it gives the
/// place to the next, wherever the request was.
#[derive(Debug)]
pub struct Stay {
    shared: Arc<Shared>,
    /// The gate of the request's key, where there are keys.
    keyed: Option<(BucketKey, Arc<Gate>)>,
    queued: Option<u64>,
}

impl Stay {
    /// A place, inside or in the queue; none if there is no room.
    pub(super) fn begin(shared: &Arc<Shared>, key: Option<BucketKey>) -> Option<Self> {
        let keyed = key.map(|key| (key, shared.gates.of(key)));
        // Nobody is inside yet: if this is dropped before it is, only the key may have to be forgotten.
        let gate = keyed.as_ref().map_or(&shared.gates.everybody, |(_, gate)| gate);
        let entry = match shared.mode {
            Mode::Enforce => gate.enter(shared.bounds),
            Mode::Audit | Mode::Off => {
                if !gate.enter_anyway(shared.bounds) {
                    shared.counts.full.increment();
                }
                Entry::Inside
            }
        };
        let queued = match entry {
            Entry::Inside => {
                shared.counts.in_flight.add(1);
                None
            }
            Entry::Waiting(number) => {
                shared.counts.queued.add(1);
                Some(number)
            }
            Entry::Full => {
                shared.counts.full.increment();
                forget(shared, keyed);
                return None;
            }
        };
        Some(Self { shared: Arc::clone(shared), keyed, queued })
    }

    pub(super) fn is_inside(&self) -> bool {
        self.queued.is_none()
    }

    /// Ready once it is inside.
    pub(super) fn poll_turn(&mut self, cx: &Context<'_>) -> Poll<()> {
        let Some(number) = self.queued else { return Poll::Ready(()) };
        if !self.gate().is_turn_of(number, cx.waker()) {
            return Poll::Pending;
        }
        self.queued = None;
        self.shared.counts.queued.add(-1);
        self.shared.counts.in_flight.add(1);
        Poll::Ready(())
    }

    /// It waited too long.
    pub(super) fn expire(self) {
        self.shared.counts.timeout.increment();
    }

    fn gate(&self) -> &Gate {
        self.keyed.as_ref().map_or(&self.shared.gates.everybody, |(_, gate)| gate)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        match self.queued {
            None => {
                self.shared.counts.in_flight.add(-1);
                self.gate().leave(self.shared.bounds);
            }
            Some(number) => {
                self.shared.counts.queued.add(-1);
                self.gate().quit(number, self.shared.bounds);
            }
        }
        forget(&self.shared, self.keyed.take());
    }
}

fn forget(shared: &Shared, keyed: Option<(BucketKey, Arc<Gate>)>) {
    if let Some((key, gate)) = keyed {
        drop(gate);
        shared.gates.forget(key);
    }
}
