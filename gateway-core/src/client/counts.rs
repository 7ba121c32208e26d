use crate::meter::{Counter, Gauge, Meter};

/// What is counted of the connections to an endpoint.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) open: Gauge,
    pub(super) idle: Gauge,
    pub(super) opened: Counter,
    pub(super) reused: Counter,
    pub(super) resent: Counter,
}

impl Counts {
    pub(super) fn new(meter: &Meter, upstream: &str, endpoint: &str) -> Self {
        let gauge = |state| {
            let labels = [("upstream", upstream), ("endpoint", endpoint), ("state", state)];
            meter.gauge("gateway_upstream_connections", "Connections to an endpoint.", &labels)
        };
        let counter =
            |name, help| meter.counter(name, help, &[("upstream", upstream), ("endpoint", endpoint)]);
        Self {
            open: gauge("open"),
            idle: gauge("idle"),
            opened: counter("gateway_upstream_connections_opened_total", "Connections that came about."),
            reused: counter(
                "gateway_upstream_connections_reused_total",
                "Requests over a connection that was there already.",
            ),
            resent: counter(
                "gateway_upstream_resent_total",
                "Requests that were sent once more, because the connection they were meant for had ended.",
            ),
        }
    }
}
