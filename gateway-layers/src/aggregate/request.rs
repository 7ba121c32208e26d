//! The request of a branch.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gateway_core::{Clock, Facts, budget::Buffers, forwarding};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, HOST, VIA},
    request::Parts,
    uri::PathAndQuery,
};

use super::{
    checked::{Checked, Step},
    counts::Counts,
    fetch::Bounds,
};

/// What all requests share.
#[derive(Clone, Debug)]
pub(super) struct Means {
    pub(super) buffers: Buffers,
    pub(super) clock: Clock,
    pub(super) counts: Arc<Counts>,
}

/// When everything has to be there.
pub(super) fn end(plan: &Checked, means: &Means, facts: &Facts) -> Instant {
    let end = means.clock.now() + plan.timeout.min(LONGEST);
    facts.deadline().map_or(end, |deadline| deadline.min(end))
}

/// The request for this target, with facts of its own, and how far its answer may go.
pub(super) fn request(
    step: &Step,
    target: PathAndQuery,
    head: &Parts,
    facts: &Facts,
    end: Instant,
    means: &Means,
) -> (Request<()>, Facts, Bounds) {
    let facts = facts.branch();
    let until = match step.timeout {
        Some(timeout) => end.min(means.clock.now() + timeout.min(LONGEST)),
        None => end,
    };
    let until = facts.tighten_deadline(until);
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = Uri::from(target);
    *request.headers_mut() = headers(head, step, &facts);
    request.extensions_mut().insert(facts.clone());
    let Means { buffers, clock, .. } = means.clone();
    (request, facts, Bounds { until, max_body: step.max_body, buffers, clock })
}

/// Of the client's headers, those that are named; those without which a trace or the sight of a loop ends here; the host,
/// of which upstreams make links; and what a proxy that is trusted said, to which the forwarder adds.
fn headers(head: &Parts, step: &Step, facts: &Facts) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut carry = |name: &HeaderName| {
        for value in head.headers.get_all(name) {
            headers.append(name, value.clone());
        }
    };
    step.forward.iter().for_each(&mut carry);
    [HOST, VIA, TRACEPARENT, TRACESTATE]
        .iter()
        .filter(|name| !step.forward.contains(name))
        .for_each(&mut carry);
    if facts.peer_trusted() {
        let names = head.headers.keys().filter(|name| forwarding::is_forwarded_name(name));
        names.filter(|name| !step.forward.contains(name)).for_each(&mut carry);
    }
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// So long that a moment can always be moved by it: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
