//! What a server counts.

use super::patience::Wait;
use crate::meter::{Counter, Gauge, Meter};

#[derive(Debug)]
pub(super) struct Counts {
    pub(super) open: Gauge,
    pub(super) accepted: Counter,
    pub(super) refused: Counter,
    pub(super) accept_errors: Counter,
    protocol: Counter,
    head: Counter,
    request: Counter,
    write: Counter,
}

impl Counts {
    pub(super) fn new(meter: &Meter) -> Self {
        let arrived = |outcome: &str| {
            let help = "Connections by what became of them when they arrived.";
            meter.counter("gateway_connections_total", help, &[("outcome", outcome)])
        };
        let given_up = |waited_for: &str| {
            let help = "Connections that were ended because their client kept the server waiting.";
            meter.counter("gateway_connection_timeouts_total", help, &[("waited_for", waited_for)])
        };
        Self {
            open: meter.gauge("gateway_connections", "Open connections of clients.", &[]),
            accepted: arrived("accepted"),
            refused: arrived("refused"),
            accept_errors: meter.counter(
                "gateway_accept_errors_total",
                "Connections that could not be accepted.",
                &[],
            ),
            protocol: given_up("protocol"),
            head: given_up("head"),
            request: given_up("request"),
            write: given_up("write"),
        }
    }

    /// A connection was ended because its client kept us waiting for this.
    pub(super) fn given_up(&self, wait: Wait) {
        match wait {
            Wait::Protocol => &self.protocol,
            Wait::Head => &self.head,
            Wait::Request => &self.request,
            Wait::Write => &self.write,
        }
        .increment();
    }
}
