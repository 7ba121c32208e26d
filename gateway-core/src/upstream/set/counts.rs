use crate::{
    meter::{Counter, Gauge, Meter},
    upstream::Settled,
};

/// What is shown of a set of endpoints: `gateway_upstream_endpoints{upstream, state}` (`known`, `available`, `used`,
/// `ejected`, `unhealthy`), `gateway_upstream_panic{upstream}` (1 while almost all are out),
/// `gateway_upstream_ejections_total{upstream, reason}` (`consecutive`, `success_rate`) and
/// `gateway_upstream_checks_total{upstream, outcome}` (`good`, `bad`).
#[derive(Clone, Debug, Default)]
pub struct Counts {
    known: Gauge,
    available: Gauge,
    used: Gauge,
    ejected: Gauge,
    unhealthy: Gauge,
    panic: Gauge,
    failures_in_a_row: Counter,
    success_rate: Counter,
    good_checks: Counter,
    bad_checks: Counter,
}

impl Counts {
    /// Those of the upstream with this label.
    #[must_use]
    pub fn new(meter: &Meter, upstream: &str) -> Self {
        let endpoints = |state: &str| {
            let help = "Endpoints of an upstream, by what may be done with them.";
            meter.gauge("gateway_upstream_endpoints", help, &[("upstream", upstream), ("state", state)])
        };
        let ejections = |reason: &str| {
            let help = "Endpoints that were ejected because their requests failed.";
            meter.counter(
                "gateway_upstream_ejections_total",
                help,
                &[("upstream", upstream), ("reason", reason)],
            )
        };
        let checks = |outcome: &str| {
            let help = "Checks of endpoints that ended.";
            meter.counter(
                "gateway_upstream_checks_total",
                help,
                &[("upstream", upstream), ("outcome", outcome)],
            )
        };
        let help = "1 while almost all endpoints of an upstream are out.";
        Self {
            known: endpoints("known"),
            available: endpoints("available"),
            used: endpoints("used"),
            ejected: endpoints("ejected"),
            unhealthy: endpoints("unhealthy"),
            panic: meter.gauge("gateway_upstream_panic", help, &[("upstream", upstream)]),
            failures_in_a_row: ejections("consecutive"),
            success_rate: ejections("success_rate"),
            good_checks: checks("good"),
            bad_checks: checks("bad"),
        }
    }

    pub(super) fn show(&self, settled: &Settled, ejected: usize, unhealthy: usize) {
        let set = |gauge: &Gauge, count: usize| gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        set(&self.known, settled.all);
        set(&self.available, settled.available);
        set(&self.used, settled.used);
        set(&self.ejected, ejected);
        set(&self.unhealthy, unhealthy);
        set(&self.panic, usize::from(settled.panic));
    }

    pub(super) fn checked(&self, is_good: bool) {
        if is_good { &self.good_checks } else { &self.bad_checks }.increment();
    }

    pub(super) fn ejected(&self, reason: &str) {
        match reason {
            "success_rate" => self.success_rate.increment(),
            _ => self.failures_in_a_row.increment(),
        }
    }
}
