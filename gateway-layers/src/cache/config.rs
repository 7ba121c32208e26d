//! The part of the document under `cache`.

use std::time::Duration;

use gateway_core::identity::Identity;

use super::{CacheLayer, Partition, Store};
use crate::config::{ByteSize, Section, Words};

/// ```yaml
/// cache:
///   max_size: 64MiB        # of all stored answers, with heads and keys
///   max_object: 1MiB       # longer bodies are not stored
///   partition: principal   # principal | tenant | shared: who shares stored answers
///   set_cookie: false      # whether answers with Set-Cookie are stored
///   lock_wait: 5s          # how long a request waits for another one like it
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<CacheLayer> {
    let max_size = section.or("max_size", ByteSize::new(CacheLayer::MAX_SIZE)).bytes();
    let max_object = section.optional::<ByteSize>("max_object").map(ByteSize::bytes);
    let partition = section.or("partition", Partition::default());
    let set_cookie = section.or("set_cookie", false);
    let lock_wait = section.or::<Duration>("lock_wait", CacheLayer::LOCK_WAIT);
    if max_size == 0 {
        section.fail("max_size", "a cache without room stores nothing; leave `cache` out");
    }
    if max_object.is_some_and(|most| most > max_size) {
        section.fail("max_object", "it is larger than `max_size`, so it would never be stored");
    }
    let context = section.context();
    // What is stored under another partition or with cookies must not be found by a cache that is stricter.
    let identity =
        Identity::new("cache", section.place()).and(max_size).and(partition.as_str()).and(set_cookie);
    let store = context.shelf.state(identity, || Store::new(max_size, &context.clock));
    let layer = CacheLayer::new(store).partition(partition).set_cookie(set_cookie).lock_wait(lock_wait);
    let layer = max_object.into_iter().fold(layer, CacheLayer::max_object);
    let layer = layer.buffers(context.buffers.clone());
    Some(layer.clock(context.clock.clone()).meter(&context.meter, section.place()))
}

impl Words for Partition {
    const WORDS: &'static [(&'static str, Self)] =
        &[("principal", Self::Principal), ("tenant", Self::Tenant), ("shared", Self::Shared)];
}
