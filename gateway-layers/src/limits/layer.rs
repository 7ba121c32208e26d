use std::{sync::Arc, time::Duration};

use gateway_core::{
    Clock,
    meter::{Decisions, Meter},
    phase::{self, Staged},
};

use super::{Limits, sizes::Sizes};

/// Bounds the size and the silence of requests. See the [module](super) for the limits and their defaults.
#[derive(Clone, Debug)]
pub struct LimitsLayer(Bounds);

/// What one layer enforces, on heads and on bodies.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub(super) sizes: Sizes,
    pub(super) body_idle: Option<Duration>,
    pub(super) clock: Clock,
    pub(super) decisions: Decisions,
}

impl Default for LimitsLayer {
    fn default() -> Self {
        Self::off()
            .target(8 * 1024)
            .header_count(100)
            .header_bytes(32 * 1024)
            .body_idle(Duration::from_secs(25))
    }
}

impl LimitsLayer {
    /// Passes everything on: the same type for stacks that may do without, or the start for a few limits alone.
    #[must_use]
    pub fn off() -> Self {
        Self(Bounds {
            sizes: Sizes::UNLIMITED,
            body_idle: None,
            clock: Clock::default(),
            decisions: Decisions::default(),
        })
    }

    /// The longest path and query, in bytes. 8 KiB: what browsers and servers commonly agree on.
    #[must_use]
    pub fn target(mut self, bytes: usize) -> Self {
        self.0.sizes.target = bytes;
        self
    }

    /// The most header fields. 100.
    #[must_use]
    pub fn header_count(mut self, fields: usize) -> Self {
        self.0.sizes.header_count = fields;
        self
    }

    /// The most bytes of all names and values of the header. 32 KiB: large cookies fit.
    #[must_use]
    pub fn header_bytes(mut self, bytes: usize) -> Self {
        self.0.sizes.header_bytes = bytes;
        self
    }

    /// The longest body, in bytes. None by default: bodies stream through and fill no memory here.
    #[must_use]
    pub fn body(mut self, bytes: u64) -> Self {
        self.0.sizes.body = bytes;
        self
    }

    /// How long a body may be silent before it counts as abandoned. 25 s, which is less than the 30 s that
    /// an upstream has for its answer: a client that stops in mid-upload is told so, and its upstream is not blamed.
    /// Ten years at most.
    ///
    /// `None` waits for ever: for gRPC and other streams whose client may have nothing to say for long.
    #[must_use]
    pub fn body_idle(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.0.body_idle = time.into().map(|time| time.min(LONGEST));
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.0.clock = clock;
        self
    }

    /// Counts decisions in this meter as `gateway_decisions_total{layer="limits", place, verdict}`. A request whose
    /// body breaks off later was counted as passed, and is counted once more as refused then.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        self.0.decisions = Decisions::new(meter, "limits", place);
        self
    }
}

impl<S> tower_layer::Layer<S> for LimitsLayer {
    type Service = Limits<S>;

    fn layer(&self, inner: S) -> Limits<S> {
        let limits_something = self.0.sizes != Sizes::UNLIMITED || self.0.body_idle.is_some();
        Limits::new(limits_something.then(|| Arc::new(self.0.clone())), inner)
    }
}

impl Staged for LimitsLayer {
    type Phase = phase::Arrive;
}

/// So long that a moment can always be moved by it.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
