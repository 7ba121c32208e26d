//! The circuit against a plain model: a list of results with their times, and no atomics.

use std::time::Duration;

use proptest::prelude::*;

use super::super::{Change, Circuit, Outcome, Reason, Settings, State, Ticket, Totals};

#[derive(Debug)]
struct Model {
    settings: Settings,
    stage: Stage,
    generation: u64,
    streak: u32,
    /// Time, whether it failed, whether it was slow.
    calls: Vec<(u64, bool, bool)>,
    spoilt: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Closed,
    Open(u64),
    HalfOpen { inside: u32, succeeded: u32 },
    Forced(State),
}

impl Model {
    fn go(&mut self, stage: Stage) {
        self.stage = stage;
        self.generation += 1;
        self.calls.clear();
        self.spoilt.clear();
    }

    fn acquire(&mut self, now: u64) -> Result<bool, Duration> {
        match self.stage {
            Stage::Closed | Stage::Forced(State::ForcedClosed) => Ok(false),
            Stage::Forced(_) => Err(self.settings.open),
            Stage::Open(until) if now < until => Err(Duration::from_nanos(until - now)),
            Stage::Open(_) => {
                self.go(Stage::HalfOpen { inside: 1, succeeded: 0 });
                Ok(true)
            }
            Stage::HalfOpen { inside, succeeded } if inside + succeeded < self.settings.probes => {
                self.stage = Stage::HalfOpen { inside: inside + 1, succeeded };
                Ok(false)
            }
            Stage::HalfOpen { .. } => Err(Duration::from_secs(1)),
        }
    }

    fn record(&mut self, call: &Call, now: u64, outcome: Outcome) -> Option<Change> {
        if outcome == Outcome::Ignored {
            self.cancel(call);
            return None;
        }
        if call.generation != self.generation {
            return None;
        }
        let failed = outcome == Outcome::Failure;
        let slow =
            self.settings.slow.is_some_and(|(than, _)| Duration::from_nanos(now - call.ticket.start) >= than);
        match self.stage {
            Stage::Closed => {
                self.calls.push((now, failed, slow));
                if failed || slow { self.judge(now) } else { None }
            }
            Stage::HalfOpen { .. } if failed || slow => Some(self.reopen(now)),
            Stage::HalfOpen { succeeded, .. } if succeeded + 1 == self.settings.probes => {
                self.go(Stage::Closed);
                self.streak = 0;
                Some(Change::Closed)
            }
            Stage::HalfOpen { inside, succeeded } => {
                self.stage = Stage::HalfOpen { inside: inside - 1, succeeded: succeeded + 1 };
                None
            }
            _ => None,
        }
    }

    fn cancel(&mut self, call: &Call) {
        if let Stage::HalfOpen { inside, succeeded } = self.stage
            && call.generation == self.generation
        {
            self.stage = Stage::HalfOpen { inside: inside - 1, succeeded };
        }
    }

    fn spoil(&mut self, call: &Call, now: u64) -> Option<Change> {
        match self.stage {
            _ if call.generation != self.generation => None,
            Stage::Closed => {
                self.spoilt.push(now);
                self.judge(now)
            }
            Stage::HalfOpen { .. } => Some(self.reopen(now)),
            _ => None,
        }
    }

    fn totals(&self, now: u64) -> Totals {
        let bucket = |time: u64| time / (self.settings.window.as_nanos() as u64 / 10);
        let counts = |time: u64| bucket(now) - bucket(time) < 10;
        let count = |what: fn(&(u64, bool, bool)) -> bool| {
            self.calls.iter().filter(|call| counts(call.0) && what(call)).count() as u64
        };
        let spoilt = self.spoilt.iter().filter(|&&time| counts(time)).count() as u64;
        let calls = count(|_| true);
        let failures = (count(|call| call.1) + spoilt).min(calls);
        Totals { calls, failures, slow: count(|call| call.2) }
    }

    fn judge(&mut self, now: u64) -> Option<Change> {
        let reason = self.settings.judge(self.totals(now))?;
        self.streak = 0;
        Some(self.open(now, reason))
    }

    fn reopen(&mut self, now: u64) -> Change {
        self.streak += 1;
        self.open(now, Reason::Probe)
    }

    fn open(&mut self, now: u64, reason: Reason) -> Change {
        let time = self.settings.open_time(self.streak.min(31) as u8);
        let until = (now + time.as_nanos() as u64) / 1_000_000 * 1_000_000;
        self.go(Stage::Open(until));
        Change::Opened(reason, time)
    }

    fn state(&self) -> State {
        match self.stage {
            Stage::Closed => State::Closed,
            Stage::Open(_) => State::Open,
            Stage::HalfOpen { .. } => State::HalfOpen,
            Stage::Forced(state) => state,
        }
    }
}

#[derive(Debug)]
struct Call {
    ticket: Ticket,
    /// The model's generation, which never wraps.
    generation: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Acquire,
    Record(prop::sample::Index, Outcome),
    Spoil(prop::sample::Index),
    Wait(u64),
    Force(State),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Success),
        3 => Just(Outcome::Failure),
        1 => Just(Outcome::Ignored),
    ];
    let forced = prop_oneof![Just(State::ForcedOpen), Just(State::ForcedClosed), Just(State::Closed)];
    prop_oneof![
        40 => Just(Step::Acquire),
        40 => (any::<prop::sample::Index>(), outcome).prop_map(|(index, outcome)| Step::Record(index, outcome)),
        5 => any::<prop::sample::Index>().prop_map(Step::Spoil),
        20 => (0_u64..500_000_000).prop_map(Step::Wait),
        1 => forced.prop_map(Step::Force),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let slow = prop::option::of((50_u64..500, 0.2..1.0));
    let (rate, open, open_max) = (0.1..1.0, 1_u64..900, 0_u64..5_000);
    (1_u64..8, rate, slow, open, open_max, 1_u32..5).prop_map(
        |(minimum, rate, slow, open, open_max, probes)| {
            let settings = Settings::default().window(Duration::from_secs(1)).minimum(minimum).probes(probes);
            let settings = settings.failure_rate(rate).open(Duration::from_millis(open));
            let settings = settings.open_max(Duration::from_millis(open_max));
            match slow {
                Some((than, rate)) => settings.slow(Duration::from_millis(than), rate),
                None => settings,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// The same decisions as the model, whatever comes in whatever order: late results, lost probes, waits.
    #[test]
    fn decides_as_the_model_does(settings in settings(), steps in prop::collection::vec(step(), 1..300)) {
        let circuit = Circuit::default();
        let mut model = Model {
            settings,
            stage: Stage::Closed,
            generation: 0,
            streak: 0,
            calls: Vec::new(),
            spoilt: Vec::new(),
        };
        let (mut now, mut under_way, mut succeeded) = (0, Vec::<Call>::new(), Vec::<Call>::new());
        for step in steps {
            match step {
                Step::Wait(nanos) => now += nanos,
                Step::Acquire => {
                    let looked = circuit.look(&settings, now);
                    let taken = circuit.acquire(&settings, now);
                    prop_assert_eq!(taken.map(Ticket::half_opened), model.acquire(now));
                    prop_assert_eq!(taken.map(drop), looked, "looking says what asking would");
                    if let Ok(ticket) = taken {
                        under_way.push(Call { ticket, generation: model.generation });
                    }
                }
                Step::Record(index, outcome) if !under_way.is_empty() => {
                    let call = under_way.swap_remove(index.index(under_way.len()));
                    let change = circuit.record(&settings, call.ticket, now, outcome);
                    prop_assert_eq!(change, model.record(&call, now, outcome));
                    if outcome == Outcome::Success {
                        succeeded.push(call);
                    }
                }
                Step::Spoil(index) if !succeeded.is_empty() => {
                    let call = succeeded.swap_remove(index.index(succeeded.len()));
                    prop_assert_eq!(circuit.spoil(&settings, call.ticket, now), model.spoil(&call, now));
                }
                Step::Force(state) => {
                    match state {
                        State::ForcedOpen => circuit.force_open(),
                        State::ForcedClosed => circuit.force_closed(),
                        _ => circuit.reset(),
                    }
                    model.streak = 0;
                    model.go(if state == State::Closed { Stage::Closed } else { Stage::Forced(state) });
                }
                Step::Record(..) | Step::Spoil(_) => {}
            }
            prop_assert_eq!(circuit.state(), model.state());
            if model.stage == Stage::Closed {
                prop_assert_eq!(circuit.totals(&settings, now), model.totals(now));
            }
        }
    }
}
