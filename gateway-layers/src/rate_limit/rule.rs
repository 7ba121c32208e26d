use std::{sync::Arc, time::Instant};

use gateway_core::{
    Admit, Clock, Explanation, Facts, Key, Mode, Refusal, Stamp, Verdict,
    key::BucketKey,
    meter::{Counter, Decisions},
};
use http::{Request, StatusCode, request::Parts};

use super::{
    Algorithm, Left, Limit, MissingKey, RateLimitLayer, Table,
    fields::Writer,
    rate::Rate,
    table::{Answer, Ask, FEW, Purpose},
    ticks::Ticks,
};

/// The rule of [`RateLimitLayer`].
#[derive(Clone, Debug)]
pub struct Limiter {
    pub(super) limits: Arc<[Counted]>,
    pub(super) mode: Mode,
    pub(super) writer: Writer,
    table: Arc<Table>,
    clock: Clock,
    decisions: Decisions,
}

/// A limit with what is worked out once.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) limit: Limit,
    rate: Rate,
    /// Which of a key's buckets is the limit's.
    number: u32,
    /// The bucket of all requests without a key.
    nobody: BucketKey,
    exceeded: Counter,
}

/// What is decided about one request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decision {
    /// No limit counts it.
    Skip,
    /// It has no key for this limit, and that is a reason to refuse it.
    NoKey(usize),
    /// All limits were asked.
    Asked(Answer),
}

impl Limiter {
    pub(super) fn new(layer: &RateLimitLayer) -> Self {
        let everyone = everyone();
        let counted = layer.limits.iter().zip(0_u32..).map(|(limit, index)| {
            // The two algorithms read the same numbers in different ways, so they never share a bucket.
            let number = 2 * index + u32::from(limit.algorithm == Algorithm::SlidingWindow);
            let exceeded = layer.meter.as_ref().map(|(meter, place)| {
                let labels = [("place", place.as_str()), ("limit", &*limit.name)];
                meter.counter(
                    "gateway_rate_limit_exceeded_total",
                    "Requests over a limit, by limit.",
                    &labels,
                )
            });
            Counted {
                rate: Rate::new(limit.algorithm, limit.quota, Ticks::NANOS),
                number,
                nobody: everyone.nth(number),
                exceeded: exceeded.unwrap_or_default(),
                limit: limit.clone(),
            }
        });
        let decisions = layer.meter.as_ref().map(|(meter, place)| Decisions::new(meter, NAME, place));
        Self {
            limits: counted.collect(),
            mode: layer.mode,
            writer: Writer::new(layer.fields, &layer.limits),
            table: Arc::clone(&layer.table),
            clock: layer.clock.clone(),
            decisions: decisions.unwrap_or_default(),
        }
    }

    fn decide(&self, head: &Parts, purpose: Purpose) -> Decision {
        match self.limits.len() {
            1 => self.decide_with(head, &mut [None], purpose),
            few if few <= FEW => self.decide_with(head, &mut [None; FEW][..few], purpose),
            many => self.decide_with(head, &mut vec![None; many], purpose),
        }
    }

    /// The decision, with room for the questions.
    fn decide_with(&self, head: &Parts, asks: &mut [Option<Ask>], purpose: Purpose) -> Decision {
        if self.mode == Mode::Off {
            return Decision::Skip;
        }
        let facts = Facts::get(&head.extensions);
        for (index, counted) in self.limits.iter().enumerate() {
            asks[index] = match (counted.limit.key.of_known(head, facts), counted.limit.missing) {
                (Some(key), _) => Some(counted.ask(key.nth(counted.number))),
                (None, MissingKey::Skip) => None,
                (None, MissingKey::Refuse) => return Decision::NoKey(index),
                (None, MissingKey::Share) => Some(counted.ask(counted.nobody)),
            };
        }
        match self.table.ask(asks, self.now(facts), purpose) {
            Some(answer) => Decision::Asked(answer),
            None => Decision::Skip,
        }
    }

    /// The usual case, without what the others need: one limit, enforced or audited, a request with a key, and nobody
    /// who wants to know what is left. The inner value is the decision unless the request simply passes.
    fn charge_one(&self, head: &Parts) -> Option<Option<Decision>> {
        let [one] = &*self.limits else { return None };
        if self.mode == Mode::Off || self.writer.wants_left() {
            return None;
        }
        let facts = Facts::get(&head.extensions);
        let ask = one.ask(one.limit.key.of_known(head, facts)?.nth(one.number));
        match self.table.charge(&ask, self.now(facts)) {
            Ok(()) => {
                self.decisions.count(Verdict::Pass);
                Some(None)
            }
            Err(wait) => {
                let left = Left { requests: 0, more_in: wait };
                Some(Some(Decision::Asked(Answer { passes: false, tightest: 0, left })))
            }
        }
    }

    fn now(&self, facts: Option<&Facts>) -> Instant {
        facts.map_or_else(|| self.clock.now(), Facts::arrived)
    }

    /// Counts the decision, and makes of it what the client gets.
    pub(super) fn carry_out(&self, decision: Decision, stamp: &mut Stamp) -> Result<(), Refusal> {
        let verdict = self.verdict(decision);
        self.decisions.count(verdict);
        let answer = match decision {
            Decision::Skip => return Ok(()),
            Decision::NoKey(index) => {
                self.limits[index].exceeded.increment();
                if verdict != Verdict::Refuse {
                    return Ok(());
                }
                return Err(refusal().because(self.limits[index].without_key()));
            }
            Decision::Asked(answer) => answer,
        };
        let tightest = &self.limits[answer.tightest];
        if self.writer.wants_left() {
            self.writer.write(&tightest.limit, answer.left, stamp);
        }
        if answer.passes {
            return Ok(());
        }
        tightest.exceeded.increment();
        if verdict != Verdict::Refuse {
            return Ok(());
        }
        let retry_after = Ticks::NANOS.span(answer.left.more_in);
        Err(refusal().retry_after(retry_after).because(format!("over {}", tightest.limit)))
    }

    pub(super) fn verdict(&self, decision: Decision) -> Verdict {
        let passes = match decision {
            Decision::Skip => return Verdict::Skip,
            Decision::NoKey(_) => false,
            Decision::Asked(answer) => answer.passes,
        };
        match (passes, self.mode) {
            (true, _) => Verdict::Pass,
            (false, Mode::Enforce) => Verdict::Refuse,
            (false, Mode::Audit) => Verdict::WouldRefuse,
            (false, Mode::Off) => Verdict::Skip,
        }
    }

    /// Counts a refusal that is not a limit's.
    #[cfg(feature = "redis")]
    pub(super) fn count_refusal(&self) {
        self.decisions.count(Verdict::Refuse);
    }

    pub(super) fn explanation(&self, decision: Decision) -> Explanation {
        let why = match decision {
            Decision::Skip if self.mode == Mode::Off => "mode is off".to_owned(),
            Decision::Skip => "no limit counts this request".to_owned(),
            Decision::NoKey(index) => self.limits[index].without_key(),
            Decision::Asked(Answer { passes, tightest, left }) => {
                let limit = &self.limits[tightest].limit;
                match passes {
                    true => format!("{limit}: {} left after this one", left.requests),
                    false => format!("{limit}: room again in {:?}", Ticks::NANOS.span(left.more_in)),
                }
            }
        };
        Explanation::new(NAME, self.verdict(decision), why)
    }
}

impl Counted {
    fn ask(&self, key: BucketKey) -> Ask {
        Ask { key, rate: self.rate, spare: self.nobody.nth(SPARE) }
    }

    fn without_key(&self) -> String {
        format!("{}: the request has no {}", self.limit.name, self.limit.key)
    }
}

impl Admit for Limiter {
    fn admit(&self, head: &mut Parts, stamp: &mut Stamp) -> Result<(), Refusal> {
        if let Some(refused) = self.charge_one(head) {
            return refused.map_or(Ok(()), |decision| self.carry_out(decision, stamp));
        }
        let decision = self.decide(head, Purpose::Charge);
        self.carry_out(decision, stamp)
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        say.push(self.explanation(self.decide(head, Purpose::Look)));
    }
}

fn refusal() -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many requests")
}

/// The name of a key of no part.
fn everyone() -> BucketKey {
    let head = Request::new(()).into_parts().0;
    Key::everyone().of(&head).expect("a key of no part is never missing")
}

const NAME: &str = "rate_limit";

/// Of a limit's bucket for requests without a key, the one that is its shards' spare.
const SPARE: u32 = u32::MAX;
