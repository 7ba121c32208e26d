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
        let mut endpoints = upstream.endpoints();
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

#[cfg(test)]
mod tests {
    use gateway_core::Explanation;

    use crate::config::{Context, Declared, Source, load};

    fn document(retry: &str) -> Result<Declared, String> {
        let text = format!("routes: [{{name: a, prefix: /, retry: {retry}, upstream: 'http://a'}}]");
        load(Source { name: "g", text: &text }, |_| None, &Context::default())
            .map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_mistake_is_told_and_nothing_is_ignored() {
        for (retry, told) in [
            ("{tries: 0}", "retry.tries: expected a number from 1 to 10"),
            ("{tries: 11}", "retry.tries: expected a number from 1 to 10"),
            ("{on: [503, 200]}", "retry.on: only a status from 400 on says that something failed"),
            ("{on: 5xx}", "retry.on: expected a status such as 503"),
            ("{methods: get}", "retry.methods: expected a method such as GET"),
            ("{backoff: 1s, max_backoff: 1ms}", "retry.max_backoff: it must not be shorter than `backoff`"),
            ("{max_retry_after: 2h}", "retry.max_retry_after: it must not be longer than 1h"),
            ("{budget: {ratio: 1.5}}", "retry.budget.ratio: expected a number from 0 to 1"),
            ("{budget: {ratio: -0.1}}", "retry.budget.ratio: expected a number from 0 to 1"),
            ("{budget: {percent: 20}}", "retry.budget: unknown key `percent`"),
            ("{attempts: 3}", "retry: unknown key `attempts`"),
        ] {
            let problems = document(retry).unwrap_err();
            assert!(problems.contains(told), "{retry}: {problems}");
        }
        assert!(document("{}").is_ok());
        assert!(document("{backoff: 1s}").is_ok(), "the longest wait is as long, then");
    }

    #[test]
    fn routes_to_the_same_endpoints_share_a_budget_that_outlives_the_graph() {
        let text = |ratio: &str| {
            format!(
                "routes:\n\
                 - {{name: a, prefix: /a, retry: {{}}, upstream: ['http://x', 'http://y']}}\n\
                 - {{name: b, prefix: /b, retry: {{}}, upstream: ['http://y', 'http://x']}}\n\
                 - {{name: c, prefix: /c, retry: {{budget: {{ratio: {ratio}}}}}, upstream: 'http://z'}}\n"
            )
        };
        let shelf_holds = |context: &Context, ratio: &str| {
            let text = text(ratio);
            load(Source { name: "g", text: &text }, |_| None, context).unwrap();
            format!("{:?}", context.shelf).matches("retry budget").count()
        };
        let context = Context::default();
        assert_eq!(shelf_holds(&context, "0.5"), 2, "one of two routes, one of the third");
        let next = Context { shelf: context.shelf.next().into(), ..context };
        assert_eq!(shelf_holds(&next, "0.1"), 2, "other terms, another budget");
    }

    #[test]
    fn a_declared_route_says_how_often_it_would_try() {
        let declared = document("{tries: 5}").unwrap();
        let head = http::Request::get("/").header("host", "a").body(()).unwrap().into_parts().0;
        let mut said: Vec<Explanation> = Vec::new();
        gateway_core::explain::Explain::explain(&declared.service(), &head, &mut said);
        let said: Vec<_> = said.iter().map(ToString::to_string).collect();
        let expected = "retry: pass: up to 5 tries; the budget has 100 retries";
        assert!(said.iter().any(|said| said == expected), "{said:#?}");
    }
}
