//! The part of the document under `rate_limit`.

use std::{num::NonZeroU32, time::Duration};

use gateway_core::{Key, Mode, identity::Identity};

use super::{MissingKey, Quota, RateLimitLayer, Table};
use crate::config::{Section, Words};

/// ```yaml
/// rate_limit:
///   requests: 600          # required
///   per: 1m                # default 1s
///   burst: 50              # default: as many as `requests`
///   by: [client_addr]      # client_addr, route, everyone, header:NAME; several count together
///   missing: share         # share | refuse | skip: requests without the key
///   mode: enforce          # enforce | audit | off
///   max_keys: 100000       # buckets that are told apart
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<RateLimitLayer> {
    let requests = section.required::<u32>("requests");
    let per = section.or("per", Duration::from_secs(1));
    let burst = section.optional::<NonZeroU32>("burst");
    let by = section.or("by", vec![Key::client_addr()]);
    let missing = section.or("missing", MissingKey::default());
    let mode = section.or("mode", Mode::Enforce);
    let max_keys = section.or("max_keys", RateLimitLayer::MAX_KEYS);
    if per.is_zero() {
        section.fail("per", "a rate needs a period that is longer than nothing");
    }
    let Some(key) = by.into_iter().reduce(Key::and) else {
        section.fail("by", "name at least one key");
        return None;
    };
    let mut quota = Quota::per(requests?, per);
    if let Some(burst) = burst {
        quota = quota.burst(burst.get());
    }
    let context = section.context();
    let identity = Identity::new("rate_limit", section.place()).and(&key).and(max_keys);
    let table = context.shelf.state(identity, || Table::new(max_keys, context.clock.now()));
    let layer = RateLimitLayer::new(quota).by(key).missing(missing).mode(mode).table(table);
    Some(layer.clock(context.clock.clone()).meter(&context.meter, section.place()))
}

impl Words for MissingKey {
    const WORDS: &'static [(&'static str, Self)] =
        &[("share", Self::Share), ("refuse", Self::Refuse), ("skip", Self::Skip)];
}
