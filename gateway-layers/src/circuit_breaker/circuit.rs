//! The circuit, decided purely: data and `now` in, a decision out.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{
    Reason, Settings, Totals,
    window::{Span, Window},
};

/// Closed, open or half open, in one word and a ring of counters; no lock.
///
/// Time is nanoseconds of any clock that does not jump back. Every change of state starts a new generation, and a
/// result that belongs to an older one changes nothing.
#[derive(Debug, Default)]
pub struct Circuit {
    word: AtomicU64,
    window: Window,
}

/// The right to make one call; given back with [`Circuit::record`] or [`Circuit::cancel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a probe whose ticket is lost is never replaced"]
pub struct Ticket {
    pub(super) generation: u16,
    pub(super) start: u64,
    pub(super) half_opened: bool,
}

impl Ticket {
    /// Whether this call is the first probe: the circuit was open until now.
    #[must_use]
    pub const fn half_opened(self) -> bool {
        self.half_opened
    }
}

/// How a call ended, as far as a circuit cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream did its work.
    Success,
    /// The upstream failed.
    Failure,
    /// It says nothing about the upstream.
    Ignored,
}

/// What a circuit lets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Everything.
    #[default]
    Closed,
    /// A few probes.
    HalfOpen,
    /// Nothing.
    Open,
    /// Nothing, until somebody says otherwise.
    ForcedOpen,
    /// Everything, until somebody says otherwise.
    ForcedClosed,
}

/// A change of state that a result brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It opened, for so long.
    Opened(Reason, Duration),
    /// All probes succeeded.
    Closed,
}

impl Circuit {
    /// A ticket if the circuit is closed, without looking at the clock; for circuits that do not mind slow calls.
    #[must_use]
    pub fn pass(&self) -> Option<Ticket> {
        let word = self.load();
        let is_closed = matches!(word.stage, Stage::Closed | Stage::ForcedClosed);
        is_closed.then_some(Ticket { generation: word.generation, start: 0, half_opened: false })
    }

    /// Asks for one call.
    ///
    /// # Errors
    /// When it makes sense to ask again.
    pub fn acquire(&self, settings: &Settings, now: u64) -> Result<Ticket, Duration> {
        loop {
            let word = self.load();
            let next = match word.stage {
                Stage::Closed | Stage::ForcedClosed => {
                    return Ok(Ticket { generation: word.generation, start: now, half_opened: false });
                }
                Stage::ForcedOpen => return Err(settings.open),
                Stage::Open { until } if now < until * MILLI => {
                    return Err(Duration::from_nanos(until * MILLI - now));
                }
                Stage::Open { .. } => word.then(Stage::HalfOpen { inside: 1, succeeded: 0 }),
                Stage::HalfOpen { inside, succeeded } if inside + succeeded < settings.probes => {
                    Word { stage: Stage::HalfOpen { inside: inside + 1, succeeded }, ..word }
                }
                Stage::HalfOpen { .. } => return Err(PROBING),
            };
            if self.swap(word, next) {
                let half_opened = next.generation != word.generation;
                return Ok(Ticket { generation: next.generation, start: now, half_opened });
            }
        }
    }

    /// What became of a call. A success never opens a circuit, so it costs one addition.
    pub fn record(&self, settings: &Settings, ticket: Ticket, now: u64, outcome: Outcome) -> Option<Change> {
        if outcome == Outcome::Success && settings.slow.is_none() {
            let word = self.load();
            if word.stage == Stage::Closed && word.generation == ticket.generation {
                self.window.add_success(self.span(settings, word, now));
                return None;
            }
        }
        self.record_any(settings, ticket, now, outcome)
    }

    fn record_any(&self, settings: &Settings, ticket: Ticket, now: u64, outcome: Outcome) -> Option<Change> {
        let failed = match outcome {
            Outcome::Success => false,
            Outcome::Failure => true,
            Outcome::Ignored => {
                self.cancel(ticket);
                return None;
            }
        };
        let slow = settings.is_slow(now.saturating_sub(ticket.start));
        loop {
            let word = self.load();
            if word.generation != ticket.generation {
                return None;
            }
            let Stage::HalfOpen { inside, succeeded } = word.stage else {
                if word.stage != Stage::Closed {
                    return None;
                }
                let span = self.span(settings, word, now);
                self.window.add(span, failed, slow);
                return if failed || slow { self.judge(settings, word, span, now) } else { None };
            };
            if failed || slow {
                if let Some(change) = self.open(settings, word, now, Reason::Probe) {
                    return Some(change);
                }
                continue;
            }
            let is_last = succeeded + 1 >= settings.probes;
            let next = match is_last {
                true => Word { streak: 0, ..word.then(Stage::Closed) },
                false => {
                    let stage =
                        Stage::HalfOpen { inside: inside.saturating_sub(1), succeeded: succeeded + 1 };
                    Word { stage, ..word }
                }
            };
            if self.swap(word, next) {
                return is_last.then_some(Change::Closed);
            }
        }
    }

    /// The call was dropped or says nothing: it counts neither way, and another may probe in its place.
    pub fn cancel(&self, ticket: Ticket) {
        loop {
            let word = self.load();
            let Stage::HalfOpen { inside, succeeded } = word.stage else { return };
            if word.generation != ticket.generation {
                return;
            }
            let stage = Stage::HalfOpen { inside: inside.saturating_sub(1), succeeded };
            if self.swap(word, Word { stage, ..word }) {
                return;
            }
        }
    }

    /// A call that was recorded as a success failed after all: the answer's body broke off.
    pub fn spoil(&self, settings: &Settings, ticket: Ticket, now: u64) -> Option<Change> {
        loop {
            let word = self.load();
            if word.generation != ticket.generation {
                return None;
            }
            match word.stage {
                Stage::Closed => {
                    let span = self.span(settings, word, now);
                    self.window.spoil(span);
                    return self.judge(settings, word, span, now);
                }
                Stage::HalfOpen { .. } => {
                    if let Some(change) = self.open(settings, word, now, Reason::Probe) {
                        return Some(change);
                    }
                }
                _ => return None,
            }
        }
    }

    /// Lets nothing through from now on.
    pub fn force_open(&self) {
        self.force(Stage::ForcedOpen);
    }

    /// Lets everything through from now on, whatever happens.
    pub fn force_closed(&self) {
        self.force(Stage::ForcedClosed);
    }

    /// Closed, with nothing counted, and free to open again.
    pub fn reset(&self) {
        self.force(Stage::Closed);
    }

    /// What it lets through.
    #[must_use]
    pub fn state(&self) -> State {
        match self.load().stage {
            Stage::Closed => State::Closed,
            Stage::HalfOpen { .. } => State::HalfOpen,
            Stage::Open { .. } => State::Open,
            Stage::ForcedOpen => State::ForcedOpen,
            Stage::ForcedClosed => State::ForcedClosed,
        }
    }

    /// What the window of a closed circuit holds.
    #[must_use]
    pub fn totals(&self, settings: &Settings, now: u64) -> Totals {
        self.window.totals(self.span(settings, self.load(), now))
    }

    /// What [`acquire`](Self::acquire) would say, without taking anything.
    ///
    /// # Errors
    /// When it makes sense to ask again.
    pub fn look(&self, settings: &Settings, now: u64) -> Result<(), Duration> {
        match self.load().stage {
            Stage::ForcedOpen => Err(settings.open),
            Stage::Open { until } if now < until * MILLI => Err(Duration::from_nanos(until * MILLI - now)),
            Stage::HalfOpen { inside, succeeded } if inside + succeeded >= settings.probes => Err(PROBING),
            _ => Ok(()),
        }
    }

    /// Opens if the counts say so. Of several threads that see it, one opens and tells.
    fn judge(&self, settings: &Settings, word: Word, span: Span, now: u64) -> Option<Change> {
        let reason = settings.judge(self.window.totals(span))?;
        self.open(settings, word, now, reason)
    }

    fn open(&self, settings: &Settings, word: Word, now: u64, reason: Reason) -> Option<Change> {
        let streak = match reason {
            Reason::Probe => word.streak.saturating_add(1).min(MAX_STREAK),
            _ => 0,
        };
        let time = settings.open_time(streak);
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // Rounded down, so that 5 s are told as 5 s and not as 6.
        let until = (now.saturating_add(nanos) / MILLI) & PAYLOAD_MASK;
        let next = Word { streak, ..word.then(Stage::Open { until }) };
        self.swap(word, next).then_some(Change::Opened(reason, time))
    }

    fn force(&self, stage: Stage) {
        loop {
            let word = self.load();
            if self.swap(word, Word { streak: 0, ..word.then(stage) }) {
                return;
            }
        }
    }

    fn span(&self, settings: &Settings, word: Word, now: u64) -> Span {
        Span::at(now, settings.span, word.generation)
    }

    fn load(&self) -> Word {
        Word::unpack(self.word.load(Ordering::Acquire))
    }

    fn swap(&self, from: Word, to: Word) -> bool {
        let (from, to) = (from.pack(), to.pack());
        self.word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Everything that changes together: 3 bits of stage, 5 of streak, 16 of generation, 40 of what the stage needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    stage: Stage,
    /// How many times in a row probes failed.
    streak: u8,
    generation: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Closed,
    /// Until this millisecond; 40 bits are 34 years.
    Open {
        until: u64,
    },
    /// Probes on their way and probes that succeeded.
    HalfOpen {
        inside: u32,
        succeeded: u32,
    },
    ForcedOpen,
    ForcedClosed,
}

impl Word {
    /// The next generation, in this stage.
    fn then(self, stage: Stage) -> Self {
        Self { stage, generation: self.generation.wrapping_add(1), ..self }
    }

    fn pack(self) -> u64 {
        let (tag, payload) = match self.stage {
            Stage::Closed => (0, 0),
            Stage::Open { until } => (1, until),
            Stage::HalfOpen { inside, succeeded } => (2, u64::from(inside) << 20 | u64::from(succeeded)),
            Stage::ForcedOpen => (3, 0),
            Stage::ForcedClosed => (4, 0),
        };
        tag << 61 | u64::from(self.streak) << 56 | u64::from(self.generation) << 40 | payload
    }

    fn unpack(bits: u64) -> Self {
        let payload = bits & PAYLOAD_MASK;
        let low = |bits: u64| (bits & 0xf_ffff) as u32;
        let stage = match bits >> 61 {
            0 => Stage::Closed,
            1 => Stage::Open { until: payload },
            2 => Stage::HalfOpen { inside: low(payload >> 20), succeeded: low(payload) },
            3 => Stage::ForcedOpen,
            _ => Stage::ForcedClosed,
        };
        Self { stage, streak: (bits >> 56) as u8 & MAX_STREAK, generation: (bits >> 40) as u16 }
    }
}

const MILLI: u64 = 1_000_000;
const PAYLOAD_MASK: u64 = (1 << 40) - 1;
const MAX_STREAK: u8 = 31;

/// When to come back while probes are on their way: how they end is not known, and mostly soon.
const PROBING: Duration = Duration::from_secs(1);
