use std::net::SocketAddr;

use gateway_core::upstream::Upstream;

use super::{Context, Declared, Problems, Section, Source, read, stack, upstream};
use crate::{
    metrics::MetricsEndpoint,
    routing::{self, LiveTable, NotFound, RoutingLayer, Rule, Stack, TableBuilder},
};

/// Reads a document and makes a gateway of it. Nothing is opened, resolved or connected to yet, so this also serves
/// to check a document.
///
/// # Errors
/// Every mistake in it, with its place and what was meant.
pub fn load(
    source: Source<'_>,
    environment: impl Fn(&str) -> Option<String>,
    context: &Context,
) -> Result<Declared, Problems> {
    read(source, environment, context, document)
}

/// ```yaml
/// listen: 127.0.0.1:8080
/// request_id: {...}      # and the other concerns of the whole gateway, each under its own name
/// routing: {...}         # what requests get that no route serves
/// routes:
///   - name: orders       # which requests: see routing
///     prefix: /orders
///     rate_limit: {...}  # the concerns of the route
///     upstream: http://10.0.0.1:8080
/// ```
fn document(section: &mut Section<'_>) -> Option<Declared> {
    let listen = section.or("listen", DEFAULT_LISTEN);
    let wide = stack::wide(section);
    let routing = section.section("routing", routing::config::layer);
    let mut table = TableBuilder::default();
    let mut lines = Vec::new();
    section.demand("routes");
    section.sections("routes", |section| route(section, &mut table, &mut lines));
    if let Some(path) = &wide.metrics_path {
        let rule = Rule::path(path).name("metrics");
        lines.push(format!("{path}  ->  the gateway's own metrics"));
        let endpoint = Stack::explained(MetricsEndpoint::new(&section.context().meter));
        for error in table.add(&rule, endpoint) {
            section.fail("metrics", error.message());
        }
    }
    let owned = section.owned();
    let table = LiveTable::from(table.build());
    let routing = match routing {
        Some(make) => make(table),
        None => RoutingLayer::of(table),
    };
    Some(Declared::new(listen, wide, routing, lines, owned, &section.context().meter))
}

fn route(section: &mut Section<'_>, table: &mut TableBuilder<Stack>, lines: &mut Vec<String>) -> Option<()> {
    let rule = routing::config::read(section);
    if let Some(rule) = &rule {
        section.stand_at(rule.route().name());
    }
    let concerns = stack::route(section);
    let upstream = match concerns.is_an_end() && !section.has("upstream") {
        true => Some((Upstream::nowhere(), "its branches".to_owned())),
        false => upstream::read(section, concerns.breakers.as_ref()),
    };
    let rule = rule?;
    // A rule is checked against the others even if its upstream is wrong: all mistakes are told at once.
    let stack = match upstream {
        Some((forward, urls)) => {
            lines.push(format!("{rule}  ->  {urls}"));
            concerns.stack(forward)
        }
        None => Stack::explained(NotFound),
    };
    let errors = table.add(&rule, stack);
    routing::config::report(section, &errors);
    Some(())
}

/// Only this machine: what the world may reach is a decision.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
