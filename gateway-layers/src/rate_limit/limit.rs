use std::{fmt, sync::Arc};

use gateway_core::Key;

use super::Quota;

/// One of the limits that a request must keep: a quota, how it is counted, and for whom.
///
/// ```
/// use gateway_core::Key;
/// use gateway_layers::rate_limit::{Algorithm, Limit, Quota, RateLimitLayer};
/// use std::time::Duration;
///
/// let burst = Limit::new("burst", Quota::per_second(10));
/// let daily = Limit::new("daily", Quota::per(10_000, Duration::from_secs(86_400)))
///     .algorithm(Algorithm::SlidingWindow)
///     .by(Key::header("x-api-key".parse()?));
/// let layer = RateLimitLayer::limits([burst, daily]);
/// # let _ = layer;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Limit {
    pub(super) name: Arc<str>,
    pub(super) quota: Quota,
    pub(super) algorithm: Algorithm,
    pub(super) key: Key,
    pub(super) missing: MissingKey,
}

impl Limit {
    /// A limit per client address, with a token bucket. Its name appears in the `RateLimit` fields, in metrics and
    /// in the log.
    pub fn new(name: impl Into<Arc<str>>, quota: Quota) -> Self {
        Self {
            name: name.into(),
            quota,
            algorithm: Algorithm::default(),
            key: Key::client_addr(),
            missing: MissingKey::default(),
        }
    }

    /// How it counts.
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Who is counted together.
    #[must_use]
    pub fn by(mut self, key: Key) -> Self {
        self.key = key;
        self
    }

    /// What happens to requests that have no key, for instance without the header that the key reads.
    #[must_use]
    pub fn missing(mut self, missing: MissingKey) -> Self {
        self.missing = missing;
        self
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, quota, algorithm, key, .. } = self;
        match algorithm {
            Algorithm::TokenBucket => write!(f, "{name}: {quota} by {key}"),
            Algorithm::SlidingWindow => {
                write!(f, "{name}: {} per sliding {:?} by {key}", quota.requests(), quota.period())
            }
        }
    }
}

/// How requests are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// A burst at once, the rest at a steady rate; see [`Bucket`](super::Bucket) for its exact bound. The default:
    /// it smooths, and a refused caller waits for one token and not for a window.
    #[default]
    TokenBucket,
    /// All of a period's requests at any pace within it; see [`Window`](super::Window) for its exact bound. For
    /// quotas of an hour or a day, which are a number to spend and not a pace.
    SlidingWindow,
}

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
