use std::sync::Arc;

use gateway_core::{
    Admit, Admitted, Clock, Explanation, Facts, Key, Mode, Refusal, Stamp, Verdict,
    key::BucketKey,
    meter::{Decisions, Meter},
    phase::{self, Staged},
};
use http::{Request, StatusCode, request::Parts};

use super::{Decision, Quota, Table};

/// Refuses requests beyond a quota per key. See the [module](super) for what it answers and costs.
///
/// Every service that this layer and its clones make counts in the same buckets.
#[derive(Clone, Debug)]
pub struct RateLimitLayer(Limiter);

impl RateLimitLayer {
    /// A limit per client address, enforced, with at most 100,000 buckets (about 5 MiB).
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        let clock = Clock::default();
        Self(Limiter {
            quota,
            key: Key::client_addr(),
            missing: MissingKey::Share,
            mode: Mode::Enforce,
            table: Arc::new(Table::new(Self::MAX_KEYS, clock.now())),
            clock,
            decisions: Decisions::default(),
        })
    }

    /// How many keys are told apart if nothing else is said: enough for the clients of one instance, and about
    /// 5 MiB of memory if an attacker fills it.
    pub const MAX_KEYS: usize = 100_000;

    /// Who is counted together.
    #[must_use]
    pub fn by(mut self, key: Key) -> Self {
        self.0.key = key;
        self
    }

    /// What happens to requests that have no key, for instance without the header that the key reads.
    #[must_use]
    pub fn missing(mut self, missing: MissingKey) -> Self {
        self.0.missing = missing;
        self
    }

    /// Whether refusals are carried out.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.0.mode = mode;
        self
    }

    /// The buckets: of another size, or shared with other layers, or kept from the graph before.
    #[must_use]
    pub fn table(mut self, table: Arc<Table>) -> Self {
        self.0.table = table;
        self
    }

    /// Another clock, for requests that carry no facts.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.0.clock = clock;
        self
    }

    /// Counts decisions in this meter as `gateway_decisions_total{layer="rate_limit", place, verdict}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        self.0.decisions = Decisions::new(meter, NAME, place);
        self
    }

    /// The rule alone, for a list of rules.
    #[must_use]
    pub fn into_rule(self) -> Limiter {
        self.0
    }
}

impl<S> tower_layer::Layer<S> for RateLimitLayer {
    type Service = RateLimit<S>;

    fn layer(&self, inner: S) -> RateLimit<S> {
        Admitted::new(Arc::new(self.0.clone()), inner)
    }
}

impl Staged for RateLimitLayer {
    type Phase = phase::Limit;
}

/// The service of [`RateLimitLayer`].
pub type RateLimit<S> = Admitted<Limiter, S>;

/// What happens to a request without a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// All requests without a key share one bucket: leaving the key out gains nothing. The default.
    #[default]
    Share,
    /// It is refused like one over the limit.
    Refuse,
    /// It passes without being counted.
    Skip,
}

/// The rule of [`RateLimitLayer`].
#[derive(Clone, Debug)]
pub struct Limiter {
    quota: Quota,
    key: Key,
    missing: MissingKey,
    mode: Mode,
    table: Arc<Table>,
    clock: Clock,
    decisions: Decisions,
}

impl Limiter {
    /// The decision about this head, with a bucket asked in the way of `ask`: [`Table::take`] to serve,
    /// [`Table::look`] to explain.
    fn decide(
        &self,
        head: &Parts,
        ask: impl FnOnce(&Table, BucketKey, Quota, std::time::Instant) -> Decision,
    ) -> (Verdict, Option<Decision>) {
        let refuse = match self.mode {
            Mode::Enforce => Verdict::Refuse,
            Mode::Audit => Verdict::WouldRefuse,
            Mode::Off => return (Verdict::Skip, None),
        };
        let key = match (self.key.of(head), self.missing) {
            (Some(key), _) => key,
            (None, MissingKey::Skip) => return (Verdict::Skip, None),
            (None, MissingKey::Refuse) => return (refuse, None),
            (None, MissingKey::Share) => nobody(),
        };
        let now = Facts::get(&head.extensions).map_or_else(|| self.clock.now(), Facts::arrived);
        let decision = ask(&self.table, key, self.quota, now);
        (if decision.passes { Verdict::Pass } else { refuse }, Some(decision))
    }
}

impl Admit for Limiter {
    fn admit(&self, head: &mut Parts, _: &mut Stamp) -> Result<(), Refusal> {
        let (verdict, decision) = self.decide(head, Table::take);
        self.decisions.count(verdict);
        if verdict != Verdict::Refuse {
            return Ok(());
        }
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many requests");
        Err(match decision {
            Some(decision) => refusal.retry_after(decision.retry_after),
            None => refusal.because(format!("the request has no {}", self.key)),
        })
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        let (verdict, decision) = self.decide(head, Table::look);
        let why = match decision {
            Some(decision) if decision.passes => {
                format!("{} by {}: {} left after this one", self.quota, self.key, decision.remaining)
            }
            Some(decision) => {
                format!(
                    "{} by {}: the next token is there in {:?}",
                    self.quota, self.key, decision.retry_after
                )
            }
            None if self.mode == Mode::Off => "mode is off".to_owned(),
            None => format!("the request has no {}", self.key),
        };
        say.push(Explanation::new(NAME, verdict, why));
    }
}

/// The bucket of all requests without a key.
fn nobody() -> BucketKey {
    let head = Request::new(()).into_parts().0;
    Key::everyone().of(&head).expect("a key of no part is never missing")
}

const NAME: &str = "rate_limit";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gateway_core::{Body, testing::contract};
    use http::{HeaderName, Response};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;

    fn request(key: Option<&str>, facts: Option<&Facts>) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        if let Some(key) = key {
            request.headers_mut().insert("x-api-key", key.parse().unwrap());
        }
        if let Some(facts) = facts {
            request.extensions_mut().insert(facts.clone());
        }
        request
    }

    fn by_api_key(quota: Quota) -> RateLimitLayer {
        RateLimitLayer::new(quota).by(Key::header(HeaderName::from_static("x-api-key")))
    }

    async fn status(layer: &RateLimitLayer, request: Request<Body>) -> u16 {
        let ok = |_: Request<Body>| async { Ok::<_, std::convert::Infallible>(Response::new(Body::empty())) };
        layer.layer(service_fn(ok)).oneshot(request).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn keeps_the_contract_and_is_one_limit_through_one_clone_and_through_many() {
        contract::check(RateLimitLayer::new(Quota::per_second(1_000_000))).await;
        let layer = RateLimitLayer::new(Quota::per_hour(7));
        assert_eq!(contract::passed(&layer, 1_000, contract::request).await, (7, 0));
        let layer = RateLimitLayer::new(Quota::per_hour(7));
        assert_eq!(contract::passed(&layer, 3, contract::request).await, (3, 3));
        assert_eq!(contract::passed(&layer, 1_000, contract::request).await, (1, 0));
    }

    #[tokio::test]
    async fn counts_every_key_apart_and_across_services_of_one_layer() {
        let layer = by_api_key(Quota::per_hour(1));
        assert_eq!(status(&layer, request(Some("a"), None)).await, 200);
        assert_eq!(status(&layer, request(Some("b"), None)).await, 200);
        assert_eq!(status(&layer.clone(), request(Some("a"), None)).await, 429);
    }

    #[tokio::test]
    async fn tokens_come_back_with_the_arrival_times_of_requests() {
        let layer = by_api_key(Quota::per_second(1));
        let first = Facts::arrived_at(Clock::default().now());
        let later = Facts::arrived_at(first.arrived() + Duration::from_secs(1));
        assert_eq!(status(&layer, request(Some("a"), Some(&first))).await, 200);
        assert_eq!(status(&layer, request(Some("a"), Some(&first))).await, 429);
        assert_eq!(status(&layer, request(Some("a"), Some(&later))).await, 200);
    }

    #[tokio::test]
    async fn leaving_the_key_out_gains_nothing_unless_told_so() {
        for (missing, expected) in [
            (MissingKey::Share, [200, 429]),
            (MissingKey::Refuse, [429, 429]),
            (MissingKey::Skip, [200, 200]),
        ] {
            let layer = by_api_key(Quota::per_hour(1)).missing(missing);
            let found =
                [status(&layer, request(None, None)).await, status(&layer, request(None, None)).await];
            assert_eq!(found, expected, "{missing:?}");
        }
    }

    #[tokio::test]
    async fn audit_counts_and_lets_pass_and_off_does_nothing() {
        let meter = Meter::default();
        let audit = by_api_key(Quota::per_hour(0)).mode(Mode::Audit).meter(&meter, "here");
        assert_eq!(status(&audit, request(Some("a"), None)).await, 200);
        let off = by_api_key(Quota::per_hour(0)).mode(Mode::Off);
        assert_eq!(status(&off, request(Some("a"), None)).await, 200);
        let would_refuse = Decisions::new(&meter, NAME, "here").value(Verdict::WouldRefuse);
        assert_eq!(would_refuse, 1);
    }

    #[test]
    fn explains_by_the_same_decision_without_taking_a_token() {
        let rule = by_api_key(Quota::per_hour(1)).into_rule();
        let mut head = request(Some("a"), None).into_parts().0;
        let explained = |head: &Parts| {
            let mut said = Vec::new();
            rule.explain(head, &mut said);
            said.pop().unwrap().verdict
        };
        assert_eq!(explained(&head), Verdict::Pass);
        assert_eq!(explained(&head), Verdict::Pass);
        assert!(rule.admit(&mut head, &mut Stamp::default()).is_ok());
        assert_eq!(explained(&head), Verdict::Refuse);
    }
}
