use std::{sync::Arc, time::Duration};

use gateway_core::{
    Clock, Key, Mode,
    meter::{Counter, Gauge, Meter},
    phase::{self, Staged},
};

use super::{Bounds, Bulkhead, Gates};

/// Bounds how many requests are under way at once. See the [module](super).
///
/// Every service that this layer and its clones make shares the permits.
#[derive(Clone, Debug)]
pub struct BulkheadLayer(Option<Shared>);

/// What the services of a layer share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) bounds: Bounds,
    pub(super) wait: Duration,
    pub(super) key: Option<Key>,
    pub(super) mode: Mode,
    pub(super) gates: Arc<Gates>,
    pub(super) clock: Clock,
    pub(super) counts: Counts,
}

/// The metrics of a bulkhead.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) in_flight: Gauge,
    pub(super) queued: Gauge,
    pub(super) full: Counter,
    pub(super) timeout: Counter,
}

impl BulkheadLayer {
    /// At most so many requests at once (at least 1), enforced, without a queue.
    #[must_use]
    pub fn new(concurrent: u32) -> Self {
        Self(Some(Shared {
            bounds: Bounds { concurrent: concurrent.max(1), queue: 0 },
            wait: Self::WAIT,
            key: None,
            mode: Mode::Enforce,
            gates: Arc::new(Gates::new(Self::MAX_KEYS)),
            clock: Clock::default(),
            counts: Counts::default(),
        }))
    }

    /// Passes everything on: the same type for stacks that may do without.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// How long a request waits if nothing else is said: what a person accepts, and far more than a queue that moves.
    pub const WAIT: Duration = Duration::from_secs(1);

    /// How many keys are told apart at a time if nothing else is said; only keys with requests under way count.
    pub const MAX_KEYS: usize = 10_000;

    /// How many more may wait for their turn, first come, first served. None by default: a queue hides an overload
    /// and adds its time to every answer.
    #[must_use]
    pub fn queue(mut self, waiting: u32) -> Self {
        self.set(|shared| shared.bounds.queue = waiting);
        self
    }

    /// How long a request waits at most; its deadline counts too. 1 s.
    #[must_use]
    pub fn wait(mut self, at_most: Duration) -> Self {
        self.set(|shared| shared.wait = at_most.min(LONGEST));
        self
    }

    /// The bounds hold for each key, for instance each tenant. Requests without the key share one.
    #[must_use]
    pub fn by(mut self, key: Key) -> Self {
        self.set(|shared| shared.key = Some(key));
        self
    }

    /// Whether requests wait and are refused. In [`Mode::Audit`] they are only counted.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.set(|shared| shared.mode = mode);
        self
    }

    /// The gates: for another number of keys, or shared with other layers, or kept from the graph before.
    #[must_use]
    pub fn gates(mut self, gates: Arc<Gates>) -> Self {
        self.set(|shared| shared.gates = gates);
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.set(|shared| shared.clock = clock);
        self
    }

    /// Counts in this meter: `gateway_bulkhead_in_flight{place}`, `gateway_bulkhead_queued{place}` and
    /// `gateway_bulkhead_rejected_total{place, reason}`, which also counts what audit mode would have refused.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        let labels = [("place", place)];
        let rejected = |reason| {
            let help = "Requests that a bulkhead refused, or would have in audit mode.";
            let labels = [labels[0], ("reason", reason)];
            meter.counter("gateway_bulkhead_rejected_total", help, &labels)
        };
        let (in_flight, queued) = ("Requests inside a bulkhead.", "Requests that wait for a bulkhead.");
        let counts = Counts {
            in_flight: meter.gauge("gateway_bulkhead_in_flight", in_flight, &labels),
            queued: meter.gauge("gateway_bulkhead_queued", queued, &labels),
            full: rejected("full"),
            timeout: rejected("timeout"),
        };
        self.set(|shared| shared.counts = counts);
        self
    }

    fn set(&mut self, change: impl FnOnce(&mut Shared)) {
        if let Some(shared) = &mut self.0 {
            change(shared);
        }
    }
}

impl<S> tower_layer::Layer<S> for BulkheadLayer {
    type Service = Bulkhead<S>;

    fn layer(&self, inner: S) -> Bulkhead<S> {
        Bulkhead::new(self.0.clone().filter(|shared| shared.mode != Mode::Off).map(Arc::new), inner)
    }
}

impl Staged for BulkheadLayer {
    type Phase = phase::Limit;
}

/// So long that a moment can always be moved by it.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
