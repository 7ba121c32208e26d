//! The part of the document under `retry`.

use std::{sync::Arc, time::Duration};

use gateway_core::{
    Clock,
    client::Forward,
    identity::{Identity, Shelf},
};
use http::{Method, StatusCode};

use super::{Budget, Policy, RetryLayer, Terms};
use crate::config::{ByteSize, Section};

/// A layer that gets its budget as soon as it is known which upstream it is for.
pub(crate) struct Declared {
    layer: RetryLayer,
    budget: Option<(Terms, Arc<Shelf>, Clock)>,
}

impl Declared {
    /// The layer in front of this upstream. All routes that lead to the same endpoints on the same terms share one
    /// budget, also with the graph before.
    pub(crate) fn over(self, upstream: &Forward) -> RetryLayer {
        let Some((terms, shelf, clock)) = self.budget else { return self.layer };
        let mut endpoints: Vec<&str> = upstream.endpoints().collect();
        endpoints.sort_unstable();
        let identity = Identity::new("retry budget", &endpoints.join(" "));
        let identity = identity.and(terms.ratio).and(terms.per_second);
        self.layer.budget(shelf.state(identity, || Budget::new(terms, clock.now())))
    }
}

/// Without the key nothing is tried again.
impl Default for Declared {
    fn default() -> Self {
        Self { layer: RetryLayer::off(), budget: None }
    }
}

/// ```yaml
/// retry:                   # {} for all of these
///   tries: 3               # in all, from 1 to 10
///   on: [502, 503, 504]    # statuses
///   methods: [GET, HEAD, OPTIONS, TRACE, PUT, DELETE]
///   idempotency_key: false # whether a request with Idempotency-Key may be sent twice
///   backoff: 25ms
///   max_backoff: 250ms
///   max_retry_after: 1s
///   budget: {ratio: 0.2, per_second: 10}
///   body: 64KiB            # kept for another try
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<Declared> {
    let usual = Policy::default();
    let tries = section.or("tries", usual.tries);
    let on = section.optional::<Vec<StatusCode>>("on");
    let methods = section.optional::<Vec<Method>>("methods");
    let idempotency_key = section.or("idempotency_key", false);
    let backoff = section.or("backoff", usual.backoff);
    let max_backoff = section.or("max_backoff", usual.max_backoff.max(backoff));
    let max_retry_after = section.or("max_retry_after", usual.max_retry_after);
    let terms = section.section("budget", terms).unwrap_or_default();
    let body = section.or("body", ByteSize::new(RetryLayer::BODY as u64));
    if !(1..=MOST_TRIES).contains(&tries) {
        section.fail("tries", format!("expected a number from 1 to {MOST_TRIES}"));
    }
    if on.iter().flatten().any(|status| status.as_u16() < 400) {
        section.fail("on", "only a status from 400 on says that something failed");
    }
    if max_backoff < backoff {
        section.fail("max_backoff", "it must not be shorter than `backoff`");
    }
    if max_retry_after > LONGEST {
        section.fail("max_retry_after", "it must not be longer than 1h: the request waits so long");
    }
    let context = section.context();
    let layer = RetryLayer::default()
        .tries(tries)
        .statuses(on.unwrap_or(usual.statuses))
        .methods(methods.unwrap_or(usual.methods))
        .idempotency_key(idempotency_key)
        .backoff(backoff, max_backoff)
        .max_retry_after(max_retry_after)
        .body(body.saturated())
        .buffers(&context.buffers)
        .clock(context.clock.clone())
        .meter(&context.meter, section.place());
    Some(Declared { layer, budget: Some((terms, Arc::clone(&context.shelf), context.clock.clone())) })
}

fn terms(section: &mut Section<'_>) -> Option<Terms> {
    let usual = Terms::default();
    let ratio = section.or("ratio", usual.ratio);
    let per_second = section.or("per_second", usual.per_second);
    if !(0.0..=1.0).contains(&ratio) {
        section.fail("ratio", "expected a number from 0 to 1");
    }
    if per_second > MOST_PER_SECOND {
        section.fail("per_second", format!("it must be {MOST_PER_SECOND} at most"));
    }
    Some(Terms { ratio, per_second })
}

const MOST_TRIES: u32 = 10;
const MOST_PER_SECOND: u32 = 1_000_000;
const LONGEST: Duration = Duration::from_secs(3600);
