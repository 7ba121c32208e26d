use std::{sync::Arc, time::Duration};

use gateway_core::{
    Clock, GateLayer, Gated, Mode,
    forwarding::OwnedHeaders,
    meter::{Counter, Decisions, Meter},
    phase::{self, Staged},
};
use http::HeaderName;

use super::{
    RemoteKeys, TokenPlace, VerifyingKey,
    cache::Cache,
    challenge::Challenges,
    claims::{Checks, Names},
    gate::{Authenticate, Inner},
    key_set::KeySet,
    verified::Verified,
};

/// Passes requests with a good bearer token, and says who the caller is. See the [module](super) for what it answers
/// and costs.
///
/// Every service that this layer and its clones make uses the same keys and remembers the same tokens.
#[derive(Clone, Debug)]
pub struct JwtLayer {
    checks: Checks,
    keys: Keys,
    kind: Option<String>,
    place: TokenPlace,
    required: bool,
    forward: bool,
    headers: Vec<(HeaderName, String)>,
    realm: String,
    mode: Mode,
    cache: Arc<Cache<Verified>>,
    clock: Clock,
    decisions: Decisions,
    cached: Counter,
}

impl JwtLayer {
    /// Takes tokens of this issuer that are for one of these audiences and signed by one of these keys.
    pub fn new(
        issuer: impl Into<String>,
        audiences: impl IntoIterator<Item = impl Into<String>>,
        keys: impl Into<Keys>,
    ) -> Self {
        Self {
            checks: Checks {
                issuer: Some(issuer.into()),
                audiences: audiences.into_iter().map(Into::into).collect(),
                any_audience: false,
                leeway: Self::LEEWAY,
                max_lifetime: None,
                required: Vec::new(),
                names: Names::default(),
            },
            keys: keys.into(),
            kind: None,
            place: TokenPlace::Bearer,
            required: true,
            forward: false,
            headers: Vec::new(),
            realm: "gateway".to_owned(),
            mode: Mode::Enforce,
            cache: Arc::new(Cache::new(Self::CACHE)),
            clock: Clock::default(),
            decisions: Decisions::default(),
            cached: Counter::default(),
        }
    }

    /// 30 s: how far the issuer's clock may be off. Servers whose time is kept are within one.
    pub const LEEWAY: Duration = Duration::from_secs(30);
    /// 10,000 tokens, about 10 MiB with usual claims: the callers of one instance within the life of a token.
    pub const CACHE: usize = 10_000;

    /// Takes tokens whatever audience they name, also none. Only where the issuer serves nobody else: otherwise a
    /// token for another service is good here, too.
    #[must_use]
    pub fn any_audience(mut self) -> Self {
        self.checks.any_audience = true;
        self
    }

    /// Takes tokens whatever issuer they name, also none. Only where nobody else has the keys: whoever signs with them
    /// says whose callers they are.
    #[must_use]
    pub fn any_issuer(mut self) -> Self {
        self.checks.issuer = None;
        self
    }

    /// How far the issuer's clock may be off.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.checks.leeway = leeway;
        self
    }

    /// The longest time from `iat` to `exp`; tokens must then say `iat`. Not limited by default.
    #[must_use]
    pub fn max_lifetime(mut self, longest: Duration) -> Self {
        self.checks.max_lifetime = Some(longest);
        self
    }

    /// Claims that must be there beside `iss`, `aud` and `exp`.
    #[must_use]
    pub fn claims(mut self, required: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.checks.required = required.into_iter().map(Into::into).collect();
        self
    }

    /// The header `typ` that tokens must have, such as `at+jwt` (RFC 9068). By default it may be missing, `JWT` or
    /// `at+jwt`.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Where requests carry the token.
    #[must_use]
    pub fn place(mut self, place: TokenPlace) -> Self {
        self.place = place;
        self
    }

    /// Lets requests without a token pass, with nobody as their caller. A bad token is still refused.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// Whether the upstream gets the token. It does not by default: whoever has it can act as the caller.
    #[must_use]
    pub fn forward(mut self, forward: bool) -> Self {
        self.forward = forward;
        self
    }

    /// The claim that says who the caller is; by default `sub`. It must be there.
    #[must_use]
    pub fn id(mut self, claim: impl Into<String>) -> Self {
        self.checks.names.id = claim.into();
        self
    }

    /// The claim that says to which customer the caller belongs. Claims inside of others are named with dots between,
    /// such as `realm_access.roles`.
    #[must_use]
    pub fn tenant(mut self, claim: impl Into<String>) -> Self {
        self.checks.names.tenant = Some(claim.into());
        self
    }

    /// The claim that holds the scopes; by default `scope` and `scp`, as a text with spaces between or as a list.
    #[must_use]
    pub fn scopes(mut self, claim: impl Into<String>) -> Self {
        self.checks.names.scopes = vec![claim.into()];
        self
    }

    /// The claim that holds the roles.
    #[must_use]
    pub fn roles(mut self, claim: impl Into<String>) -> Self {
        self.checks.names.roles = Some(claim.into());
        self
    }

    /// The claim that holds the groups.
    #[must_use]
    pub fn groups(mut self, claim: impl Into<String>) -> Self {
        self.checks.names.groups = Some(claim.into());
        self
    }

    /// Sets a header for the upstream to a claim. A client's own header of that name is always removed. Claims that
    /// are missing, or cannot stand in a header, leave it out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, claim: impl Into<String>) -> Self {
        self.headers.push((name, claim.into()));
        self
    }

    /// What `WWW-Authenticate` calls the protected space; characters other than visible ASCII, `"` and `\` are left
    /// out.
    #[must_use]
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// Whether refusals are carried out. While auditing, a bad token passes without a caller, and the token stays in
    /// the request.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How many good tokens are remembered; with 0, every signature is checked every time.
    #[must_use]
    pub fn cache(mut self, tokens: usize) -> Self {
        self.cache = Arc::new(Cache::new(tokens));
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Counts `gateway_decisions_total{layer="jwt", place, verdict}` and `gateway_jwt_cache_hits_total{place}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        self.decisions = Decisions::new(meter, super::gate::NAME, place);
        let help = "Requests whose token was checked before.";
        self.cached = meter.counter("gateway_jwt_cache_hits_total", help, &[("place", place)]);
        self
    }

    /// The rule alone, for a list of gates.
    #[must_use]
    pub fn into_gate(self) -> Authenticate {
        Authenticate(Arc::new(Inner {
            owned: self.headers.iter().map(|(name, _)| name.clone()).collect::<OwnedHeaders>(),
            challenges: Challenges::new(&self.realm),
            cache: self.cache,
            checks: self.checks,
            keys: self.keys,
            kind: self.kind,
            place: self.place,
            required: self.required,
            forward: self.forward,
            headers: self.headers,
            mode: self.mode,
            clock: self.clock,
            decisions: self.decisions,
            cached: self.cached,
        }))
    }
}

impl<S> tower_layer::Layer<S> for JwtLayer {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        GateLayer::new(self.clone().into_gate()).layer(inner)
    }
}

impl Staged for JwtLayer {
    type Phase = phase::Allow;

    fn owned_headers(&self) -> Vec<HeaderName> {
        self.headers.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// The keys of an issuer.
#[derive(Clone, Debug)]
pub struct Keys(pub(super) KeysFrom);

#[derive(Clone, Debug)]
pub(super) enum KeysFrom {
    Fixed(Arc<KeySet>),
    Remote(Arc<RemoteKeys>),
}

/// These and no others.
impl<const N: usize> From<[VerifyingKey; N]> for Keys {
    fn from(keys: [VerifyingKey; N]) -> Self {
        Vec::from(keys).into()
    }
}

/// These and no others.
impl From<Vec<VerifyingKey>> for Keys {
    fn from(keys: Vec<VerifyingKey>) -> Self {
        Self(KeysFrom::Fixed(Arc::new(KeySet::new(keys))))
    }
}

impl From<RemoteKeys> for Keys {
    fn from(keys: RemoteKeys) -> Self {
        Arc::new(keys).into()
    }
}

/// Keys that several layers share, or that are kept from the graph before.
impl From<Arc<RemoteKeys>> for Keys {
    fn from(keys: Arc<RemoteKeys>) -> Self {
        Self(KeysFrom::Remote(keys))
    }
}
