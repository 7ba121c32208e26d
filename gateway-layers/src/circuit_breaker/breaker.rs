use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use gateway_core::{
    Clock, Explanation, Mode, Refusal, Verdict,
    meter::{Counter, Gauge, Meter},
};
use http::StatusCode;

use super::{Change, Circuit, Classify, HttpFailures, Outcome, Reason, Settings, State, Ticket};

/// A circuit at work: with its settings, a clock, a classifier, and its metrics and log lines. Clones share the
/// circuit; so an operator can hold one and force it open or closed.
#[derive(Clone)]
pub struct Breaker {
    pub(super) settings: Settings,
    pub(super) mode: Mode,
    pub(super) clock: Clock,
    pub(super) classify: Arc<dyn Classify>,
    pub(super) kept: Arc<Kept>,
    pub(super) counts: Counts,
}

/// What outlives a graph: the circuit and the zero of its clock.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) circuit: Circuit,
    zero: Instant,
}

/// The metrics of a breaker, and how its log lines call it.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    place: Arc<str>,
    endpoint: Arc<str>,
    state: Option<Gauge>,
    opened: Counter,
    half_opened: Counter,
    closed: Counter,
    rejected: Counter,
}

impl Kept {
    pub(super) fn new(clock: &Clock) -> Self {
        Self { circuit: Circuit::default(), zero: clock.now() }
    }

    pub(super) fn nanos(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.zero).as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Breaker {
    pub(super) fn new(settings: Settings) -> Self {
        let clock = Clock::default();
        let kept = Arc::new(Kept::new(&clock));
        let classify = Arc::new(HttpFailures);
        Self { settings, mode: Mode::Enforce, clock, classify, kept, counts: Counts::default() }
    }

    /// What it lets through now.
    #[must_use]
    pub fn state(&self) -> State {
        self.kept.circuit.state()
    }

    /// Lets nothing through from now on.
    pub fn force_open(&self) {
        self.kept.circuit.force_open();
        self.forced("open");
    }

    /// Lets everything through from now on, whatever happens.
    pub fn force_closed(&self) {
        self.kept.circuit.force_closed();
        self.forced("closed");
    }

    /// Closed, with nothing counted, and free to open again.
    pub fn reset(&self) {
        self.kept.circuit.reset();
        self.forced("reset");
    }

    /// A ticket, or nothing where the breaker does not stand in the way, or how long to wait.
    pub(super) fn admit(&self, kept: &Kept) -> Result<Option<Ticket>, Duration> {
        if self.mode == Mode::Off {
            return Ok(None);
        }
        if self.settings.slow.is_none()
            && let Some(ticket) = kept.circuit.pass()
        {
            return Ok(Some(ticket));
        }
        match kept.circuit.acquire(&self.settings, kept.nanos(self.clock.now())) {
            Ok(ticket) => {
                if ticket.half_opened() {
                    self.half_opened(kept);
                }
                Ok(Some(ticket))
            }
            Err(after) => {
                self.counts.rejected.increment();
                if self.mode == Mode::Audit { Ok(None) } else { Err(after) }
            }
        }
    }

    pub(super) fn record(&self, kept: &Kept, ticket: Ticket, outcome: Outcome) {
        let now = kept.nanos(self.clock.now());
        let change = kept.circuit.record(&self.settings, ticket, now, outcome);
        self.changed(kept, change);
    }

    /// The call was dropped. If nobody waits any more because time is up, the upstream was too slow.
    pub(super) fn abandon(&self, kept: &Kept, ticket: Ticket, deadline: Option<Instant>) {
        let is_late = deadline.is_some_and(|deadline| deadline <= self.clock.now());
        self.record(kept, ticket, if is_late { Outcome::Failure } else { Outcome::Ignored });
    }

    pub(super) fn spoil(&self, kept: &Kept, ticket: Ticket) {
        let change = kept.circuit.spoil(&self.settings, ticket, kept.nanos(self.clock.now()));
        self.changed(kept, change);
    }

    /// What it would do with a call, in words.
    pub(super) fn explain(&self, kept: &Kept, whose: &str) -> Explanation {
        let now = kept.nanos(self.clock.now());
        let window = self.settings.window;
        let look = match self.mode {
            Mode::Off => return Explanation::new(NAME, Verdict::Skip, format!("{whose}: mode is off")),
            _ => kept.circuit.look(&self.settings, now),
        };
        let words = match (kept.circuit.state(), look) {
            (State::Closed, _) => {
                let totals = kept.circuit.totals(&self.settings, now);
                format!("closed: {} of {} calls failed in {window:?}", totals.failures, totals.calls)
            }
            (State::HalfOpen, Ok(())) => "half open: it would be a probe".to_owned(),
            (State::HalfOpen, Err(_)) => "half open: enough probes are on their way".to_owned(),
            (State::Open, Ok(())) => "open until now: it would be the first probe".to_owned(),
            (State::Open, Err(after)) => format!("open for another {after:?}"),
            (State::ForcedOpen, _) => "forced open".to_owned(),
            (State::ForcedClosed, _) => "forced closed".to_owned(),
        };
        let refuse = if self.mode == Mode::Audit { Verdict::WouldRefuse } else { Verdict::Refuse };
        let verdict = if look.is_ok() { Verdict::Pass } else { refuse };
        Explanation::new(NAME, verdict, format!("{whose}: {words}"))
    }

    fn changed(&self, kept: &Kept, change: Option<Change>) {
        if let Some(change) = change {
            self.tell(kept, change);
        }
    }

    #[cold]
    fn tell(&self, kept: &Kept, change: Change) {
        match change {
            Change::Opened(reason, time) => self.opened(kept, reason, time),
            Change::Closed => {
                self.counts.closed.increment();
                self.counts.show(kept);
                let Counts { place, endpoint, .. } = &self.counts;
                tracing::info!(%place, %endpoint, probes = self.settings.probes, "circuit closed: the probes succeeded");
            }
        }
    }

    fn opened(&self, kept: &Kept, reason: Reason, time: Duration) {
        self.counts.opened.increment();
        self.counts.show(kept);
        let Counts { place, endpoint, .. } = &self.counts;
        match reason {
            Reason::Failures(totals) => tracing::warn!(
                %place, %endpoint, ?time, failed = totals.failures, calls = totals.calls,
                "circuit opened: too many calls failed"
            ),
            Reason::Slow(totals) => tracing::warn!(
                %place, %endpoint, ?time, slow = totals.slow, calls = totals.calls,
                "circuit opened: too many calls were slow"
            ),
            Reason::Probe => tracing::warn!(%place, %endpoint, ?time, "circuit opened again: a probe failed"),
        }
    }

    #[cold]
    fn half_opened(&self, kept: &Kept) {
        self.counts.half_opened.increment();
        self.counts.show(kept);
        let Counts { place, endpoint, .. } = &self.counts;
        tracing::info!(%place, %endpoint, probes = self.settings.probes, "circuit half open: probing");
    }

    fn forced(&self, to: &str) {
        self.counts.show(&self.kept);
        let Counts { place, endpoint, .. } = &self.counts;
        tracing::info!(%place, %endpoint, to, "circuit forced");
    }
}

impl Counts {
    /// `gateway_circuit_*` of one circuit, with a gauge of its state; circuits of many keys are counted together and
    /// have none.
    pub(super) fn new(meter: &Meter, place: &str, endpoint: &str, has_state: bool) -> Self {
        let labels = [("place", place), ("endpoint", endpoint)];
        let to = |to| {
            let help = "Changes of circuits, by the state that they came to.";
            let labels = [labels[0], labels[1], ("to", to)];
            meter.counter("gateway_circuit_transitions_total", help, &labels)
        };
        let help = "The state of a circuit: 0 closed, 1 half open, 2 open.";
        let state = has_state.then(|| meter.gauge("gateway_circuit_state", help, &labels));
        let help = "Calls that an open circuit did not let through, or would not have in audit mode.";
        let rejected = meter.counter("gateway_circuit_rejected_total", help, &labels);
        let (opened, half_opened, closed) = (to("open"), to("half_open"), to("closed"));
        Self { place: place.into(), endpoint: endpoint.into(), state, opened, half_opened, closed, rejected }
    }

    /// The same without the gauge of the state.
    pub(super) fn without_state(self) -> Self {
        Self { state: None, ..self }
    }

    /// Reads the state anew, so that of two changes at once the later one is shown.
    pub(super) fn show(&self, kept: &Kept) {
        if let Some(gauge) = &self.state {
            gauge.set(match kept.circuit.state() {
                State::Closed | State::ForcedClosed => 0,
                State::HalfOpen => 1,
                State::Open | State::ForcedOpen => 2,
            });
        }
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("settings", &self.settings)
            .field("mode", &self.mode)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// The answer while a circuit is open.
pub(super) fn refusal(after: Duration) -> Refusal {
    let detail = "the upstream fails too often and is left alone for a while";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "circuit_open", detail).retry_after(after)
}

pub(super) const NAME: &str = "circuit_breaker";
