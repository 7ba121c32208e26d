//! What a declared gateway is made of: which concerns, and in which order.
//!
//! Concerns that only look at heads are one line in a list of rules or gates; concerns that wrap the call or the body are a
//! layer that is absent (`off`) where the document does not name it, so the types stay the same.

use std::sync::Arc;

use gateway_core::{Admit, Gate, GateLayer, Gates, client::Forward, seam::SeamLayer};
use tower_layer::Layer;

use super::{Section, section::CALLERS_UNKNOWN};
use crate::{
    access_log::{self, AccessLogLayer, Sink},
    aggregate::{self, AggregateLayer},
    api_key, authorize,
    bulkhead::{self, BulkheadLayer},
    cache::{self, CacheLayer},
    circuit_breaker::{self, EndpointBreakers},
    client_addr,
    fallback::{self, FallbackLayer},
    headers::{self, HeadersLayer},
    json_body::{self, JsonBodyLayer},
    jwt,
    limits::{self, LimitsLayer},
    mask::{self, MaskLayer},
    metrics::{self, MetricsLayer},
    rate_limit, request_id, retry,
    routing::Stack,
    timeout::{self, TimeoutLayer, TryTimeoutLayer},
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
    timeout: TimeoutLayer,
    gates: Gates,
    bulkhead: BulkheadLayer,
    headers: HeadersLayer,
    json_body: JsonBodyLayer,
    mask: MaskLayer,
    cache: CacheLayer,
    aggregate: AggregateLayer,
    is_an_end: bool,
    fallback: FallbackLayer<Forward>,
    retry: retry::config::Declared,
    pub(super) breakers: Option<EndpointBreakers>,
    try_timeout: TryTimeoutLayer,
}

/// The concerns of one route.
pub(super) fn route(section: &mut Section<'_>) -> Route {
    section.know_callers(section.has("jwt") || section.has("api_key"));
    let gates = [
        gate(section, "jwt", jwt::config::read, |layer| layer.into_gate()),
        gate(section, "api_key", api_key::config::read, |layer| layer.into_rule()),
        gate(section, "authorize", authorize::config::read, |layer| layer.into_rule()),
        gate(section, "rate_limit", rate_limit::config::read, |rule| rule),
    ];
    check_callers(section);
    let bulkhead = section.section("bulkhead", bulkhead::config::read).unwrap_or_else(BulkheadLayer::off);
    let headers = section.section("headers", headers::config::read).unwrap_or_default();
    let json_body = section.section("json_body", json_body::config::read).unwrap_or_else(JsonBodyLayer::off);
    let mask = section.section("mask", mask::config::read).unwrap_or_else(MaskLayer::off);
    let cache = section.section("cache", cache::config::read).unwrap_or_else(CacheLayer::off);
    let (timeout, try_timeout) = timeout::config::read(section);
    let (aggregate, is_an_end) = aggregate::config::read(section, timeout.limit());
    let fallback = section.section("fallback", fallback::config::read).unwrap_or_else(FallbackLayer::off);
    let retry = section.section("retry", retry::config::read).unwrap_or_default();
    let breakers = section.section("circuit_breaker", circuit_breaker::config::read);
    let gates = gates.into_iter().flatten().collect();
    Route {
        timeout,
        gates,
        bulkhead,
        headers,
        json_body,
        mask,
        cache,
        aggregate,
        is_an_end,
        fallback,
        retry,
        breakers,
        try_timeout,
    }
}

impl Route {
    /// Whether every request is answered without an upstream of the route's own.
    pub(super) fn is_an_end(&self) -> bool {
        self.is_an_end
    }

    /// The route's stack in front of its upstream.
    pub(super) fn stack(self, forward: Forward) -> Stack {
        let retry = self.retry.over(&forward);
        let tries = self.fallback.layer(retry.layer(self.try_timeout.layer(forward)));
        let answers = self.cache.layer(self.aggregate.layer(tries));
        let shaped = self.headers.layer(self.json_body.layer(self.mask.layer(answers)));
        let gated = GateLayer::from(self.gates).layer(self.bulkhead.layer(shaped));
        Stack::explained(SeamLayer.layer(self.timeout.layer(gated)))
    }
}

/// Who the caller is, is said once; and `authorize` needs somebody who says it.
fn check_callers(section: &mut Section<'_>) {
    match (section.has("jwt"), section.has("api_key")) {
        (true, true) => section.fail(
            "api_key",
            "a route takes tokens or API keys; to take either is not supported yet, use one route for each",
        ),
        (false, false) if section.has("authorize") => {
            section.fail("authorize", CALLERS_UNKNOWN);
        }
        _ => {}
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
