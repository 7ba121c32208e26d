//! What a server counts.

use super::patience::Wait;
use crate::meter::{Counter, Gauge, Meter};

#[derive(Debug)]
pub(super) struct Counts {
    pub(super) open: Gauge,
    pub(super) accepted: Counter,
    pub(super) refused: Counter,
    pub(super) accept_errors: Counter,
    pub(super) proxy_protocol_errors: Counter,
    #[cfg(feature = "tls")]
    pub(super) handshakes: Handshakes,
    #[cfg(feature = "tls")]
    handshake: Counter,
    protocol: Counter,
    head: Counter,
    request: Counter,
    write: Counter,
}

/// Handshakes of TLS by their end.
#[cfg(feature = "tls")]
#[derive(Debug)]
pub(super) struct Handshakes {
    pub(super) full: Counter,
    pub(super) resumed: Counter,
    pub(super) failed: Counter,
}

#[cfg(feature = "tls")]
impl Handshakes {
    fn new(meter: &Meter) -> Self {
        let ended = |outcome: &str| {
            let help = "Handshakes of TLS by their end; those that took too long are connection timeouts.";
            meter.counter("gateway_tls_handshakes_total", help, &[("outcome", outcome)])
        };
        Self { full: ended("full"), resumed: ended("resumed"), failed: ended("failed") }
    }
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
            proxy_protocol_errors: meter.counter(
                "gateway_proxy_protocol_errors_total",
                "Connections without the header of the PROXY protocol that they should begin with.",
                &[],
            ),
            #[cfg(feature = "tls")]
            handshakes: Handshakes::new(meter),
            #[cfg(feature = "tls")]
            handshake: given_up("handshake"),
            protocol: given_up("protocol"),
            head: given_up("head"),
            request: given_up("request"),
            write: given_up("write"),
        }
    }

    /// A connection was ended because its client kept us waiting for this.
    pub(super) fn given_up(&self, wait: Wait) {
        match wait {
            #[cfg(feature = "tls")]
            Wait::Handshake => &self.handshake,
            Wait::Protocol => &self.protocol,
            Wait::Head => &self.head,
            Wait::Request => &self.request,
            Wait::Write => &self.write,
        }
        .increment();
    }
}
