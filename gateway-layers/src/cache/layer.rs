use std::{sync::Arc, time::Duration};

use gateway_core::{
    Clock,
    budget::Buffers,
    meter::{Counter, Gauge, Meter},
    phase::{self, Staged},
};

use super::{Cache, Partition, Store};

/// Answers from a store what the origin said may be answered so. See the [module](super).
///
/// Services made by this layer and by its clones share one store.
#[derive(Clone, Debug)]
pub struct CacheLayer(Option<Shared>);

/// What every request of one cache needs.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) store: Arc<Store>,
    pub(super) partition: Partition,
    pub(super) max_object: u64,
    pub(super) lock_wait: Duration,
    pub(super) set_cookie: bool,
    pub(super) buffers: Buffers,
    pub(super) clock: Clock,
    pub(super) counts: Counts,
}

/// What is counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) hit: Counter,
    pub(super) revalidated: Counter,
    pub(super) collapsed: Counter,
    pub(super) miss: Counter,
    pub(super) bypass: Counter,
    pub(super) only_if_cached: Counter,
    pub(super) bytes: Gauge,
}

impl Default for CacheLayer {
    fn default() -> Self {
        let clock = Clock::default();
        Self::new(Arc::new(Store::new(Self::MAX_SIZE, &clock)))
    }
}

impl CacheLayer {
    /// 64 MiB: some thousand answers of an API, and little beside what a gateway needs for its connections.
    pub const MAX_SIZE: u64 = 64 << 20;

    /// 1 MiB: nearly every answer of an API. A body may be gathered that far for each answer that is being stored.
    pub const MAX_OBJECT: u64 = 1 << 20;

    /// 5 s: longer than most answers take, shorter than most clients wait.
    pub const LOCK_WAIT: Duration = Duration::from_secs(5);

    /// A cache that keeps its answers in this store.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        let max_object = Self::MAX_OBJECT.min(store.max_bytes());
        Self(Some(Shared {
            store,
            partition: Partition::default(),
            max_object,
            lock_wait: Self::LOCK_WAIT,
            set_cookie: false,
            buffers: Buffers::default(),
            clock: Clock::default(),
            counts: Counts::default(),
        }))
    }

    /// Passes everything on: the same type for stacks that may do without.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Who shares stored answers. Nobody, as far as requests say who they are.
    #[must_use]
    pub fn partition(self, partition: Partition) -> Self {
        self.with(|shared| shared.partition = partition)
    }

    /// The longest body that is stored, in bytes. 1 MiB; longer ones stream through.
    #[must_use]
    pub fn max_object(self, bytes: u64) -> Self {
        self.with(|shared| shared.max_object = bytes)
    }

    /// How long a request waits for the answer to another one like it before it goes on by itself. 5 s, and never past
    /// its deadline; zero lets every request go on at once.
    #[must_use]
    pub fn lock_wait(self, wait: Duration) -> Self {
        self.with(|shared| shared.lock_wait = wait.min(LONGEST))
    }

    /// Whether answers with `Set-Cookie` are stored, cookies and all. They are not: a cookie is mostly for one client.
    #[must_use]
    pub fn set_cookie(self, stored: bool) -> Self {
        self.with(|shared| shared.set_cookie = stored)
    }

    /// The memory for bodies on their way into the store. Where it is used up, answers pass and are not stored.
    #[must_use]
    pub fn buffers(self, buffers: Buffers) -> Self {
        self.with(|shared| shared.buffers = buffers)
    }

    /// Another clock.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        self.with(|shared| shared.clock = clock)
    }

    /// Counts requests in this meter as `gateway_cache_requests_total{place, outcome}` (`hit`, `revalidated`,
    /// `collapsed`, `miss`, `bypass`, `only_if_cached`), and shows the store's size as `gateway_cache_bytes{place}`.
    #[must_use]
    pub fn meter(self, meter: &Meter, place: &str) -> Self {
        self.with(|shared| {
            let counter = |outcome| {
                let help = "What a cache did with requests.";
                meter.counter("gateway_cache_requests_total", help, &[("place", place), ("outcome", outcome)])
            };
            shared.counts = Counts {
                hit: counter("hit"),
                revalidated: counter("revalidated"),
                collapsed: counter("collapsed"),
                miss: counter("miss"),
                bypass: counter("bypass"),
                only_if_cached: counter("only_if_cached"),
                bytes: meter.gauge("gateway_cache_bytes", "Bytes that a cache holds.", &[("place", place)]),
            };
        })
    }

    #[cfg(test)]
    pub(super) fn shared(self) -> Option<Arc<Shared>> {
        self.0.map(Arc::new)
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        if let Some(shared) = &mut self.0 {
            change(shared);
        }
        self
    }
}

impl<S> tower_layer::Layer<S> for CacheLayer {
    type Service = Cache<S>;

    fn layer(&self, inner: S) -> Cache<S> {
        Cache::new(self.0.clone().map(Arc::new), inner)
    }
}

impl Staged for CacheLayer {
    type Phase = phase::Answer;
}

/// So long that a moment can always be moved by it: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
