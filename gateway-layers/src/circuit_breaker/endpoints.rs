use std::{sync::Arc, time::Duration};

use gateway_core::{
    Clock, Explanation, Mode, Verdict,
    identity::{Identity, Shelf},
    meter::Meter,
    upstream::{Endpoint, EndpointGuard, Ticket as TryTicket, TryEnd, Upstream},
};
use http::response::Parts;

use super::{
    Breaker, Classify, Outcome, Settings, Ticket,
    breaker::{Counts, Kept},
};

/// A circuit for each endpoint of an upstream: the forwarder passes over those that are open.
///
/// ```
/// use gateway_core::upstream::Upstream;
/// use gateway_layers::circuit_breaker::{EndpointBreakers, Settings};
///
/// let breakers = EndpointBreakers::new(Settings::default(), "orders");
/// let orders = Upstream::new(["http://10.0.0.1:8080", "http://10.0.0.2:8080"]);
/// assert!(breakers.guard(orders).build().is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct EndpointBreakers {
    template: Breaker,
    place: Arc<str>,
    meter: Meter,
    shelf: Arc<Shelf>,
}

impl EndpointBreakers {
    /// Circuits with these settings; `place`, the name of a route or an upstream, is part of their identity and of
    /// their metrics' labels.
    #[must_use]
    pub fn new(settings: Settings, place: &str) -> Self {
        Self {
            template: Breaker::new(settings),
            place: place.into(),
            meter: Meter::default(),
            shelf: Arc::default(),
        }
    }

    /// What counts as a failure.
    #[must_use]
    pub fn classify(mut self, classify: impl Classify + 'static) -> Self {
        self.template.classify = Arc::new(classify);
        self
    }

    /// Whether endpoints are passed over.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.template.mode = mode;
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.template.clock = clock;
        self
    }

    /// Shows every circuit in this meter; see [`CircuitBreakerLayer::meter`](super::CircuitBreakerLayer::meter). The
    /// label `endpoint` is its URL.
    #[must_use]
    pub fn meter(mut self, meter: &Meter) -> Self {
        self.meter = meter.clone();
        self
    }

    /// Keeps the circuits on this shelf, so that unchanged endpoints keep theirs in the next graph.
    #[must_use]
    pub fn shelf(mut self, shelf: &Arc<Shelf>) -> Self {
        self.shelf = Arc::clone(shelf);
        self
    }

    /// The circuit of the endpoint with this URL, to look at it or to force it.
    #[must_use]
    pub fn breaker(&self, url: &str) -> Breaker {
        let Breaker { settings, clock, .. } = &self.template;
        // Another window counts in other spans of time.
        let identity =
            Identity::new("circuit_breaker", &self.place).and(url).and(format!("{:?}", settings.window));
        let kept = self.shelf.state(identity, || Kept::new(clock));
        let counts = Counts::new(&self.meter, &self.place, url, true);
        counts.show(&kept);
        Breaker { kept, counts, ..self.template.clone() }
    }

    /// The upstream with a circuit at each endpoint.
    #[must_use]
    pub fn guard(&self, upstream: Upstream) -> Upstream {
        let breakers = self.clone();
        upstream.guard(move |endpoint: &Endpoint| Arc::new(Guard::new(&breakers, endpoint.url())))
    }
}

/// One endpoint's circuit, as the forwarder sees it.
pub(super) struct Guard {
    url: Arc<str>,
    breaker: Breaker,
}

impl Guard {
    pub(super) fn new(breakers: &EndpointBreakers, url: &Arc<str>) -> Self {
        Self { url: Arc::clone(url), breaker: breakers.breaker(url) }
    }
}

impl EndpointGuard for Guard {
    fn admit(&self) -> Result<TryTicket, Duration> {
        Ok(self.breaker.admit(&self.breaker.kept)?.map_or(WITHOUT, pack))
    }

    fn answered(&self, ticket: TryTicket, head: &Parts) -> bool {
        let Some(ticket) = unpack(ticket) else { return false };
        let outcome = self.breaker.classify.classify(Ok(head.into()));
        self.breaker.record(&self.breaker.kept, ticket, outcome);
        outcome == Outcome::Success
    }

    fn settle(&self, ticket: TryTicket, end: TryEnd<'_>) {
        let (Some(ticket), kept) = (unpack(ticket), &self.breaker.kept) else { return };
        match end {
            TryEnd::Failed(error) => {
                self.breaker.record(kept, ticket, self.breaker.classify.classify(Err(error)));
            }
            TryEnd::Abandoned => self.breaker.record(kept, ticket, Outcome::Ignored),
            TryEnd::BrokeOff => self.breaker.spoil(kept, ticket),
        }
    }

    fn explain(&self) -> Explanation {
        let explained = self.breaker.explain(&self.breaker.kept, &self.url);
        let is_passed_over = explained.verdict == Verdict::Refuse;
        Explanation { verdict: if is_passed_over { Verdict::Skip } else { explained.verdict }, ..explained }
    }
}

/// The generation and, in microseconds, the start: 48 bits are 8 years.
pub(super) fn pack(ticket: Ticket) -> TryTicket {
    TryTicket(u64::from(ticket.generation) << 48 | (ticket.start / MICRO) & MICROS_MASK)
}

pub(super) fn unpack(TryTicket(bits): TryTicket) -> Option<Ticket> {
    let ticket =
        Ticket { generation: (bits >> 48) as u16, start: (bits & MICROS_MASK) * MICRO, half_opened: false };
    (TryTicket(bits) != WITHOUT).then_some(ticket)
}

/// A try that no circuit counts.
const WITHOUT: TryTicket = TryTicket(u64::MAX);
const MICRO: u64 = 1_000;
const MICROS_MASK: u64 = (1 << 48) - 1;
