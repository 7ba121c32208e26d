use std::{sync::Arc, time::Duration};

use gateway_core::{
    Clock,
    meter::{Counter, Meter},
    phase::{self, Staged},
};

use super::Timeout;

/// Ends the wait for an answer's head at a deadline. See the [module](super).
#[derive(Clone, Debug)]
pub struct TimeoutLayer {
    limit: Option<Duration>,
    watch: Watch,
}

/// What every call needs until its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    pub(super) clock: Clock,
    pub(super) expired: Counter,
}

impl TimeoutLayer {
    /// A deadline so long after the request reaches this layer (ten years at most), or the one that it has already if
    /// that is closer.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { limit: Some(limit.min(LONGEST)), ..Self::off() }
    }

    /// Passes everything on: the same type for stacks that may do without.
    #[must_use]
    pub fn off() -> Self {
        Self { limit: None, watch: Watch::default() }
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.watch.clock = clock;
        self
    }

    /// Counts expiries in this meter as `gateway_timeouts_total{place}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        let help = "Requests whose answer's head was not there in time.";
        self.watch.expired = meter.counter("gateway_timeouts_total", help, &[("place", place)]);
        self
    }
}

impl<S> tower_layer::Layer<S> for TimeoutLayer {
    type Service = Timeout<S>;

    fn layer(&self, inner: S) -> Timeout<S> {
        Timeout::new(self.limit, Arc::new(self.watch.clone()), inner)
    }
}

impl Staged for TimeoutLayer {
    type Phase = phase::Endpoint;
}

/// So long that a moment can always be moved by it.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
