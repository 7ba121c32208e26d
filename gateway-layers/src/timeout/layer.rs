use std::{sync::Arc, time::Duration};

use gateway_core::{
    Clock,
    meter::{Counter, Meter},
    phase::{self, Staged},
};

use super::Timeout;

/// The one deadline of a request: ends the wait for its answer's head. See the [module](super).
#[derive(Clone, Debug)]
pub struct TimeoutLayer {
    limit: Option<Duration>,
    watch: Watch,
}

/// The longest time of one try: ends it, and leaves the deadline of the request as it is. See the [module](super).
#[derive(Clone, Debug)]
pub struct TryTimeoutLayer {
    limit: Option<Duration>,
    watch: Watch,
}

/// What every call needs until its end.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) span: Span,
    pub(super) clock: Clock,
    pub(super) expired: Counter,
}

/// What a limit bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Request,
    Try,
}

impl Watch {
    fn new(span: Span) -> Self {
        Self { span, clock: Clock::default(), expired: Counter::default() }
    }

    fn count_in(&mut self, meter: &Meter, place: &str) {
        let help = "Answers' heads that were not there in time.";
        let limit = match self.span {
            Span::Request => "request",
            Span::Try => "try",
        };
        self.expired = meter.counter("gateway_timeouts_total", help, &[("place", place), ("limit", limit)]);
    }
}

impl TimeoutLayer {
    /// A deadline so long after the request reaches this layer (ten years at most), or the one that it has already if
    /// that is closer.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { limit: Some(limit.min(LONGEST)), ..Self::off() }
    }

    /// The time, if there is one.
    #[cfg(feature = "config")]
    pub(crate) fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// Passes everything on: the same type for stacks that may do without.
    #[must_use]
    pub fn off() -> Self {
        Self { limit: None, watch: Watch::new(Span::Request) }
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.watch.clock = clock;
        self
    }

    /// Counts expiries in this meter as `gateway_timeouts_total{place, limit="request"}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        self.watch.count_in(meter, place);
        self
    }
}

impl TryTimeoutLayer {
    /// So long after the call reaches this layer, ten years at most.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { limit: Some(limit.min(LONGEST)), ..Self::off() }
    }

    /// Passes everything on: the same type for stacks that may do without.
    #[must_use]
    pub fn off() -> Self {
        Self { limit: None, watch: Watch::new(Span::Try) }
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.watch.clock = clock;
        self
    }

    /// Counts expiries in this meter as `gateway_timeouts_total{place, limit="try"}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        self.watch.count_in(meter, place);
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
    type Phase = phase::Choose;
}

impl<S> tower_layer::Layer<S> for TryTimeoutLayer {
    type Service = Timeout<S>;

    fn layer(&self, inner: S) -> Timeout<S> {
        Timeout::new(self.limit, Arc::new(self.watch.clone()), inner)
    }
}

impl Staged for TryTimeoutLayer {
    type Phase = phase::Endpoint;
}

/// So long that a moment can always be moved by it.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
