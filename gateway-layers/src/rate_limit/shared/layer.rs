use std::{error::Error, fmt, sync::Arc};

use gateway_core::{
    gate::{GateLayer, Gated},
    phase::{self, Staged},
    store::Redis,
};

use super::{SharedLimiter, script::Exact};
use crate::rate_limit::RateLimitLayer;

/// Where shared limits are counted, and what happens when nobody can be asked there.
#[derive(Clone)]
pub struct Store {
    pub(super) redis: Redis,
    pub(super) on_error: OnError,
    pub(super) prefix: Arc<str>,
    pub(super) scope: Arc<str>,
    pub(super) salt: Arc<[u8]>,
}

/// What happens to a request when the store gives no answer. There is no default: either choice is wrong for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// It passes: the limit protects nothing meanwhile.
    Allow,
    /// It is refused with 503 `rate_limit_unavailable`: the store's failure is the gateway's.
    Refuse,
    /// It is counted in this process: N gateways let pass up to N times the limit meanwhile.
    Local,
}

impl Store {
    /// Limits kept in this Redis.
    #[must_use]
    pub fn new(redis: Redis, on_error: OnError) -> Self {
        Self { redis, on_error, prefix: "gateway".into(), scope: "".into(), salt: [].into() }
    }

    /// The keys are called `{prefix}:` and 32 hexadecimal digits; `gateway` if nothing else is said. The braces are part
    /// of the name: a Redis cluster keeps all keys of one prefix on one node, so that one script can see all of a
    /// request's.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Arc<str>>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Layers with the same scope, and limits of the same name, count together, in whatever process they are. A scope is
    /// the name of a route, for instance.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<Arc<str>>) -> Self {
        self.scope = scope.into();
        self
    }

    /// A secret that all gateways know, hashed into the names of keys. Names never hold a caller's key in the clear, but
    /// without a secret who reads them can find out by trial whether a certain address was there.
    #[must_use]
    pub fn salt(mut self, salt: impl Into<Arc<[u8]>>) -> Self {
        self.salt = salt.into();
        self
    }
}

/// Shows no salt.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("redis", &self.redis)
            .field("on_error", &self.on_error)
            .field("prefix", &self.prefix)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// [`RateLimitLayer`] with its counts in Redis: every gateway with the same store, scope and limits counts together.
///
/// **Answers** as [`RateLimitLayer`], and 503 `rate_limit_unavailable` where the store gives no answer and
/// [`OnError::Refuse`] is chosen.
/// **Waits** for one round trip, at most for the store's timeout and not past the request's deadline. **Costs** some
/// allocations for it. **Exact**: one script decides about all limits at one moment by the server's clock, so the
/// promises of the algorithms hold over all gateways together.
/// **Needs** Redis 5 or later. Every key has a time to live.
#[derive(Clone, Debug)]
pub struct SharedRateLimitLayer(SharedLimiter);

impl RateLimitLayer {
    /// The same limits, counted in a store that several gateways share.
    ///
    /// # Errors
    /// If a limit has numbers that Redis cannot calculate with exactly: a token bucket that takes more than 285 years
    /// to fill.
    pub fn shared(self, store: Store) -> Result<SharedRateLimitLayer, NotExact> {
        let exact = |limit| Exact::new(limit).ok_or_else(|| NotExact(limit.name.to_string()));
        let exact = self.limits.iter().map(exact).collect::<Result<_, _>>()?;
        Ok(SharedRateLimitLayer(SharedLimiter::new(self.into_rule(), store, exact)))
    }
}

impl SharedRateLimitLayer {
    /// The rule alone, for a list of gates.
    #[must_use]
    pub fn into_rule(self) -> SharedLimiter {
        self.0
    }
}

impl<S> tower_layer::Layer<S> for SharedRateLimitLayer {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        GateLayer::new(self.0.clone()).layer(inner)
    }
}

impl Staged for SharedRateLimitLayer {
    type Phase = phase::Limit;
}

/// A limit whose numbers are too large for Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotExact(String);

impl fmt::Display for NotExact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the limit `{}` is too large or too long to be counted exactly in Redis", self.0)
    }
}

impl Error for NotExact {}
