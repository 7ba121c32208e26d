use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::Clock;

/// When an upload last moved. An upstream usually answers after it has read everything, so the wait for its answer
/// starts anew with every frame that it takes.
#[derive(Debug)]
pub(crate) struct Progress {
    start: Instant,
    /// Nanoseconds after `start`.
    moved: AtomicU64,
    clock: Clock,
}

impl Progress {
    pub(super) fn new(clock: &Clock) -> Self {
        Self { start: clock.now(), moved: AtomicU64::new(0), clock: clock.clone() }
    }

    pub(crate) fn moved(&self) {
        let nanos = self.clock.now().saturating_duration_since(self.start).as_nanos();
        self.moved.store(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> Instant {
        self.start + Duration::from_nanos(self.moved.load(Ordering::Relaxed))
    }
}
