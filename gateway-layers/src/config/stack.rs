//! What a declared gateway is made of: which concerns, and in which order.
//!
//! Concerns that only look at heads are one line in a list of rules or gates; concerns that wrap the call or the body are a
//! layer that is absent (`off`) where the document does not name it, so the types stay the same.

use std::sync::Arc;

use gateway_core::{Admit, Gate, GateLayer, Gates, client::Forward};
use tower_layer::Layer;

use super::Section;
use crate::{
    access_log::{self, AccessLogLayer, Sink},
    aggregate::{self, AggregateLayer},
    client_addr,
    headers::{self, HeadersLayer},
    limits::{self, LimitsLayer},
    metrics::{self, MetricsLayer},
    rate_limit, request_id,
    routing::Stack,
    timeout,
};

/// Rules about heads, run from one slice.
pub(super) type Rules = Arc<[Arc<dyn Admit>]>;

/// What every request of a gateway meets.
pub(super) struct Wide {
    pub(super) access_log: AccessLogLayer,
    pub(super) sink: Option<Sink>,
    pub(super) metrics: MetricsLayer,
    pub(super) metrics_path: Option<String>,
    pub(super) rules: Rules,
    pub(super) limits: LimitsLayer,
}

/// The concerns of a whole gateway. The client's address and limits are there even if nothing is said: keys and
/// safe sizes should not depend on a line that somebody may forget.
pub(super) fn wide(section: &mut Section<'_>) -> Wide {
    let access_log = section.section("access_log", access_log::config::read);
    let metrics = section.section("metrics", metrics::config::read);
    let limits = section.section("limits", limits::config::read);
    let rules = [
        Some(client_addr(section)),
        rule(section, "request_id", request_id::config::read, |layer| layer.into_rule()),
    ];
    let (access_log, sink) = match access_log {
        Some((layer, sink)) => (layer, Some(sink)),
        None => (AccessLogLayer::off(), None),
    };
    let (metrics, metrics_path) = metrics.unwrap_or((MetricsLayer::off(), None));
    let limits = limits.unwrap_or_else(|| limits::config::default(section));
    Wide { access_log, sink, metrics, metrics_path, rules: rules.into_iter().flatten().collect(), limits }
}

/// What the requests of one route meet.
pub(super) struct Route {
    gates: Gates,
    headers: HeadersLayer,
    aggregate: AggregateLayer,
    is_an_end: bool,
    timeout: timeout::TimeoutLayer,
}

/// The concerns of one route.
pub(super) fn route(section: &mut Section<'_>) -> Route {
    let gates = [gate(section, "rate_limit", rate_limit::config::read, |layer| layer.into_rule())];
    let headers = section.section("headers", headers::config::read).unwrap_or_default();
    let (aggregate, is_an_end) = aggregate::config::read(section);
    let timeout = timeout::config::read(section);
    Route { gates: gates.into_iter().flatten().collect(), headers, aggregate, is_an_end, timeout }
}

impl Route {
    /// Whether every request is answered without an upstream of the route's own.
    pub(super) fn is_an_end(&self) -> bool {
        self.is_an_end
    }

    /// The route's stack in front of its upstream.
    pub(super) fn stack(self, forward: Forward) -> Stack {
        let stack = self.headers.layer(self.aggregate.layer(self.timeout.layer(forward)));
        Stack::explained(GateLayer::from(self.gates).layer(stack))
    }
}

fn client_addr(section: &mut Section<'_>) -> Arc<dyn Admit> {
    let layer = section.section("client_addr", client_addr::config::read);
    Arc::new(layer.unwrap_or_default().into_rule())
}

/// The gate of a concern, if the document names it.
fn gate<L, G: Gate + 'static>(
    section: &mut Section<'_>,
    name: &'static str,
    read: impl FnOnce(&mut Section<'_>) -> Option<L>,
    into_gate: impl FnOnce(L) -> G,
) -> Option<Arc<dyn Gate>> {
    let layer = section.section(name, read)?;
    Some(Arc::new(into_gate(layer)))
}

/// The rule of a concern, if the document names it.
fn rule<L, A: Admit + 'static>(
    section: &mut Section<'_>,
    name: &'static str,
    read: impl FnOnce(&mut Section<'_>) -> Option<L>,
    into_rule: impl FnOnce(L) -> A,
) -> Option<Arc<dyn Admit>> {
    let layer = section.section(name, read)?;
    Some(Arc::new(into_rule(layer)))
}
