//! The part of the document under `bulkhead`.

use std::{num::NonZeroU32, time::Duration};

use gateway_core::{Key, Mode, identity::Identity};

use super::{BulkheadLayer, Gates};
use crate::config::Section;

/// ```yaml
/// bulkhead:
///   concurrent: 100        # required
///   queue: 50              # default 0: nobody waits
///   wait: 1s               # how long at most; default 1s
///   by: [client_addr]      # client_addr, route, everyone, header:NAME; default: one bound for all
///   mode: enforce          # enforce | audit | off
///   max_keys: 10000        # keys with requests under way that are told apart
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<BulkheadLayer> {
    let concurrent = section.required::<NonZeroU32>("concurrent");
    let queue = section.or("queue", 0_u32);
    let wait = section.optional::<Duration>("wait");
    let by = section.optional::<Vec<Key>>("by");
    let mode = section.or("mode", Mode::Enforce);
    let max_keys = section.or("max_keys", BulkheadLayer::MAX_KEYS);
    if wait.is_some_and(|wait| wait.is_zero()) {
        section.fail("wait", "nobody waits for no time; leave `queue` out for no queue");
    }
    if wait.is_some() && queue == 0 && !section.has("queue") {
        section.fail("wait", "nobody waits without a `queue`");
    }
    if by.as_ref().is_some_and(Vec::is_empty) {
        section.fail("by", "name at least one key, or leave it out for one bound for all");
    }
    let key = by.and_then(|by| by.into_iter().reduce(Key::and));
    let context = section.context();
    let identity = Identity::new("bulkhead", section.place()).and(max_keys);
    let identity = key.iter().fold(identity, Identity::and);
    let gates = context.shelf.state(identity, || Gates::new(max_keys));
    let mut layer = BulkheadLayer::new(concurrent?.get()).queue(queue).mode(mode).gates(gates);
    if let Some(wait) = wait {
        layer = layer.wait(wait);
    }
    if let Some(key) = key {
        layer = layer.by(key);
    }
    Some(layer.clock(context.clock.clone()).meter(&context.meter, section.place()))
}
