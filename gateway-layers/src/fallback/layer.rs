use std::sync::Arc;

use gateway_core::{
    budget::Buffers,
    meter::{Counter, Meter},
    phase::{self, Staged},
};
use http::{HeaderName, StatusCode};

use super::{Fallback, Instead, Nobody, Reason, Trigger};

/// Answers instead of a failure. See the [module](super) for when, and with what.
#[derive(Clone, Debug)]
pub struct FallbackLayer<F = Nobody>(Plan<F>);

/// What one layer goes by.
#[derive(Clone, Debug)]
pub(super) struct Plan<F> {
    pub(super) with: With<F>,
    pub(super) trigger: Trigger,
    pub(super) mark: Option<HeaderName>,
    pub(super) body: usize,
    pub(super) buffers: Buffers,
    pub(super) counts: Counts,
}

/// What is answered instead.
#[derive(Clone, Debug)]
pub(super) enum With<F> {
    Nothing,
    Answer(Instead),
    Service(F),
}

impl FallbackLayer {
    /// Always the same answer.
    #[must_use]
    pub fn answer(instead: Instead) -> Self {
        Self::of(With::Answer(instead))
    }
}

impl<F> FallbackLayer<F> {
    /// How much of a body is kept for the other service if nothing is said, in bytes: as much as `retry` keeps.
    pub const BODY: usize = 64 * 1024;

    /// What another service answers to the same request, such as the forwarder to a second upstream.
    #[must_use]
    pub fn service(service: F) -> Self {
        Self::of(With::Service(service))
    }

    /// Passes everything on: the same type for stacks that may do without.
    #[must_use]
    pub fn off() -> Self {
        Self::of(With::Nothing)
    }

    /// The statuses to step in for: 502, 503, 504. Those below 500 are left out.
    #[must_use]
    pub fn on(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        self.0.trigger = Trigger::on(statuses);
        self
    }

    /// The header of the answer that says why, or none. `x-fallback`.
    #[must_use]
    pub fn mark(mut self, header: impl Into<Option<HeaderName>>) -> Self {
        self.0.mark = header.into();
        self
    }

    /// How many bytes of a body are kept for the other service. 64 KiB.
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

    /// Counts in this meter as `gateway_fallbacks_total{place, reason}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        self.0.counts = Counts(Some((meter.clone(), place.into())));
        self
    }

    /// The same with a fixed answer, for a layer whose type has room for a service.
    #[cfg(feature = "config")]
    pub(super) fn or_answer(instead: Instead) -> Self {
        Self::of(With::Answer(instead))
    }

    fn of(with: With<F>) -> Self {
        let mark = Some(HeaderName::from_static("x-fallback"));
        Self(Plan {
            with,
            trigger: Trigger::default(),
            mark,
            body: Self::BODY,
            buffers: Buffers::default(),
            counts: Counts(None),
        })
    }
}

/// A counter for every reason, asked for when there is one: that is rare, and there are few.
#[derive(Clone, Debug)]
pub(super) struct Counts(Option<(Meter, Arc<str>)>);

impl Counts {
    pub(super) fn count(&self, reason: Reason) {
        let Some((meter, place)) = &self.0 else { return };
        let word = reason.word();
        let labels = [("place", &**place), ("reason", word.to_str().unwrap_or_default())];
        let counter: Counter = meter.counter("gateway_fallbacks_total", HELP, &labels);
        counter.increment();
    }
}

impl<S, F> tower_layer::Layer<S> for FallbackLayer<F>
where
    F: Clone,
{
    type Service = Fallback<S, F>;

    fn layer(&self, inner: S) -> Fallback<S, F> {
        let is_off = matches!(self.0.with, With::Nothing);
        Fallback::new((!is_off).then(|| Arc::new(self.0.clone())), inner)
    }
}

impl<F> Staged for FallbackLayer<F> {
    type Phase = phase::Recover;
}

const HELP: &str = "Answers that were given instead of a failure.";
