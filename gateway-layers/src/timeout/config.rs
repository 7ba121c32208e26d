//! The part of the document under `timeout`.

use std::time::Duration;

use super::{TimeoutLayer, TryTimeoutLayer};
use crate::config::Section;

/// ```yaml
/// timeout: 5s            # short for request
/// timeout:
///   request: 5s          # the one deadline
///   per_try: 1s          # at most as long as request
/// ```
///
/// Without the key there is no deadline but the upstream's own.
pub(crate) fn read(route: &mut Section<'_>) -> (TimeoutLayer, TryTimeoutLayer) {
    let limits = route.either::<Duration, _>("timeout", |request| Some((Some(request), None)), long);
    let (request, per_try) = limits.unwrap_or_default();
    if request.is_some_and(|limit| limit.is_zero()) {
        route.fail("timeout", "nothing is answered in no time; leave the key out for no deadline");
    }
    let context = route.context();
    let layer = request.map_or_else(TimeoutLayer::off, TimeoutLayer::new);
    let per_try = per_try.map_or_else(TryTimeoutLayer::off, TryTimeoutLayer::new);
    (
        layer.clock(context.clock.clone()).meter(&context.meter, route.place()),
        per_try.clock(context.clock.clone()).meter(&context.meter, route.place()),
    )
}

fn long(section: &mut Section<'_>) -> Option<(Option<Duration>, Option<Duration>)> {
    let request = section.optional::<Duration>("request");
    let per_try = section.optional::<Duration>("per_try");
    section.demand_one_of(&["request", "per_try"]);
    if per_try.is_some_and(|limit| limit.is_zero()) {
        section.fail("per_try", "nothing is answered in no time; leave the key out for no limit of its own");
    }
    if per_try > request.or(per_try) {
        section.fail("per_try", "one try cannot take longer than the whole request");
    }
    Some((request, per_try))
}

#[cfg(test)]
mod tests {
    use crate::config::{Context, Source, load};

    #[test]
    fn one_try_fits_into_the_request() {
        for (timeout, told) in [
            ("0s", "timeout: nothing is answered in no time"),
            ("{request: 0s}", "timeout: nothing is answered in no time"),
            (
                "{request: 1s, per_try: 2s}",
                "timeout.per_try: one try cannot take longer than the whole request",
            ),
            ("{per_try: 0s}", "timeout.per_try: nothing is answered in no time"),
            ("{}", "timeout: `request` or `per_try` is missing"),
            ("{total: 1s}", "timeout: unknown key `total`"),
            ("5s", ""),
            ("{request: 5s}", ""),
            ("{request: 5s, per_try: 5s}", ""),
            ("{per_try: 1s}", ""),
        ] {
            let text = format!("routes: [{{name: a, prefix: /, timeout: {timeout}, upstream: 'http://a'}}]");
            let loaded = load(Source { name: "g", text: &text }, |_| None, &Context::default());
            let problems = loaded.err().map(|problems| problems.to_string()).unwrap_or_default();
            assert!(
                problems.contains(told) && problems.is_empty() == told.is_empty(),
                "{timeout}: {problems}"
            );
        }
    }
}
