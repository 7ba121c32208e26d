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
    key.iter().for_each(|key| section.check_key("by", key));
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

#[cfg(test)]
mod tests {
    use gateway_core::{
        Body,
        testing::{ScriptedUpstream, Step},
    };
    use http::Request;
    use tower::ServiceExt;

    use crate::config::{Context, Source, load};

    #[test]
    fn what_makes_no_sense_is_told() {
        for (bulkhead, told) in [
            ("queue: 5", "`concurrent` is missing"),
            ("concurrent: 0", "a whole number of at least 1"),
            ("concurrent: 1, wait: 1s", "nobody waits without a `queue`"),
            ("concurrent: 1, queue: 1, wait: 0s", "nobody waits for no time"),
            ("concurrent: 1, by: []", "name at least one key"),
            ("concurrent: 1, que: 5", "unknown key `que` (did you mean `queue`?)"),
        ] {
            let text = format!("routes:\n  - {{prefix: /, upstream: 'http://a', bulkhead: {{{bulkhead}}}}}");
            let source = Source { name: "g", text: &text };
            let problems = load(source, |_| None, &Context::default()).unwrap_err().to_string();
            assert!(problems.contains(told) && problems.lines().count() == 1, "{bulkhead}: {problems}");
        }
    }

    #[tokio::test]
    async fn a_declared_bulkhead_counts_until_the_body_ends_and_into_the_next_graph() {
        let half = Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha");
        let upstream = ScriptedUpstream::start([vec![half, Step::Stall]]).await.unwrap();
        let text = format!(
            "routes:\n  - name: all\n    prefix: /\n    bulkhead: {{concurrent: 1}}\n    upstream: {}\n",
            upstream.url()
        );
        let context = Context::default();
        let ask = async |context: &Context| {
            let declared = load(Source { name: "g", text: &text }, |_| None, context).unwrap();
            let request = Request::get("/").header("host", "a").body(Body::empty()).unwrap();
            declared.service().oneshot(request).await.unwrap()
        };
        let first = ask(&context).await;
        assert_eq!((first.status().as_u16(), ask(&context).await.status().as_u16()), (200, 503));
        let next = Context { shelf: std::sync::Arc::new(context.shelf.next()), ..context.clone() };
        assert_eq!(ask(&next).await.status(), 503);
        drop(first);
        assert_eq!(ask(&next).await.status(), 200);
    }
}
