use std::sync::Arc;

use gateway_core::{
    budget::Buffers,
    error::ErrorKind,
    meter::{Counter, Meter},
    phase::{self, Staged},
};
use http::{HeaderName, StatusCode};

use super::{Fallback, Instead, Nobody, Reason, Trigger, reason::CIRCUIT_OPEN};

/// Answers instead of a failure. See the [module](super) for when, and with what.
#[derive(Clone, Debug)]
pub struct FallbackLayer<F = Nobody>(Plan<F>);

/// What one layer goes by.
#[derive(Clone, Debug)]
pub(super) struct Plan<F> {
    pub(super) with: With<F>,
    pub(super) trigger: Trigger,
    pub(super) mark: Option<HeaderName>,
    pub(super) credentials: Credentials,
    pub(super) body: usize,
    pub(super) buffers: Buffers,
    pub(super) counts: Counts,
}

/// What happens to `Authorization`, `Cookie` and `Proxy-Authorization` on the way to another service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// They are removed: a client trusts the service that it asked, and not every stand-in. An answer 401 or 403 of
    /// the other service counts as a failure then. The default.
    #[default]
    Remove,
    /// They are passed on, to a service that is as trusted as the first one: a second region, for instance.
    Pass,
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

    /// Whether the other service gets the client's credentials. No.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.0.credentials = credentials;
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
        self.0.counts.meter = Some((meter.clone(), place.into()));
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
            credentials: Credentials::default(),
            body: Self::BODY,
            buffers: Buffers::default(),
            counts: Counts::default(),
        })
    }
}

/// A counter for every reason that is known before; one for any other is asked for when there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    meter: Option<(Meter, Arc<str>)>,
    known: Vec<(Reason, Counter)>,
}

impl Counts {
    fn prepare(&mut self, trigger: &Trigger) {
        let kinds = ErrorKind::ALL.into_iter().filter(|kind| trigger.statuses().contains(&kind.status()));
        let statuses = trigger.statuses().iter().copied().map(Reason::Status);
        let open = Reason::Refusal(CIRCUIT_OPEN);
        let reasons = kinds.map(Reason::Failure).chain(statuses).chain([open]);
        self.known = reasons.filter_map(|reason| Some((reason, self.counter(reason)?))).collect();
    }

    pub(super) fn count(&self, reason: Reason) {
        match self.known.iter().find(|(known, _)| *known == reason) {
            Some((_, counter)) => counter.increment(),
            None => self.counter(reason).into_iter().for_each(|counter| counter.increment()),
        }
    }

    fn counter(&self, reason: Reason) -> Option<Counter> {
        let (meter, place) = self.meter.as_ref()?;
        let word = reason.word();
        let labels = [("place", &**place), ("reason", word.to_str().unwrap_or_default())];
        Some(meter.counter("gateway_fallbacks_total", HELP, &labels))
    }
}

impl<S, F> tower_layer::Layer<S> for FallbackLayer<F>
where
    F: Clone,
{
    type Service = Fallback<S, F>;

    fn layer(&self, inner: S) -> Fallback<S, F> {
        if matches!(self.0.with, With::Nothing) {
            return Fallback::new(None, inner);
        }
        let mut plan = self.0.clone();
        plan.counts.prepare(&plan.trigger);
        Fallback::new(Some(Arc::new(plan)), inner)
    }
}

impl<F> Staged for FallbackLayer<F> {
    type Phase = phase::Recover;
}

const HELP: &str = "Answers that were given instead of a failure.";
