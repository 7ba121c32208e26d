use std::{fmt, sync::Arc};

use gateway_core::{
    Clock,
    meter::{Counter, Meter},
    phase::{self, Staged},
};

use super::{LiveTable, Rule, RuleError, Stack, Table, service::Routing};

/// Hands requests over to the stack of the rule that matches; the others go to the wrapped service. See the
/// [module](super).
#[derive(Clone, Debug)]
pub struct RoutingLayer {
    pub(super) live: LiveTable,
    pub(super) counts: Counts,
    pub(super) clock: Clock,
    pub(super) says_methods: bool,
    pub(super) refuses_hosts: bool,
}

impl RoutingLayer {
    /// A layer of these rules.
    ///
    /// # Errors
    /// Every rule that cannot be used, with its name and the reason.
    pub fn new(rules: impl IntoIterator<Item = (Rule, Stack)>) -> Result<Self, RulesError> {
        Ok(Self::of(Table::new(rules).map_err(RulesError)?))
    }

    /// A layer that asks this table, or whatever table the handle holds when a request arrives.
    #[must_use]
    pub fn of(table: impl Into<LiveTable>) -> Self {
        Self {
            live: table.into(),
            counts: Counts::default(),
            clock: Clock::default(),
            says_methods: true,
            refuses_hosts: false,
        }
    }

    /// Whether a request whose host and path have rules, but none for its method, is answered 405 with `Allow`. If not,
    /// it goes to the wrapped service like one without a rule. Default: yes.
    #[must_use]
    pub fn method_not_allowed(mut self, says: bool) -> Self {
        self.says_methods = says;
        self
    }

    /// Whether a request for a host that no rule is for is answered 421 `misdirected` (RFC 9110, 15.5.20), which tells
    /// an HTTP/2 client to ask over another connection. If not, it goes to the wrapped service. Default: no.
    #[must_use]
    pub fn misdirected(mut self, refuses: bool) -> Self {
        self.refuses_hosts = refuses;
        self
    }

    /// The time that rules with a time window look at.
    #[must_use]
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.clock = clock.clone();
        self
    }

    /// Counts requests in this meter as `gateway_routing_total{outcome}`: `matched`, `no_route`,
    /// `method_not_allowed`, `misdirected`, and `refused` for those that were refused at the edge.
    #[must_use]
    pub fn meter(mut self, meter: &Meter) -> Self {
        self.counts = Counts::new(meter);
        self
    }
}

impl<S> tower_layer::Layer<S> for RoutingLayer {
    type Service = Routing<S>;

    fn layer(&self, inner: S) -> Routing<S> {
        Routing::new(Arc::new(self.clone()), inner)
    }
}

impl Staged for RoutingLayer {
    type Phase = phase::Choose;
}

/// Rules that cannot be used.
#[derive(Clone, Debug)]
pub struct RulesError(Vec<RuleError>);

impl RulesError {
    /// Each of them.
    #[must_use]
    pub fn errors(&self) -> &[RuleError] {
        &self.0
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("\n"))
    }
}

impl std::error::Error for RulesError {}

/// How often routing ended in which way.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) matched: Counter,
    pub(super) no_route: Counter,
    pub(super) method_not_allowed: Counter,
    pub(super) misdirected: Counter,
    pub(super) refused: Counter,
}

impl Counts {
    fn new(meter: &Meter) -> Self {
        let counter = |outcome: &str| {
            meter.counter(
                "gateway_routing_total",
                "Requests by the outcome of routing.",
                &[("outcome", outcome)],
            )
        };
        Self {
            matched: counter("matched"),
            no_route: counter("no_route"),
            method_not_allowed: counter("method_not_allowed"),
            misdirected: counter("misdirected"),
            refused: counter("refused"),
        }
    }
}
