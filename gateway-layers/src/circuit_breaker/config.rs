//! The part of the document under `circuit_breaker`, in a route: it guards the endpoints of the route's upstream.

use std::time::Duration;

use gateway_core::Mode;

use super::{EndpointBreakers, Settings};
use crate::config::Section;

/// ```yaml
/// circuit_breaker:
///   window: 10s            # 100ms to 10m
///   minimum: 20            # calls in the window before rates count
///   failure_rate: 0.5      # more than 0, at most 1
///   slow: 2s               # off by default; with `slow_rate`
///   slow_rate: 0.8         # default 0.8
///   open: 5s               # 1ms to 1h
///   open_max: 60s          # the time doubles up to this while probes fail; off by default
///   probes: 3              # 1 to 1000
///   mode: enforce          # enforce | audit | off
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<EndpointBreakers> {
    let window = section.or("window", Duration::from_secs(10));
    let minimum = section.or("minimum", 20_u64);
    let failure_rate = section.or("failure_rate", 0.5);
    let slow = section.optional::<Duration>("slow");
    let slow_rate = section.optional::<f64>("slow_rate");
    let open = section.or("open", Duration::from_secs(5));
    let open_max = section.optional::<Duration>("open_max");
    let probes = section.or("probes", 3_u32);
    let mode = section.or("mode", Mode::Enforce);
    if !(Settings::SHORTEST_WINDOW..=Settings::LONGEST_WINDOW).contains(&window) {
        section.fail("window", "a window lasts from 100ms to 10m");
    }
    if minimum == 0 {
        section.fail("minimum", "at least one call is needed to judge");
    }
    check_rate(section, "failure_rate", failure_rate);
    if let Some(rate) = slow_rate {
        check_rate(section, "slow_rate", rate);
        if slow.is_none() && !section.has("slow") {
            section.fail("slow_rate", "it needs `slow`, the time from which a call is slow");
        }
    }
    if slow.is_some_and(|slow| slow.is_zero()) {
        section.fail("slow", "every call would be slow; leave the key out to judge by failures alone");
    }
    if !(Settings::SHORTEST_OPEN..=Settings::LONGEST_OPEN).contains(&open) {
        section.fail("open", "a circuit stays open from 1ms to 1h");
    }
    if open_max.is_some_and(|most| most < open || most > Settings::LONGEST_OPEN) {
        section.fail("open_max", "it is from `open` to 1h");
    }
    if !(1..=Settings::MOST_PROBES).contains(&probes) {
        section.fail("probes", "from 1 to 1000 calls try whether the upstream is back");
    }
    let mut settings = Settings::default()
        .window(window)
        .minimum(minimum)
        .failure_rate(failure_rate)
        .open(open)
        .open_max(open_max.unwrap_or_default())
        .probes(probes);
    if let Some(slow) = slow {
        settings = settings.slow(slow, slow_rate.unwrap_or(0.8));
    }
    let context = section.context();
    let breakers = EndpointBreakers::new(settings, section.place()).mode(mode);
    Some(breakers.clock(context.clock.clone()).meter(&context.meter).shelf(&context.shelf))
}

fn check_rate(section: &mut Section<'_>, name: &'static str, rate: f64) {
    if rate <= 0.0 || rate > 1.0 {
        section.fail(name, "a rate is more than 0 and at most 1, such as 0.5 for half of the calls");
    }
}
