//! The part of the document under `rate_limit.store`.

use std::time::Duration;

use gateway_core::{identity::Identity, store::Redis};
use sha2::{Digest, Sha256};

use super::{OnError, Store};
use crate::config::{Secret, Section, Words};

pub(crate) fn read(section: &mut Section<'_>) -> Option<Store> {
    let url = section.required::<Secret>("redis");
    let on_error = section.required::<OnError>("on_error");
    let prefix = section.or("prefix", "gateway".to_owned());
    let salt = section.optional::<Secret>("salt");
    let timeout = section.or("timeout", Redis::TIMEOUT);
    if timeout.is_zero() || timeout > LONGEST {
        section.fail("timeout", "a request waits for it: choose between 1ms and 5s");
    }
    if prefix.is_empty()
        || !prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    {
        section.fail("prefix", "use letters, digits and - _ . :");
    }
    let url = url?;
    let redis = section.checked("redis", Redis::new(url.expose()))?;
    let context = section.context();
    // One connection for all routes, and for the next graph. The identity is printed, the URL is not.
    let name = format!("{:x}", Sha256::digest(url.expose()));
    let redis = context.shelf.state(Identity::new("redis", &name).and(timeout.as_millis()), || {
        redis.timeout(timeout).clock(context.clock.clone()).meter(&context.meter, "gateway")
    });
    let mut store = Store::new(Redis::clone(&redis), on_error?).prefix(prefix).scope(section.place());
    if let Some(salt) = salt {
        store = store.salt(salt.expose().as_bytes());
    }
    Some(store)
}

impl Words for OnError {
    const WORDS: &'static [(&'static str, Self)] =
        &[("allow", Self::Allow), ("refuse", Self::Refuse), ("local", Self::Local)];
}

/// Longer than this, no limit is worth waiting for.
const LONGEST: Duration = Duration::from_secs(5);
