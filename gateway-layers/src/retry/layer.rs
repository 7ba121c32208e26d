use std::{sync::Arc, time::Duration};

use gateway_core::{
    Clock,
    budget::Buffers,
    meter::{Counter, Meter},
    phase::{self, Staged},
    random::Random,
};
use http::{Method, StatusCode};

use super::{Budget, Policy, Reason, Retry, Terms};

/// Tries a request again where that is safe. See the [module](super) for when, and for the bounds.
///
/// Every service that this layer and its clones make draws on one budget.
#[derive(Clone, Debug)]
pub struct RetryLayer(Rules);

/// What one layer goes by.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) policy: Policy,
    pub(super) budget: Arc<Budget>,
    pub(super) body: usize,
    pub(super) buffers: Buffers,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) counts: Counts,
}

/// What retries are counted in.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    retries: Counter,
    abandoned: [Counter; Reason::WORDS.len()],
}

impl Default for RetryLayer {
    fn default() -> Self {
        let clock = Clock::default();
        Self(Rules {
            policy: Policy::default(),
            budget: Arc::new(Budget::new(Terms::default(), clock.now())),
            body: Self::BODY,
            buffers: Buffers::default(),
            clock,
            random: Random::default(),
            counts: Counts::default(),
        })
    }
}

impl RetryLayer {
    /// How much of a body is kept if nothing is said, in bytes: 64 KiB holds nearly every document, and a thousand
    /// uploads side by side keep 64 MiB at most.
    pub const BODY: usize = 64 * 1024;

    /// Passes everything on: the same type for stacks that may do without.
    #[must_use]
    pub fn off() -> Self {
        Self::default().tries(1)
    }

    /// How many tries there are in all. 3; 1 is none but the first.
    #[must_use]
    pub fn tries(mut self, tries: u32) -> Self {
        self.0.policy.tries = tries;
        self
    }

    /// The statuses that are tried again. 502, 503, 504: those by which proxies say that they did not get through.
    #[must_use]
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        self.0.policy.statuses = statuses.into_iter().collect();
        self
    }

    /// The methods whose requests may be processed twice. Those of RFC 9110 section 9.2.2.
    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.0.policy.methods = methods.into_iter().collect();
        self
    }

    /// Whether a request with an `Idempotency-Key` may be processed twice, whatever its method is. No, because it is
    /// the upstream that would have to know the key.
    #[must_use]
    pub fn idempotency_key(mut self, counts: bool) -> Self {
        self.0.policy.idempotency_key = counts;
        self
    }

    /// The wait before a second try is by chance up to `first`, and doubles up to `most`. 25 ms, 250 ms.
    #[must_use]
    pub fn backoff(mut self, first: Duration, most: Duration) -> Self {
        self.0.policy.backoff = first;
        self.0.policy.max_backoff = most;
        self
    }

    /// The longest `Retry-After` that is waited for. 1 s: a client that waits longer had better know why.
    #[must_use]
    pub fn max_retry_after(mut self, time: Duration) -> Self {
        self.0.policy.max_retry_after = time;
        self
    }

    /// The budget: with other terms, shared with other layers, or kept from the graph before.
    #[must_use]
    pub fn budget(mut self, budget: Arc<Budget>) -> Self {
        self.0.budget = budget;
        self
    }

    /// How many bytes of a body are kept for another try. 64 KiB; with 0 a request whose body was read is not tried
    /// again.
    #[must_use]
    pub fn body(mut self, bytes: usize) -> Self {
        self.0.body = bytes;
        self
    }

    /// The memory that it is kept in, shared with other layers. 256 MiB of its own.
    #[must_use]
    pub fn buffers(mut self, buffers: &Buffers) -> Self {
        self.0.buffers = buffers.clone();
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.0.clock = clock;
        self
    }

    /// Another source of chance.
    #[must_use]
    pub fn random(mut self, random: Random) -> Self {
        self.0.random = random;
        self
    }

    /// Counts in this meter as `gateway_retries_total{place}` and `gateway_retries_abandoned_total{place, reason}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        let retries = "Tries beyond the first one.";
        let abandoned = "Requests that failed where another try would have been good and could not be.";
        self.0.counts = Counts {
            retries: meter.counter("gateway_retries_total", retries, &[("place", place)]),
            abandoned: Reason::WORDS.map(|reason| {
                let labels = [("place", place), ("reason", reason)];
                meter.counter("gateway_retries_abandoned_total", abandoned, &labels)
            }),
        };
        self
    }
}

impl Counts {
    pub(super) fn retry(&self) {
        self.retries.increment();
    }

    pub(super) fn abandoned(&self, reason: Reason) {
        let known = Reason::WORDS.iter().position(|&word| word == reason.as_str());
        if let Some(counter) = known.and_then(|index| self.abandoned.get(index)) {
            counter.increment();
        }
    }
}

impl<S> tower_layer::Layer<S> for RetryLayer {
    type Service = Retry<S>;

    fn layer(&self, inner: S) -> Retry<S> {
        Retry::new((self.0.policy.tries > 1).then(|| Arc::new(self.0.clone())), inner)
    }
}

impl Staged for RetryLayer {
    type Phase = phase::Retry;
}
