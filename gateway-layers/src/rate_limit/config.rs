//! The part of the document under `rate_limit`.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use gateway_core::{
    Admit, Explanation, Key, Mode, Stamp,
    gate::{Entry, Gate},
    identity::Identity,
};
use http::request::Parts;

#[cfg(feature = "redis")]
use super::shared::SharedLimiter;
use super::{Algorithm, Fields, Limit, Limiter, MissingKey, Quota, RateLimitLayer, Table};
use crate::config::{Section, Words};

/// The rule of the section, wherever it counts.
pub(crate) enum Declared {
    Local(Limiter),
    #[cfg(feature = "redis")]
    Shared(SharedLimiter),
}

impl Gate for Declared {
    fn enter(&self, head: &mut Parts, stamp: &mut Stamp) -> Entry {
        match self {
            Self::Local(rule) => rule.admit(head, stamp).into(),
            #[cfg(feature = "redis")]
            Self::Shared(rule) => rule.enter(head, stamp),
        }
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        match self {
            Self::Local(rule) => Admit::explain(rule, head, say),
            #[cfg(feature = "redis")]
            Self::Shared(rule) => rule.explain(head, say),
        }
    }
}

/// ```yaml
/// rate_limit:
///   requests: 600          # required, unless there are `limits`
///   per: 1m                # default 1s
///   burst: 50              # default: as many as `requests`; token_bucket only
///   algorithm: token_bucket  # token_bucket | sliding_window
///   by: [client_addr]      # client_addr, principal, tenant, claim:NAME, route, everyone, header:NAME
///   missing: share         # share | refuse | skip: requests without the key
///   mode: enforce          # enforce | audit | off
///   fields: none           # none | draft10 | legacy: what answers say about limits
///   max_keys: 100000       # buckets that are told apart
/// ```
///
/// Several limits at once have a name each, and the same keys:
///
/// ```yaml
/// rate_limit:
///   limits:
///     - {name: burst, requests: 10, per: 1s}
///     - {name: daily, requests: 10000, per: 1d, algorithm: sliding_window, by: principal}
/// ```
///
/// With a store, all gateways that name the same one count together:
///
/// ```yaml
/// rate_limit:
///   requests: 600
///   store:
///     redis: ${REDIS_URL}  # required: redis://user:password@host:6379/0
///     on_error: refuse     # required: allow | refuse | local
///     prefix: gateway
///     salt: ${LIMIT_SALT}  # a secret in the names of keys; none if left out
///     timeout: 50ms
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<Declared> {
    let has_list = section.has("limits");
    let several = section.sections("limits", |limit| {
        let name = limit.required::<String>("name");
        self::limit(limit, name)
    });
    let one = match has_list {
        true => None,
        false => limit(section, Some("default".to_owned())),
    };
    let mode = section.or("mode", Mode::Enforce);
    let fields = section.or("fields", Fields::default());
    let max_keys = section.or("max_keys", RateLimitLayer::MAX_KEYS);
    if has_list && several.is_empty() {
        section.fail("limits", "name at least one limit");
    }
    let names = |limit: &Limit| several.iter().filter(|other| other.name == limit.name).count();
    if let Some(twice) = several.iter().find(|limit| names(limit) > 1) {
        let message = format!("two limits are named `{}`", twice.name);
        section.fail("limits", message);
    }
    let store = section.has("store");
    #[cfg(feature = "redis")]
    let shared = section.section("store", super::shared::config::read);
    #[cfg(not(feature = "redis"))]
    if store {
        section.fail("store", "built without the feature redis");
    }
    let limits: Vec<_> = one.into_iter().chain(several).collect();
    let context = section.context();
    // A quota may change and its buckets stay; what they count may not.
    let identity = limits.iter().fold(Identity::new("rate_limit", section.place()), |identity, limit| {
        let identity = identity.and(&limit.key);
        match limit.algorithm {
            Algorithm::TokenBucket => identity,
            Algorithm::SlidingWindow => identity.and(format_args!("sliding {:?}", limit.quota.period())),
        }
    });
    let table = context.shelf.state(identity.and(max_keys), || Table::new(max_keys, context.clock.now()));
    let layer = RateLimitLayer::limits(limits).fields(fields).mode(mode).table(table);
    let layer = layer.clock(context.clock.clone()).meter(&context.meter, section.place());
    #[cfg(feature = "redis")]
    if store {
        let shared = layer.shared(shared?);
        return section.checked("store", shared).map(|layer| Declared::Shared(layer.into_rule()));
    }
    Some(Declared::Local(layer.into_rule()))
}

fn limit(section: &mut Section<'_>, name: Option<String>) -> Option<Limit> {
    let requests = section.required::<u32>("requests");
    let per = section.or("per", Duration::from_secs(1));
    let burst = section.optional::<NonZeroU32>("burst");
    let algorithm = section.or("algorithm", Algorithm::default());
    let by = section.or("by", vec![Key::client_addr()]);
    let missing = section.or("missing", MissingKey::default());
    if per.is_zero() {
        section.fail("per", "a rate needs a period that is longer than nothing");
    }
    if burst.is_some() && algorithm == Algorithm::SlidingWindow {
        section.fail("burst", "a sliding window has no burst: all of its requests may come at once");
    }
    if name
        .as_ref()
        .is_some_and(|name| name.is_empty() || !name.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
    {
        section.fail("name", "a name is told in header fields: use letters, digits and signs of ASCII");
    }
    let Some(key) = by.into_iter().reduce(Key::and) else {
        section.fail("by", "name at least one key");
        return None;
    };
    section.check_key("by", &key);
    let mut quota = Quota::per(requests?, per);
    if let Some(burst) = burst {
        quota = quota.burst(burst.get());
    }
    Some(Limit::new(Arc::from(name?), quota).algorithm(algorithm).by(key).missing(missing))
}

impl Words for MissingKey {
    const WORDS: &'static [(&'static str, Self)] =
        &[("share", Self::Share), ("refuse", Self::Refuse), ("skip", Self::Skip)];
}

impl Words for Algorithm {
    const WORDS: &'static [(&'static str, Self)] =
        &[("token_bucket", Self::TokenBucket), ("sliding_window", Self::SlidingWindow)];
}

impl Words for Fields {
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("draft10", Self::Draft10), ("legacy", Self::Legacy)];
}
