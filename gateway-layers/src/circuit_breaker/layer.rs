use std::sync::Arc;

use gateway_core::{
    Clock, Key, Mode,
    meter::Meter,
    phase::{self, Staged},
};

use super::{
    Breaker, CircuitBreaker, Classify, Settings,
    breaker::{Counts, Kept},
    circuits::Circuits,
};

/// Stops asking a service that keeps failing. See the [module](super).
///
/// Every service that this layer and its clones make shares one circuit, or one for each key.
#[derive(Clone, Debug)]
pub struct CircuitBreakerLayer(Option<Shared>);

/// What the services of a layer share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) breaker: Breaker,
    pub(super) keyed: Option<(Key, Arc<Circuits>)>,
}

impl Default for CircuitBreakerLayer {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl CircuitBreakerLayer {
    /// One circuit with these settings, enforced.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self(Some(Shared { breaker: Breaker::new(settings), keyed: None }))
    }

    /// Passes everything on: the same type for stacks that may do without.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// How many keys are told apart if nothing else is said: about 300 bytes each.
    pub const MAX_KEYS: usize = 10_000;

    /// A circuit for each key, for instance for each host behind one service; for at most about `max_keys` of them.
    /// Circuits that are closed and saw no call in their window are forgotten when room is needed; keys that find no
    /// room share one spare circuit, and so do requests without the key.
    #[must_use]
    pub fn by(mut self, key: Key, max_keys: usize) -> Self {
        if let Some(shared) = &mut self.0 {
            shared.keyed = Some((key, Arc::new(Circuits::new(max_keys))));
            shared.breaker.counts = std::mem::take(&mut shared.breaker.counts).without_state();
        }
        self
    }

    /// What counts as a failure.
    #[must_use]
    pub fn classify(mut self, classify: impl Classify + 'static) -> Self {
        if let Some(shared) = &mut self.0 {
            shared.breaker.classify = Arc::new(classify);
        }
        self
    }

    /// Whether calls are held back. In [`Mode::Audit`] the circuit opens and closes, counts and logs, and everything
    /// passes.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        if let Some(shared) = &mut self.0 {
            shared.breaker.mode = mode;
        }
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        if let Some(shared) = &mut self.0 {
            shared.breaker.kept = Arc::new(Kept::new(&clock));
            shared.breaker.clock = clock;
        }
        self
    }

    /// Shows the circuit in this meter: `gateway_circuit_state{place, endpoint="*"}`,
    /// `gateway_circuit_transitions_total{.., to}` and `gateway_circuit_rejected_total`. Circuits by key are counted
    /// together and have no state there.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        if let Some(shared) = &mut self.0 {
            shared.breaker.counts = Counts::new(meter, place, "*", shared.keyed.is_none());
            shared.breaker.counts.show(&shared.breaker.kept);
        }
        self
    }

    /// The one circuit of this layer, to look at it or to force it. With [`by`](Self::by) it is the spare one.
    #[must_use]
    pub fn breaker(&self) -> Option<Breaker> {
        self.0.as_ref().map(|shared| shared.breaker.clone())
    }
}

impl<S> tower_layer::Layer<S> for CircuitBreakerLayer {
    type Service = CircuitBreaker<S>;

    fn layer(&self, inner: S) -> CircuitBreaker<S> {
        CircuitBreaker::new(self.0.clone().map(Arc::new), inner)
    }
}

impl Staged for CircuitBreakerLayer {
    type Phase = phase::Endpoint;
}
