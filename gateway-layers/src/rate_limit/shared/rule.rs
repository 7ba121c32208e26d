use std::{
    fmt::Write,
    sync::{Arc, LazyLock},
};

use gateway_core::{
    Admit, Explanation, Facts, Mode, Refusal, Stamp,
    gate::{Entry, Gate},
    store::{Script, StoreError},
};
use http::{StatusCode, request::Parts};
use sha2::{Digest, Sha256};

use super::{
    OnError, Store,
    script::{Exact, SCRIPT},
};
use crate::rate_limit::{Algorithm, Left, Limit, Limiter, MissingKey, rule::Decision, table::Answer};

/// The rule of [`SharedRateLimitLayer`](super::SharedRateLimitLayer).
#[derive(Clone, Debug)]
pub struct SharedLimiter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The limits, and what counts where the store is away.
    local: Limiter,
    store: Store,
    exact: Vec<Exact>,
}

/// The limits that count a request, and their keys on the server.
struct Asks {
    limits: Vec<usize>,
    keys: Vec<String>,
    arguments: Vec<i64>,
}

impl SharedLimiter {
    /// The script that decides on the server, for who wants to read it or has to allow it there.
    ///
    /// `KEYS` are the limits' keys. `ARGV` has four numbers for each: for a token bucket 0, the time of one token, the
    /// time in which it fills, and how many of these units a microsecond has; for a sliding window 1, its period, its
    /// requests, and how many microseconds a unit of the period has. The answer is the server's time in microseconds,
    /// 1 if all were charged or 0 if none was, and the three numbers that each key held before.
    pub const SCRIPT: &str = SCRIPT;

    pub(super) fn new(local: Limiter, store: Store, exact: Vec<Exact>) -> Self {
        Self(Arc::new(Inner { local, store, exact }))
    }
}

#[cfg(test)]
impl SharedLimiter {
    /// What a request's keys are called.
    pub(super) fn names(&self, head: &Parts) -> Option<Vec<String>> {
        self.0.asks(head).ok().map(|asks| asks.keys)
    }
}

impl Gate for SharedLimiter {
    fn enter(&self, head: &mut Parts, stamp: &mut Stamp) -> Entry {
        let inner = &self.0;
        let asks = match inner.asks(head) {
            Ok(asks) => asks,
            Err(decision) => return inner.local.carry_out(decision, stamp).into(),
        };
        if inner.store.redis.is_resting() {
            return inner.without_store(&StoreError::Resting, head, stamp);
        }
        let deadline = Facts::get(&head.extensions).and_then(Facts::deadline);
        let (asking, inner) = (Arc::clone(inner), Arc::clone(inner));
        let answer = async move {
            let answer =
                asking.store.redis.run(&SCRIPT_ON_SERVER, &asks.keys, &asks.arguments, deadline).await;
            answer.and_then(|numbers| {
                asking.read(&asks, &numbers).ok_or_else(|| StoreError::Failed("a strange answer".into()))
            })
        };
        Entry::wait(answer, move |answer, head, stamp| match answer {
            Ok(answer) => inner.local.carry_out(Decision::Asked(answer), stamp).into(),
            Err(error) => inner.without_store(&error, head, stamp),
        })
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        let inner = &self.0;
        match inner.asks(head) {
            Err(decision) => say.push(inner.local.explanation(decision)),
            Ok(asks) => {
                let limits: Vec<_> =
                    asks.limits.iter().map(|&index| inner.local.limits[index].limit.to_string()).collect();
                let why =
                    format!("{}; counted in Redis, which is not asked for an explanation", limits.join(", "));
                say.push(Explanation::new("rate_limit", gateway_core::Verdict::Pass, why));
            }
        }
    }
}

impl Inner {
    /// What the store has to be asked, or the decision that needs no store.
    fn asks(&self, head: &Parts) -> Result<Asks, Decision> {
        let mut asks = Asks { limits: Vec::new(), keys: Vec::new(), arguments: Vec::new() };
        if self.local.mode == Mode::Off {
            return Err(Decision::Skip);
        }
        for (index, counted) in self.local.limits.iter().enumerate() {
            match (self.key(&counted.limit, head), counted.limit.missing) {
                (Some(key), _) => asks.keys.push(key),
                (None, MissingKey::Skip) => continue,
                (None, MissingKey::Refuse) => return Err(Decision::NoKey(index)),
                (None, MissingKey::Share) => asks.keys.push(self.name(&counted.limit, |_| {})),
            }
            asks.limits.push(index);
            asks.arguments.extend(self.exact[index].arguments());
        }
        if asks.limits.is_empty() { Err(Decision::Skip) } else { Ok(asks) }
    }

    fn key(&self, limit: &Limit, head: &Parts) -> Option<String> {
        let mut whole = None;
        let name = self.name(limit, |hash| whole = limit.key.write(head, hash));
        whole.map(|()| name)
    }

    /// The same name in every process: the prefix, and 128 bits of a SHA-256 over everything that tells buckets apart,
    /// each with its length in front, so that no two run together.
    fn name(&self, limit: &Limit, parts: impl FnOnce(&mut dyn FnMut(&[u8]))) -> String {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(&self.store.salt);
        part(self.store.scope.as_bytes());
        part(limit.name.as_bytes());
        match limit.algorithm {
            Algorithm::TokenBucket => part(b"bucket"),
            // A count of another period would mean something else.
            Algorithm::SlidingWindow => part(&limit.quota.period().as_nanos().to_be_bytes()),
        }
        parts(&mut part);
        let digest = hash.finalize();
        let mut name = format!("{{{}}}:", self.store.prefix);
        for byte in &digest[..16] {
            write!(name, "{byte:02x}").expect("a string takes every text");
        }
        name
    }

    /// The script's answer, in the words of the local table.
    fn read(&self, asks: &Asks, numbers: &[i64]) -> Option<Answer> {
        let number = |number: &i64| u64::try_from(*number).ok();
        let [micros, charged, held @ ..] = numbers else { return None };
        let (micros, passes) = (number(micros)?, *charged == 1);
        let mut answer: Option<Answer> = None;
        for (&index, held) in asks.limits.iter().zip(held.chunks_exact(3)) {
            let exact = self.exact[index];
            let held = [number(&held[0])?, number(&held[1])?, number(&held[2])?];
            let (cell, now) = exact.read(held, micros);
            let this = match exact.rate().take(cell, now) {
                Ok(after) => {
                    let left = exact.rate().left(after, now);
                    let left = Left { more_in: exact.nanos(left.more_in), ..left };
                    Answer { passes: true, tightest: index, left }
                }
                Err(wait) => {
                    let left = Left { requests: 0, more_in: exact.nanos(wait) };
                    Answer { passes: false, tightest: index, left }
                }
            };
            answer = Some(answer.map_or(this, |answer| answer.tighter(this)));
        }
        // The server decided; what is left is only told.
        answer.map(|answer| Answer { passes, ..answer })
    }

    fn without_store(&self, error: &StoreError, head: &mut Parts, stamp: &mut Stamp) -> Entry {
        match self.store.on_error {
            OnError::Allow => self.local.carry_out(Decision::Skip, stamp).into(),
            OnError::Local => self.local.admit(head, stamp).into(),
            OnError::Refuse if self.local.mode == Mode::Audit => {
                self.local.carry_out(Decision::Skip, stamp).into()
            }
            OnError::Refuse => {
                self.local.count_refusal();
                let detail = "limits cannot be checked right now";
                let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "rate_limit_unavailable", detail);
                Entry::Refuse(refusal.because(error.to_string()))
            }
        }
    }
}

static SCRIPT_ON_SERVER: LazyLock<Script> = LazyLock::new(|| Script::new(SCRIPT));
