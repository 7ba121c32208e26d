use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::available_parallelism,
    time::Instant,
};

use tokio::runtime::{self, Handle, RuntimeFlavor};

use super::{h1::Http1, h2::Http2, idle::Idle};

/// The connections that one worker put aside: unused ones over HTTP/1.1, all over HTTP/2.
#[derive(Default)]
pub(super) struct Shard {
    pub(super) idle: Idle<Box<Http1>>,
    pub(super) shared: Vec<Arc<Http2>>,
}

impl Shard {
    /// Lets go what is over, too old, or rested for too long. Returns when there will be more of it.
    pub(super) fn sweep(&mut self, now: Instant, limits: &Limits) -> Option<Instant> {
        let next = self.idle.expire(now, |connection| !connection.is_ready());
        let mut nearest = next;
        self.shared.retain(|connection| {
            let rested = connection.rested(limits.idle_timeout);
            let old = connection.opened + limits.max_age;
            let is_worn = now >= old || connection.has_served(limits.max_requests);
            if is_worn {
                connection.retire();
            }
            let stays = !connection.is_over() && !is_worn && rested.is_none_or(|rested| now < rested);
            if stays {
                let until = rested.map_or(now + limits.idle_timeout, |rested| rested).min(old);
                nearest = Some(nearest.map_or(until, |nearest| nearest.min(until)));
            }
            stays
        });
        nearest
    }

    /// Lets one unused connection go, the one that rested longest.
    pub(super) fn evict(&mut self) -> bool {
        if self.idle.evict() {
            return true;
        }
        let Some(unused) = self.shared.iter().position(|connection| connection.is_unused()) else {
            return false;
        };
        self.shared.swap_remove(unused);
        true
    }
}

/// How long connections live.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) idle_timeout: std::time::Duration,
    pub(super) max_idle: usize,
    pub(super) max_age: std::time::Duration,
    pub(super) max_requests: u64,
}

/// Who asks: a runtime, and the worker of it.
#[derive(Clone, Copy)]
pub(super) struct Worker {
    pub(super) runtime: runtime::Id,
    pub(super) shard: usize,
}

impl Worker {
    /// `None` outside a tokio runtime.
    pub(super) fn current(shards: usize) -> Option<Self> {
        let runtime = Handle::try_current().ok()?;
        let worker = match runtime.runtime_flavor() {
            RuntimeFlavor::MultiThread => runtime::worker_index(),
            // There every runtime has one worker, and all of them are number 0.
            _ => None,
        };
        let shard = worker.unwrap_or_else(|| NUMBER.with(|number| *number)) % shards;
        Some(Self { runtime: runtime.id(), shard })
    }
}

/// How many shards there are: one for each thread that can run at once.
pub(super) fn shards() -> usize {
    available_parallelism().map_or(1, usize::from).min(MAX_SHARDS)
}

const MAX_SHARDS: usize = 64;

thread_local! {
    static NUMBER: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}
