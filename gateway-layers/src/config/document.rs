use gateway_core::upstream::Upstream;

use super::{Context, Declared, Problems, Section, Source, Workers, listen, read, stack, upstream};
use crate::{
    metrics::MetricsEndpoint,
    routing::{self, NotFound, RoutingLayer, Rule, Stack, TableBuilder},
};

/// Reads a document and makes a gateway of it. Of what it names, only the files of certificates and keys are read;
/// nothing is resolved, connected to or listened on yet, so this also serves to check a document.
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
/// listen: 127.0.0.1:8080 # one address, or a list: see `Listen`
/// workers: per_cpu       # per_cpu | shared | a number of threads
/// request_id: {...}      # and the other concerns of the whole gateway, each under its own name
/// routing: {...}         # what requests get that no route serves
/// routes:
///   - name: orders       # which requests: see routing
///     prefix: /orders
///     rate_limit: {...}  # the concerns of the route
///     upstream: http://10.0.0.1:8080
/// ```
pub(super) fn document(section: &mut Section<'_>) -> Option<Declared> {
    let listeners = listen::listen(section);
    let workers = section.or("workers", Workers::default());
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
    let table = table.build();
    let routing = match routing {
        Some(make) => make(table),
        None => RoutingLayer::of(table),
    };
    Some(Declared::new(listeners, workers, wide, routing, lines, section))
}

fn route(section: &mut Section<'_>, table: &mut TableBuilder<Stack>, lines: &mut Vec<String>) -> Option<()> {
    let rule = routing::config::read(section);
    if let Some(rule) = &rule {
        section.stand_at(rule.route().name());
    }
    let concerns = stack::route(section);
    let upstream = match concerns.is_an_end() {
        true if section.has("upstream") => upstream::optional(section, concerns.breakers.as_ref()),
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
