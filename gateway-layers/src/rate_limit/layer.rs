use std::sync::Arc;

use gateway_core::{
    Admitted, Clock, Key, Mode,
    meter::Meter,
    phase::{self, Staged},
};

use super::{Algorithm, Fields, Limit, Limiter, MissingKey, Quota, Table};

/// Refuses requests beyond one or several limits per key. See the [module](super) for what it answers and costs.
///
/// Every service that this layer and its clones make counts in the same buckets.
#[derive(Clone, Debug)]
pub struct RateLimitLayer {
    pub(super) limits: Vec<Limit>,
    pub(super) fields: Fields,
    pub(super) mode: Mode,
    pub(super) table: Arc<Table>,
    pub(super) clock: Clock,
    pub(super) meter: Option<(Meter, String)>,
}

impl RateLimitLayer {
    /// One limit per client address, enforced, with at most 100,000 buckets (about 5 MiB). It is named `default`.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self::limits([Limit::new("default", quota)])
    }

    /// Several limits at once. A request passes if all of them have room, and only then counts in any: a request
    /// that the day's quota refuses takes nothing from the second's.
    ///
    /// More than eight limits cost each request two allocations.
    #[must_use]
    pub fn limits(limits: impl IntoIterator<Item = Limit>) -> Self {
        let clock = Clock::default();
        Self {
            limits: limits.into_iter().collect(),
            fields: Fields::default(),
            mode: Mode::Enforce,
            table: Arc::new(Table::new(Self::MAX_KEYS, clock.now())),
            clock,
            meter: None,
        }
    }

    /// How many keys are told apart if nothing else is said: enough for the clients of one instance, and about
    /// 5 MiB of memory if an attacker fills it. A key counts once for each limit.
    pub const MAX_KEYS: usize = 100_000;

    /// Another limit, to be kept as well.
    #[must_use]
    pub fn and(mut self, limit: Limit) -> Self {
        self.limits.push(limit);
        self
    }

    /// Who is counted together by the limit that was added last.
    #[must_use]
    pub fn by(self, key: Key) -> Self {
        self.last(|limit| limit.by(key))
    }

    /// How the limit that was added last counts.
    #[must_use]
    pub fn algorithm(self, algorithm: Algorithm) -> Self {
        self.last(|limit| limit.algorithm(algorithm))
    }

    /// What happens to requests that have no key for the limit that was added last, for instance without the header
    /// that the key reads.
    #[must_use]
    pub fn missing(self, missing: MissingKey) -> Self {
        self.last(|limit| limit.missing(missing))
    }

    /// What answers say about the limits.
    #[must_use]
    pub fn fields(mut self, fields: Fields) -> Self {
        self.fields = fields;
        self
    }

    /// Whether refusals are carried out.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The buckets: of another size, or shared with other layers, or kept from the graph before. Layers that share
    /// them share the buckets of limits at the same place in their lists, with the same algorithm and key.
    #[must_use]
    pub fn table(mut self, table: Arc<Table>) -> Self {
        self.table = table;
        self
    }

    /// Another clock, for requests that carry no facts.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Counts decisions in this meter as `gateway_decisions_total{layer="rate_limit", place, verdict}`, and which
    /// limit was too tight as `gateway_rate_limit_exceeded_total{place, limit}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        self.meter = Some((meter.clone(), place.to_owned()));
        self
    }

    /// The rule alone, for a list of rules.
    #[must_use]
    pub fn into_rule(self) -> Limiter {
        Limiter::new(&self)
    }

    fn last(mut self, change: impl FnOnce(Limit) -> Limit) -> Self {
        if let Some(limit) = self.limits.pop() {
            self.limits.push(change(limit));
        }
        self
    }
}

impl<S> tower_layer::Layer<S> for RateLimitLayer {
    type Service = RateLimit<S>;

    fn layer(&self, inner: S) -> RateLimit<S> {
        Admitted::new(Arc::new(Limiter::new(self)), inner)
    }
}

impl Staged for RateLimitLayer {
    type Phase = phase::Limit;
}

/// The service of [`RateLimitLayer`].
pub type RateLimit<S> = Admitted<Limiter, S>;
