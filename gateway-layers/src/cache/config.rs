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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gateway_core::explain::Explain;
    use http::Request;

    use crate::config::{self, Context, Source};

    fn load(cache: &str, context: &Context) -> Result<config::Declared, String> {
        let text = format!("routes:\n  - {{name: a, prefix: /, cache: {cache}, upstream: 'http://a'}}\n");
        let source = Source { name: "test", text: &text };
        config::load(source, |_| None, context).map_err(|problems| problems.to_string())
    }

    #[test]
    fn what_cannot_be_is_told() {
        for (cache, told) in [
            ("{max_size: 0B}", "a cache without room stores nothing"),
            ("{max_size: 1MiB, max_object: 2MiB}", "it is larger than `max_size`"),
            ("{partition: everybody}", "expected"),
            ("{stale_while_revalidate: 60s}", "unknown key `stale_while_revalidate`"),
            ("{default_ttl: 60s}", "unknown key `default_ttl`"),
        ] {
            let problem = load(cache, &Context::default()).map(drop).unwrap_err();
            assert!(problem.contains(told), "{cache}: {problem}");
        }
    }

    #[test]
    fn what_is_stored_outlives_a_rebuilt_graph_unless_it_is_shared_differently() {
        let first = Context::default();
        load("{partition: shared}", &first).unwrap();
        let next = || Context { shelf: Arc::new(first.shelf.next()), ..first.clone() };
        let held = |context: &Context| format!("{:?}", context.shelf);
        let (same, other) = (next(), next());
        load("{partition: shared, lock_wait: 1s}", &same).unwrap();
        load("{partition: tenant}", &other).unwrap();
        assert_eq!(held(&first), held(&same));
        assert_ne!(held(&first), held(&other));
    }

    #[test]
    fn a_declared_cache_explains_itself() {
        let declared = load("{}", &Context::default()).unwrap();
        let (head, ()) = Request::get("/").header("host", "a").body(()).unwrap().into_parts();
        let mut said = Vec::new();
        declared.service().explain(&head, &mut said);
        let cache = said.iter().find(|said| said.layer == "cache").unwrap();
        assert_eq!(cache.to_string(), "cache: pass: it goes on: uri-miss");
    }
}
