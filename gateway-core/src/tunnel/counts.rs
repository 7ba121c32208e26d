//! What tunnels count.

use super::copy::End;
use crate::meter::{Counter, Gauge, Meter};

#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) open: Gauge,
    pub(super) up: Counter,
    pub(super) down: Counter,
    ends: [Counter; End::ALL.len()],
}

impl Counts {
    pub(super) fn new(meter: &Meter) -> Self {
        let bytes = |direction| {
            let help = "Bytes that passed through tunnels.";
            meter.counter("gateway_tunnel_bytes_total", help, &[("direction", direction)])
        };
        let ended = |end: End| {
            let help = "Tunnels by how they ended.";
            meter.counter("gateway_tunnels_total", help, &[("end", end.as_str())])
        };
        Self {
            open: meter.gauge("gateway_tunnels", "Open tunnels.", &[]),
            up: bytes("up"),
            down: bytes("down"),
            ends: End::ALL.map(ended),
        }
    }

    pub(super) fn ended(&self, end: End) {
        self.ends[end as usize].increment();
    }
}
