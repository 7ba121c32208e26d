use std::sync::Arc;

use gateway_core::{
    Admit, Admitted, Explanation, Facts, Mode, Refusal, Stamp, Verdict,
    facts::Principal,
    meter::{Decisions, Meter},
    phase::{self, Staged},
};
use http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE, request::Parts};

use super::{Lack, Policy};

/// Refuses callers that lack a scope, a role or a group. See the [module](super) for what it answers.
#[derive(Clone, Debug)]
pub struct AuthorizeLayer(Authorizer);

impl Default for AuthorizeLayer {
    /// Demands a caller, whoever it is.
    fn default() -> Self {
        Self(Authorizer {
            policy: Policy::default(),
            realm: "gateway".to_owned(),
            mode: Mode::Enforce,
            decisions: Decisions::default(),
        })
    }
}

impl AuthorizeLayer {
    /// What the caller must have, all at once.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.0.policy = policy;
        self
    }

    /// Scopes that the caller must have, all of them.
    #[must_use]
    pub fn scopes(mut self, all: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.policy.scopes = all.into_iter().map(Into::into).collect();
        self
    }

    /// Scopes of which the caller must have one.
    #[must_use]
    pub fn any_scope(mut self, one_of: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.policy.any_scope = one_of.into_iter().map(Into::into).collect();
        self
    }

    /// Roles of which the caller must have one.
    #[must_use]
    pub fn roles(mut self, one_of: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.policy.roles = one_of.into_iter().map(Into::into).collect();
        self
    }

    /// Groups of which the caller must be in one.
    #[must_use]
    pub fn allow(mut self, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.policy.allow = groups.into_iter().map(Into::into).collect();
        self
    }

    /// Groups in none of which the caller may be. This counts before everything else.
    #[must_use]
    pub fn deny(mut self, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.policy.deny = groups.into_iter().map(Into::into).collect();
        self
    }

    /// What `WWW-Authenticate` calls the protected space.
    #[must_use]
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.0.realm = realm.into();
        self
    }

    /// Whether refusals are carried out.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.0.mode = mode;
        self
    }

    /// Counts decisions in this meter as `gateway_decisions_total{layer="authorize", place, verdict}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        self.0.decisions = Decisions::new(meter, NAME, place);
        self
    }

    /// The rule alone, for a list of rules.
    #[must_use]
    pub fn into_rule(self) -> Authorizer {
        self.0
    }
}

impl<S> tower_layer::Layer<S> for AuthorizeLayer {
    type Service = Authorize<S>;

    fn layer(&self, inner: S) -> Authorize<S> {
        Admitted::new(Arc::new(self.0.clone()), inner)
    }
}

impl Staged for AuthorizeLayer {
    type Phase = phase::Allow;
}

/// The service of [`AuthorizeLayer`].
pub type Authorize<S> = Admitted<Authorizer, S>;

/// The rule of [`AuthorizeLayer`].
#[derive(Clone, Debug)]
pub struct Authorizer {
    policy: Policy,
    realm: String,
    mode: Mode,
    decisions: Decisions,
}

impl Authorizer {
    fn decide(&self, head: &Parts) -> (Verdict, Result<(), Lack>) {
        let caller = Facts::get(&head.extensions).and_then(Facts::principal);
        match (self.mode, self.policy.check(caller)) {
            (Mode::Off, _) => (Verdict::Skip, Ok(())),
            (_, Ok(())) => (Verdict::Pass, Ok(())),
            (Mode::Enforce, lack) => (Verdict::Refuse, lack),
            (Mode::Audit, lack) => (Verdict::WouldRefuse, lack),
        }
    }

    fn refusal(&self, lack: Lack, caller: Option<&Principal>) -> Refusal {
        let (status, code, text) = match lack {
            Lack::Caller => (StatusCode::UNAUTHORIZED, "not_authenticated", "this needs to know who you are"),
            Lack::Scope => (StatusCode::FORBIDDEN, "insufficient_scope", "you were not allowed this"),
            Lack::Denied | Lack::Group | Lack::Role => {
                (StatusCode::FORBIDDEN, "forbidden", "this is not for you")
            }
        };
        let refusal = Refusal::new(status, code, text).because(match caller {
            Some(caller) => format!("{}: {}", caller.id(), lack.why()),
            None => lack.why().to_owned(),
        });
        match lack {
            Lack::Caller | Lack::Scope => refusal.header(WWW_AUTHENTICATE, self.challenge(lack, caller)),
            Lack::Denied | Lack::Group | Lack::Role => refusal,
        }
    }

    /// A caller with an API key is challenged in the scheme that it used.
    fn challenge(&self, lack: Lack, caller: Option<&Principal>) -> HeaderValue {
        let scheme =
            if caller.is_some_and(|caller| caller.realm() == "api_key") { "ApiKey" } else { "Bearer" };
        let mut text = format!("{scheme} realm=\"{}\"", plain(&self.realm));
        if lack == Lack::Scope {
            let scopes = plain(&self.policy.needed_scopes().join(" "));
            text = format!("{text}, error=\"insufficient_scope\", scope=\"{scopes}\"");
        }
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
    }
}

/// What can stand between quotes in a header.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\')).collect()
}

impl Admit for Authorizer {
    fn admit(&self, head: &mut Parts, _: &mut Stamp) -> Result<(), Refusal> {
        let (verdict, lack) = self.decide(head);
        self.decisions.count(verdict);
        match lack {
            Err(lack) if verdict == Verdict::Refuse => {
                Err(self.refusal(lack, Facts::get(&head.extensions).and_then(Facts::principal)))
            }
            _ => Ok(()),
        }
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        let (verdict, lack) = self.decide(head);
        let why = match lack {
            Err(lack) => lack.why(),
            Ok(()) if verdict == Verdict::Skip => "mode is off",
            Ok(()) => "the caller has what it needs",
        };
        say.push(Explanation::new(NAME, verdict, why));
    }
}

const NAME: &str = "authorize";

#[cfg(test)]
mod tests {
    use gateway_core::{Body, Clock, testing::contract};
    use http::{Request, Response};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;

    fn request(caller: Option<Principal>) -> Request<Body> {
        let mut request = contract::request();
        if let Some(caller) = caller {
            Facts::of(request.extensions_mut(), &Clock::default()).set_principal(&caller);
        }
        request
    }

    async fn answer(layer: &AuthorizeLayer, caller: Option<Principal>) -> (u16, String, String) {
        let ok = |_: Request<Body>| async { Ok::<_, std::convert::Infallible>(Response::new(Body::empty())) };
        let answer = layer.layer(service_fn(ok)).oneshot(request(caller)).await.unwrap();
        let code = answer.extensions().get::<Refusal>().map_or("", Refusal::code).to_owned();
        let challenge = answer.headers().get(WWW_AUTHENTICATE);
        let challenge = challenge.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        (answer.status().as_u16(), code, challenge)
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        let ada = || request(Some(Principal::new("issuer", "ada").with_scopes(["a"])));
        contract::check_with(AuthorizeLayer::default().scopes(["a"]), ada).await;
        contract::check(AuthorizeLayer::default().mode(Mode::Off)).await;
    }

    #[tokio::test]
    async fn says_no_with_the_challenge_that_fits() {
        let layer = AuthorizeLayer::default().scopes(["a", "b\"\n"]).roles(["admin"]).realm("shop");
        let caller = |realm: &str| Principal::new(realm, "ada").with_roles(["admin"]);
        let challenge = "realm=\"shop\", error=\"insufficient_scope\", scope=\"a b\"";
        for (caller, status, code, expected) in [
            (None, 401, "not_authenticated", "Bearer realm=\"shop\"".to_owned()),
            (Some(Principal::new("issuer", "eve")), 403, "forbidden", String::new()),
            (Some(caller("issuer")), 403, "insufficient_scope", format!("Bearer {challenge}")),
            (Some(caller("api_key")), 403, "insufficient_scope", format!("ApiKey {challenge}")),
            (Some(caller("issuer").with_scopes(["a", "b\"\n"])), 200, "", String::new()),
        ] {
            assert_eq!(answer(&layer, caller).await, (status, code.to_owned(), expected));
        }
    }

    #[tokio::test]
    async fn audit_counts_and_lets_pass() {
        let meter = Meter::default();
        let layer = AuthorizeLayer::default().meter(&meter, "here").mode(Mode::Audit);
        assert_eq!(answer(&layer, None).await.0, 200);
        assert_eq!(Decisions::new(&meter, NAME, "here").value(Verdict::WouldRefuse), 1);
        let mut said = Vec::new();
        layer.into_rule().explain(&request(None).into_parts().0, &mut said);
        assert_eq!(said[0].to_string(), "authorize: would_refuse: nobody said who the caller is");
    }
}
