use std::sync::Arc;

use gateway_core::{
    Admit, Admitted, Clock, Explanation, Facts, Mode, Refusal, Stamp, Verdict,
    meter::{Decisions, Meter},
    phase::{self, Staged},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::WWW_AUTHENTICATE, request::Parts};

use super::{ApiKey, Lookup, Store};

/// Passes requests with a good API key, and says who the caller is. See the [module](super) for what it answers and
/// costs.
#[derive(Clone, Debug)]
pub struct ApiKeyLayer(KeyCheck);

impl ApiKeyLayer {
    /// Takes these keys from the header `x-api-key`.
    pub fn new(keys: impl IntoIterator<Item = ApiKey>) -> Self {
        Self::of(keys.into_iter().collect())
    }

    /// Takes the keys of this store from the header `x-api-key`.
    #[must_use]
    pub fn of(store: Store) -> Self {
        Self(KeyCheck {
            store,
            header: HeaderName::from_static("x-api-key"),
            required: true,
            forward: false,
            challenge: challenge("gateway"),
            mode: Mode::Enforce,
            clock: Clock::default(),
            decisions: Decisions::default(),
        })
    }

    /// The most bytes of a key.
    pub const MAX_KEY: usize = 512;

    /// The header that holds the key. There is no way to take it from the query: queries end up in logs.
    #[must_use]
    pub fn header(mut self, name: HeaderName) -> Self {
        self.0.header = name;
        self
    }

    /// Lets requests without a key pass, with nobody as their caller. A bad key is still refused.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.0.required = false;
        self
    }

    /// Whether the upstream gets the key. It does not by default: whoever has it can act as the caller.
    #[must_use]
    pub fn forward(mut self, forward: bool) -> Self {
        self.0.forward = forward;
        self
    }

    /// What `WWW-Authenticate` calls the protected space.
    #[must_use]
    pub fn realm(mut self, realm: &str) -> Self {
        self.0.challenge = challenge(realm);
        self
    }

    /// Whether refusals are carried out. While auditing, a bad key passes without a caller, and the key stays in the
    /// request.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.0.mode = mode;
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.0.clock = clock;
        self
    }

    /// Counts decisions in this meter as `gateway_decisions_total{layer="api_key", place, verdict}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        self.0.decisions = Decisions::new(meter, NAME, place);
        self
    }

    /// The rule alone, for a list of rules.
    #[must_use]
    pub fn into_rule(self) -> KeyCheck {
        self.0
    }
}

impl<S> tower_layer::Layer<S> for ApiKeyLayer {
    type Service = ApiKeyAuth<S>;

    fn layer(&self, inner: S) -> ApiKeyAuth<S> {
        Admitted::new(Arc::new(self.0.clone()), inner)
    }
}

impl Staged for ApiKeyLayer {
    type Phase = phase::Allow;
}

/// The service of [`ApiKeyLayer`].
pub type ApiKeyAuth<S> = Admitted<KeyCheck, S>;

/// The rule of [`ApiKeyLayer`].
#[derive(Clone, Debug)]
pub struct KeyCheck {
    store: Store,
    header: HeaderName,
    required: bool,
    forward: bool,
    challenge: HeaderValue,
    mode: Mode,
    clock: Clock,
    decisions: Decisions,
}

/// What there is to say about a request.
enum Finding<'a> {
    Off,
    Anonymous,
    Key(Lookup<'a>),
    Missing,
    Several,
    TooLong,
}

impl KeyCheck {
    fn find(&self, headers: &HeaderMap) -> Finding<'_> {
        if self.mode == Mode::Off {
            return Finding::Off;
        }
        let mut values = headers.get_all(&self.header).iter();
        match (values.next(), values.next()) {
            (None, _) if self.required => Finding::Missing,
            (None, _) => Finding::Anonymous,
            (Some(_), Some(_)) => Finding::Several,
            (Some(key), None) if key.len() > ApiKeyLayer::MAX_KEY => Finding::TooLong,
            (Some(key), None) => Finding::Key(self.store.look_up(key.as_bytes(), self.clock.wall())),
        }
    }

    fn decide(&self, headers: &HeaderMap) -> (Verdict, Finding<'_>) {
        let finding = self.find(headers);
        let verdict = match (&finding, self.mode) {
            (Finding::Off | Finding::Anonymous, _) => Verdict::Skip,
            (Finding::Key(Lookup::Good(_)), _) => Verdict::Pass,
            (_, Mode::Audit) => Verdict::WouldRefuse,
            _ => Verdict::Refuse,
        };
        (verdict, finding)
    }

    fn refusal(&self, finding: &Finding<'_>) -> Refusal {
        let (status, code, text) = match finding {
            Finding::Missing => (StatusCode::UNAUTHORIZED, "api_key_missing", "this needs an API key"),
            Finding::Several => {
                (StatusCode::BAD_REQUEST, "invalid_request", "the request carries more than one API key")
            }
            _ => (StatusCode::UNAUTHORIZED, "api_key_invalid", "the API key is not valid here"),
        };
        let refusal = Refusal::new(status, code, text).because(finding.why());
        match status {
            StatusCode::UNAUTHORIZED => refusal.header(WWW_AUTHENTICATE, self.challenge.clone()),
            _ => refusal,
        }
    }
}

impl Finding<'_> {
    fn why(&self) -> String {
        match self {
            Self::Off => "mode is off".to_owned(),
            Self::Anonymous => "there is no key, and none is required".to_owned(),
            Self::Missing => "there is no key".to_owned(),
            Self::Several => "there is more than one key".to_owned(),
            Self::TooLong => format!("the key is longer than {} bytes", ApiKeyLayer::MAX_KEY),
            Self::Key(Lookup::Good(who)) => format!("a key of {}", who.id()),
            Self::Key(Lookup::Unknown) => "nobody has this key".to_owned(),
            Self::Key(Lookup::Expired(who)) => format!("this key of {} has expired", who.id()),
            Self::Key(Lookup::Disabled(who)) => format!("this key of {} is switched off", who.id()),
        }
    }
}

impl Admit for KeyCheck {
    fn admit(&self, head: &mut Parts, _: &mut Stamp) -> Result<(), Refusal> {
        if head.headers.contains_key(&self.header) {
            let keys = head.headers.iter_mut().filter(|(name, _)| **name == self.header);
            keys.for_each(|(_, key)| key.set_sensitive(true));
        }
        let (verdict, finding) = self.decide(&head.headers);
        self.decisions.count(verdict);
        if verdict == Verdict::Refuse {
            return Err(self.refusal(&finding));
        }
        if let Finding::Key(Lookup::Good(principal)) = finding {
            if !self.forward && self.mode == Mode::Enforce {
                head.headers.remove(&self.header);
            }
            Facts::of(&mut head.extensions, &self.clock).set_principal(principal);
        }
        Ok(())
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        let (verdict, finding) = self.decide(&head.headers);
        say.push(Explanation::new(NAME, verdict, finding.why()));
    }
}

/// HTTP has no scheme for API keys; see the [module](super).
fn challenge(realm: &str) -> HeaderValue {
    let is_plain = |letter: &char| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\');
    let realm: String = realm.chars().filter(is_plain).collect();
    HeaderValue::try_from(format!("ApiKey realm=\"{realm}\"")).unwrap_or(HeaderValue::from_static("ApiKey"))
}

const NAME: &str = "api_key";

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use gateway_core::{Body, testing::contract};
    use http::{Request, Response};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::api_key::KeyDigest;

    fn layer() -> ApiKeyLayer {
        let key = |owner: &str, key: &str| ApiKey::new(owner, KeyDigest::of(key.as_bytes()));
        let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        ApiKeyLayer::new([
            key("ada", "good").tenant("shop").scopes(["a"]).roles(["clerk"]).groups(["staff"]),
            key("ada", "old").expires(past),
            key("bob", "off").enabled(false),
        ])
    }

    fn request(keys: &[&str]) -> Request<Body> {
        let mut request = contract::request();
        for key in keys {
            request.headers_mut().append("x-api-key", key.parse().unwrap());
        }
        request
    }

    /// The status and the code, or who passed and whether the key is still there.
    async fn answer(layer: &ApiKeyLayer, keys: &[&str]) -> String {
        let echo = |request: Request<Body>| async move {
            let caller = Facts::get(request.extensions()).and_then(Facts::principal);
            let caller =
                caller.map_or("nobody".to_owned(), |caller| format!("{} {:?}", caller.id(), caller.tenant()));
            let key = request.headers().get("x-api-key").map_or(String::new(), |key| format!(" {key:?}"));
            Ok::<_, std::convert::Infallible>(Response::new(Body::from(caller + &key)))
        };
        let answer = layer.layer(service_fn(echo)).oneshot(request(keys)).await.unwrap();
        if let Some(refusal) = answer.extensions().get::<Refusal>() {
            let challenge = answer.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap());
            return format!("{} {} {challenge:?}", refusal.status().as_u16(), refusal.code());
        }
        String::from_utf8(Body::collect_limited(answer.into_body(), 1_000).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::check_with(layer(), || request(&["good"])).await;
        contract::check(layer().optional()).await;
    }

    #[tokio::test]
    async fn only_a_good_key_says_who_calls_and_it_stays_here() {
        let invalid = "401 api_key_invalid Some(\"ApiKey realm=\\\"gateway\\\"\")";
        let long = "x".repeat(513);
        for (keys, expected) in [
            (&["good"][..], "ada Some(\"shop\")"),
            (&[], "401 api_key_missing Some(\"ApiKey realm=\\\"gateway\\\"\")"),
            (&["good", "good"], "400 invalid_request None"),
            (&["old"], invalid),
            (&["off"], invalid),
            (&["bad"], invalid),
            (&[""], invalid),
            (&[&long], invalid),
        ] {
            assert_eq!(answer(&layer(), keys).await, expected, "{keys:?}");
        }
        assert_eq!(answer(&layer().optional(), &[]).await, "nobody");
        assert_eq!(answer(&layer().optional(), &["bad"]).await, invalid);
        assert_eq!(answer(&layer().forward(true), &["good"]).await, "ada Some(\"shop\") Sensitive");
    }

    #[tokio::test]
    async fn audit_takes_nothing_away_and_lets_pass() {
        let meter = Meter::default();
        let audit = layer().mode(Mode::Audit).meter(&meter, "here");
        assert_eq!(answer(&audit, &["bad"]).await, "nobody Sensitive");
        assert_eq!(answer(&audit, &["good"]).await, "ada Some(\"shop\") Sensitive");
        let decisions = Decisions::new(&meter, NAME, "here");
        assert_eq!((decisions.value(Verdict::WouldRefuse), decisions.value(Verdict::Pass)), (1, 1));
        assert_eq!(answer(&layer().mode(Mode::Off), &["bad"]).await, "nobody Sensitive");
    }

    #[test]
    fn explains_by_the_same_decision() {
        for (keys, expected) in [
            (&["good"][..], "api_key: pass: a key of ada"),
            (&["old"], "api_key: refuse: this key of ada has expired"),
            (&[], "api_key: refuse: there is no key"),
        ] {
            let mut said = Vec::new();
            layer().into_rule().explain(&request(keys).into_parts().0, &mut said);
            assert_eq!(said[0].to_string(), expected);
        }
    }
}
