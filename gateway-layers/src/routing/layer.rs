use std::{fmt, sync::Arc};

use gateway_core::{
    Clock,
    meter::{Counter, Meter},
    phase::{self, Staged},
};

use super::{
    Rule, Stack,
    service::Routing,
    table::{RuleError, Table},
};

/// Hands requests over to the stack of the rule that matches; the others go to the wrapped service. See the
/// [module](super).
#[derive(Clone, Debug)]
pub struct RoutingLayer {
    pub(super) table: Arc<Table<Stack>>,
    pub(super) counts: Counts,
    pub(super) clock: Clock,
}

impl RoutingLayer {
    /// A layer of these rules.
    ///
    /// # Errors
    /// Every rule that cannot be used, with its name and the reason.
    pub fn new(rules: impl IntoIterator<Item = (Rule, Stack)>) -> Result<Self, RulesError> {
        Ok(Self::of(Table::new(rules).map_err(RulesError)?))
    }

    /// A layer of a table whose rules are all right.
    pub(crate) fn of(table: Table<Stack>) -> Self {
        Self { table: Arc::new(table), counts: Counts::default(), clock: Clock::default() }
    }

    /// Counts requests in this meter as `gateway_routing_total{outcome}`: `matched`, `no_route`,
    /// `method_not_allowed`, and `refused` for those that were refused at the edge.
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
            refused: counter("refused"),
        }
    }
}
