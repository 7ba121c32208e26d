//! The part of the document under `timeout`: a duration, such as `timeout: 5s`.

use std::time::Duration;

use super::TimeoutLayer;
use crate::config::Section;

/// Reads the key `timeout` of a route; without it there is no deadline but the upstream's own.
pub(crate) fn read(route: &mut Section<'_>) -> TimeoutLayer {
    let limit = route.optional::<Duration>("timeout");
    if limit.is_some_and(|limit| limit.is_zero()) {
        route.fail("timeout", "nothing is answered in no time; leave the key out for no deadline");
    }
    let layer = limit.map_or_else(TimeoutLayer::off, TimeoutLayer::new);
    let context = route.context();
    layer.clock(context.clock.clone()).meter(&context.meter, route.place())
}
