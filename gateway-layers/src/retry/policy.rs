use std::time::Duration;

use gateway_core::{error::ErrorKind, replay::Lost};
use http::{HeaderMap, Method, StatusCode};

/// When a request is tried again, and after which time. It knows no clock, no socket and no budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(super) tries: u32,
    pub(super) methods: Vec<Method>,
    pub(super) statuses: Vec<StatusCode>,
    pub(super) idempotency_key: bool,
    pub(super) backoff: Duration,
    pub(super) max_backoff: Duration,
    pub(super) max_retry_after: Duration,
}

/// A try that is over, and what is known about its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Try {
    /// 1 for the first one.
    pub number: u32,
    /// Whether the request may be processed twice.
    pub is_repeatable: bool,
    /// Why its body cannot be sent again, if it cannot.
    pub body: Option<Lost>,
    /// How much time the request has left, if it has a deadline.
    pub left: Option<Duration>,
}

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream answered.
    Answered {
        /// With this status.
        status: StatusCode,
        /// And the wish to be left alone so long.
        retry_after: Option<Duration>,
    },
    /// Something behind us failed.
    Failed {
        /// What.
        kind: ErrorKind,
        /// Whether provably nothing was sent.
        is_unsent: bool,
    },
    /// A layer behind us said no, or an error of a stranger: another try would end in the same way.
    Final,
}

/// What to do after a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The outcome is the request's; there is nothing to do better.
    Keep,
    /// Another try would be good, and cannot be.
    GiveUp(Reason),
    /// Another try, after this time.
    Retry(Duration),
}

/// Why there is no other try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There were enough.
    Tries,
    /// The request may have been processed, and must not be twice.
    Method,
    /// Its body cannot be sent again.
    Body(Lost),
    /// The upstream asks for a longer pause than we wait.
    RetryAfter,
    /// It would begin after the request's deadline.
    Deadline,
    /// The upstream had its share of retries.
    Budget,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            tries: 3,
            methods: [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE]
                .to_vec(),
            statuses: [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT]
                .to_vec(),
            idempotency_key: false,
            backoff: Duration::from_millis(25),
            max_backoff: Duration::from_millis(250),
            max_retry_after: Duration::from_secs(1),
        }
    }
}

impl Policy {
    /// Whether a request may be processed twice (RFC 9110 section 9.2.2).
    #[must_use]
    pub fn is_repeatable(&self, method: &Method, headers: &HeaderMap) -> bool {
        self.methods.contains(method) || self.idempotency_key && headers.contains_key("idempotency-key")
    }

    /// Whether another try might end better than this.
    #[must_use]
    pub fn is_failure(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Answered { status, .. } => self.statuses.contains(&status),
            // Without an endpoint the next try finds none either; the client's own body is not the upstream's fault.
            Outcome::Failed { kind, .. } => matches!(
                kind,
                ErrorKind::Connect | ErrorKind::Reset | ErrorKind::Protocol | ErrorKind::Timeout
            ),
            Outcome::Final => false,
        }
    }

    /// What to do after a try. `random` is any number; it spreads the waits.
    #[must_use]
    pub fn decide(&self, ended: Try, outcome: Outcome, random: u64) -> Decision {
        if !self.is_failure(outcome) {
            return Decision::Keep;
        }
        let (is_unsent, retry_after) = match outcome {
            Outcome::Answered { retry_after, .. } => (false, retry_after),
            Outcome::Failed { kind, is_unsent } => (is_unsent || kind.is_unsent(), None),
            Outcome::Final => (false, None),
        };
        if !(is_unsent || ended.is_repeatable) {
            return Decision::GiveUp(Reason::Method);
        }
        if ended.number >= self.tries {
            return Decision::GiveUp(Reason::Tries);
        }
        if let Some(lost) = ended.body {
            return Decision::GiveUp(Reason::Body(lost));
        }
        if retry_after > Some(self.max_retry_after) {
            return Decision::GiveUp(Reason::RetryAfter);
        }
        let wait = self.backoff(ended.number, random).saturating_add(retry_after.unwrap_or_default());
        if ended.left.is_some_and(|left| wait >= left) {
            return Decision::GiveUp(Reason::Deadline);
        }
        Decision::Retry(wait)
    }

    /// Any time from nothing up to a ceiling that doubles with every try: "full jitter", so that those that failed
    /// together do not come back together.
    fn backoff(&self, number: u32, random: u64) -> Duration {
        let factor = 1_u32.checked_shl(number.saturating_sub(1)).unwrap_or(u32::MAX);
        let ceiling = self.backoff.saturating_mul(factor).min(self.max_backoff);
        let nanos = (ceiling.as_nanos().min(u64::MAX.into()) * u128::from(random)) >> u64::BITS;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Reason {
    /// The word in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tries => "tries",
            Self::Method => "method",
            Self::Body(_) => "body",
            Self::RetryAfter => "retry_after",
            Self::Deadline => "deadline",
            Self::Budget => "budget",
        }
    }

    /// Every reason's word.
    pub(super) const WORDS: [&'static str; 6] =
        ["tries", "method", "body", "retry_after", "deadline", "budget"];
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIRST: Try = Try { number: 1, is_repeatable: true, body: None, left: None };

    fn answered(status: u16) -> Outcome {
        Outcome::Answered { status: StatusCode::from_u16(status).unwrap(), retry_after: None }
    }

    fn failed(kind: ErrorKind, is_unsent: bool) -> Outcome {
        Outcome::Failed { kind, is_unsent }
    }

    #[test]
    fn every_outcome_with_every_method_and_every_body() {
        use ErrorKind::{Connect, NoEndpoint, Protocol, RequestBody, Reset, Timeout, Truncated};
        const MAY: &str = "retry";
        const KEEP: &str = "keep";
        // The outcome; then for a request that may be processed twice, and for one that may not.
        let table = [
            (answered(200), KEEP, KEEP),
            (answered(404), KEEP, KEEP),
            (answered(429), KEEP, KEEP),
            (answered(500), KEEP, KEEP),
            (answered(502), MAY, "method"),
            (answered(503), MAY, "method"),
            (answered(504), MAY, "method"),
            (failed(Connect, true), MAY, MAY),
            (failed(Connect, false), MAY, MAY),
            (failed(Reset, true), MAY, MAY),
            (failed(Reset, false), MAY, "method"),
            (failed(Protocol, false), MAY, "method"),
            (failed(Timeout, true), MAY, MAY),
            (failed(Timeout, false), MAY, "method"),
            (failed(NoEndpoint, true), KEEP, KEEP),
            (failed(RequestBody, false), KEEP, KEEP),
            (failed(Truncated, false), KEEP, KEEP),
            (Outcome::Final, KEEP, KEEP),
        ];
        let policy = Policy::default();
        let bodies = [None, Some(Lost::TooLarge), Some(Lost::Unkept), Some(Lost::Broken)];
        for (outcome, repeatable, once) in table {
            for (is_repeatable, expected) in [(true, repeatable), (false, once)] {
                for body in bodies {
                    let expected = if body.is_some() && expected == MAY { "body" } else { expected };
                    let found = policy.decide(Try { is_repeatable, body, ..FIRST }, outcome, 7);
                    let found = match found {
                        Decision::Keep => KEEP,
                        Decision::GiveUp(reason) => reason.as_str(),
                        Decision::Retry(_) => MAY,
                    };
                    assert_eq!(found, expected, "{outcome:?}, repeatable {is_repeatable}, body {body:?}");
                }
            }
        }
    }

    #[test]
    fn methods_are_those_of_the_rfc_and_a_key_counts_only_if_it_is_said_to() {
        let keyed = HeaderMap::from_iter([(
            http::HeaderName::from_static("idempotency-key"),
            http::HeaderValue::from_static("1"),
        )]);
        let policy = Policy::default();
        let with_key = Policy { idempotency_key: true, ..Policy::default() };
        for method in
            ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH", "CONNECT", "PURGE"]
        {
            let method: Method = method.parse().unwrap();
            assert_eq!(policy.is_repeatable(&method, &keyed), method.is_idempotent(), "{method}");
            assert!(with_key.is_repeatable(&method, &keyed), "{method}");
            assert_eq!(with_key.is_repeatable(&method, &HeaderMap::new()), method.is_idempotent());
        }
    }

    #[test]
    fn the_upstreams_wish_is_kept_or_its_answer_is() {
        let policy = Policy::default();
        let busy = |seconds| Outcome::Answered {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after: Some(Duration::from_secs(seconds)),
        };
        let Decision::Retry(wait) = policy.decide(FIRST, busy(1), u64::MAX) else {
            panic!("one second is fine")
        };
        assert!(wait >= Duration::from_secs(1) && wait <= Duration::from_millis(1025), "{wait:?}");
        assert_eq!(policy.decide(FIRST, busy(2), 0), Decision::GiveUp(Reason::RetryAfter));
        let late = Try { left: Some(Duration::from_secs(1)), ..FIRST };
        assert_eq!(policy.decide(late, busy(1), 0), Decision::GiveUp(Reason::Deadline));
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_its_ceiling_or_than_the_time_left(
            number in 1..40_u32,
            backoff in 0..10_000_u64,
            max in 0..10_000_u64,
            left in proptest::option::of(0..10_000_u64),
            random: u64,
        ) {
            let policy = Policy {
                tries: u32::MAX,
                backoff: Duration::from_millis(backoff),
                max_backoff: Duration::from_millis(max),
                ..Policy::default()
            };
            let ended = Try { number, left: left.map(Duration::from_millis), ..FIRST };
            match policy.decide(ended, answered(503), random) {
                Decision::Retry(wait) => {
                    prop_assert!(wait <= policy.max_backoff);
                    prop_assert!(wait <= policy.backoff.saturating_mul(1 << (number - 1).min(31)));
                    prop_assert!(ended.left.is_none_or(|left| wait < left));
                }
                other => {
                    prop_assert_eq!(other, Decision::GiveUp(Reason::Deadline));
                    prop_assert!(ended.left.unwrap() <= policy.max_backoff);
                }
            }
        }

        #[test]
        fn there_are_never_more_tries_than_said(tries in 0..6_u32, number in 1..9_u32) {
            let policy = Policy { tries, ..Policy::default() };
            let goes_on = matches!(policy.decide(Try { number, ..FIRST }, answered(503), 0), Decision::Retry(_));
            prop_assert_eq!(goes_on, number < tries);
        }
    }
}
