//! Many calls: in a storm of failures, and from many threads.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use gateway_core::random::Random;

use super::super::{Circuit, Outcome, Settings, State};

const SECOND: u64 = 1_000_000_000;

/// A thousand calls a second for ten seconds, a share of which fails at random. The share of failures that the window
/// held when the circuit opened, if it did.
fn opened_at(failing: f64, settings: &Settings, seed: u64) -> Option<f64> {
    let (circuit, random) = (Circuit::default(), Random::seeded(seed));
    for call in 0..10_000 {
        let now = call * SECOND / 1_000;
        let ticket = circuit.acquire(settings, now).unwrap();
        let fails = (random.next() as f64) < failing * u64::MAX as f64;
        let before = circuit.totals(settings, now);
        circuit.record(settings, ticket, now, if fails { Outcome::Failure } else { Outcome::Success });
        if circuit.state() == State::Open {
            return Some((before.failures + 1) as f64 / (before.calls + 1) as f64);
        }
    }
    None
}

#[test]
fn a_storm_opens_it_at_the_configured_rate_and_not_below() {
    let settings = Settings::default().minimum(2_000).failure_rate(0.5);
    for seed in 0..50 {
        assert_eq!(opened_at(0.30, &settings, seed), None, "30 % are below the rate");
        assert_eq!(opened_at(0.45, &settings, seed), None, "5 points below the rate");
        assert!(opened_at(0.55, &settings, seed).is_some(), "5 points above the rate");
        assert!(opened_at(0.60, &settings, seed).is_some(), "60 % are above the rate");
        let at_thirty = settings.failure_rate(0.3);
        assert_eq!(opened_at(0.25, &at_thirty, seed), None);
        assert!(opened_at(0.35, &at_thirty, seed).is_some());
    }
}

/// An upstream that gets slowly worse: the circuit opens when the window is at its rate.
#[test]
fn it_opens_within_five_points_of_its_rate_while_an_upstream_gets_worse() {
    let settings = Settings::default().minimum(500).failure_rate(0.5);
    for seed in 0..20 {
        let (circuit, random) = (Circuit::default(), Random::seeded(seed));
        let mut now = 0;
        while circuit.state() == State::Closed {
            now += SECOND / 1_000;
            let failing = now as f64 / (200 * SECOND) as f64;
            let ticket = circuit.acquire(&settings, now).unwrap();
            let fails = (random.next() as f64) < failing * u64::MAX as f64;
            circuit.record(&settings, ticket, now, if fails { Outcome::Failure } else { Outcome::Success });
        }
        // The window lags behind by half of its ten seconds, in which this upstream gets 2.5 points worse.
        let failing = now as f64 / (200 * SECOND) as f64 - 0.025;
        assert!((failing - 0.5).abs() < 0.05, "opened at {failing}");
    }
}

/// A dead upstream under full load gets its probes and nothing else, and one probe each open time.
#[test]
fn a_dead_upstream_gets_one_probe_for_each_open_time() {
    let settings = Settings::default();
    let circuit = Circuit::default();
    let mut sent = 0;
    for call in 0..60_000 {
        let now = call * SECOND / 1_000;
        if let Ok(ticket) = circuit.acquire(&settings, now) {
            sent += 1;
            circuit.record(&settings, ticket, now, Outcome::Failure);
        }
    }
    assert_eq!(sent, 20 + 11, "the minimum, and a probe each 5 s of the minute");
}

#[test]
fn threads_lose_no_count_and_open_it_once() {
    let settings = Settings::default().minimum(1_000).failure_rate(1.0);
    let (circuit, changes) = (Circuit::default(), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..249 {
                    let ticket = circuit.acquire(&settings, 0).unwrap();
                    let change = circuit.record(&settings, ticket, 0, Outcome::Failure);
                    changes.fetch_add(u32::from(change.is_some()), Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(circuit.totals(&settings, 0).failures, 996);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Ok(ticket) = circuit.acquire(&settings, 0) {
                    let change = circuit.record(&settings, ticket, 0, Outcome::Failure);
                    changes.fetch_add(u32::from(change.is_some()), Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!((circuit.state(), changes.into_inner()), (State::Open, 1));
}

#[test]
fn there_are_never_more_probes_than_allowed_whoever_asks_and_gives_up() {
    let settings = Settings::default().minimum(1).probes(3).open(Duration::from_millis(1));
    let (circuit, now) = (Circuit::default(), AtomicU64::new(0));
    let (inside, most, probes) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    let open = || {
        let now = now.fetch_add(SECOND, Ordering::SeqCst);
        let ticket = circuit.acquire(&settings, now).unwrap();
        circuit.record(&settings, ticket, now, Outcome::Failure).unwrap();
    };
    for round in 0..300 {
        open();
        let ready = now.load(Ordering::SeqCst);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (circuit, settings, inside, most, probes) =
                    (&circuit, &settings, &inside, &most, &probes);
                scope.spawn(move || {
                    for turn in 0..20 {
                        let Ok(ticket) = circuit.acquire(settings, ready) else { continue };
                        // Once it is closed again, calls are no probes any more.
                        if circuit.state() == State::Closed {
                            return;
                        }
                        probes.fetch_add(1, Ordering::SeqCst);
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        if (round + thread + turn) % 2 == 0 {
                            circuit.cancel(ticket);
                        } else {
                            circuit.record(settings, ticket, ready, Outcome::Success);
                        }
                    }
                });
            }
        });
        if circuit.state() == State::HalfOpen {
            while circuit.state() == State::HalfOpen {
                let ticket = circuit.acquire(&settings, ready).unwrap();
                circuit.record(&settings, ticket, ready, Outcome::Success);
            }
        }
        assert_eq!(circuit.state(), State::Closed, "round {round}: no probe is lost");
    }
    assert!(most.into_inner() <= 3);
    assert!(probes.into_inner() >= 300);
}
