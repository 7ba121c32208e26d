//! Asking all branches, each as soon as what it needs is there.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use gateway_core::{Clock, Facts, Refusal, budget::Buffers, forwarding};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, HOST, VIA},
    request::Parts,
};

use super::{
    checked::{Checked, Step},
    counts::Counts,
    fetch::{Bounds, Call, Fetched, fetch},
    given::Given,
    merge::{Part, Whole, merge, needed},
    outcome::{Failed, Kind, Ruling},
    template::{Found, Source, Unfilled},
};

/// What all requests share.
#[derive(Clone, Debug)]
pub(super) struct Means {
    pub(super) buffers: Buffers,
    pub(super) clock: Clock,
    pub(super) counts: Arc<Counts>,
}

/// One request on its way to becoming several.
pub(super) struct Gathering<'a, C> {
    plan: &'a Checked,
    means: &'a Means,
    head: &'a Parts,
    facts: Facts,
    until: Instant,
    branches: Vec<State>,
    /// Sends a request to the service of a branch.
    call: C,
}

type Fetching = Pin<Box<dyn Future<Output = Result<Fetched, Failed>> + Send>>;

enum State {
    Waiting,
    Asked(Fetching),
    Ended(Result<Part, Failed>),
}

impl<'a, C: FnMut(&Step, Request<()>) -> Call> Gathering<'a, C> {
    pub(super) fn new(plan: &'a Checked, means: &'a Means, head: &'a Parts, facts: Facts, call: C) -> Self {
        let until = means.clock.now() + plan.timeout.min(LONGEST);
        let until = facts.deadline().map_or(until, |deadline| deadline.min(until));
        let branches = plan.steps.iter().map(|_| State::Waiting).collect();
        Self { plan, means, head, facts, until, branches, call }
    }

    /// The whole, or the refusal of the first required branch that failed. Whatever is under way then is dropped.
    pub(super) async fn whole(mut self) -> Result<Whole, Refusal> {
        let outcome = std::future::poll_fn(|cx| self.poll(cx)).await;
        let ended = |state: State| match state {
            State::Ended(end) => end,
            State::Waiting | State::Asked(_) => Err(Failed::new(Kind::Timeout, "it was not asked")),
        };
        let Self { plan, means, branches, .. } = self;
        let whole = match outcome {
            Ok(()) => merge(plan, branches.into_iter().map(ended).collect()),
            Err(failed) => {
                means.counts.dropped(branches.iter().map(|state| !matches!(state, State::Ended(_))));
                Err(failed)
            }
        };
        whole.map_err(|(index, failed)| failed.refusal(&plan.steps[index].name))
    }

    /// Goes on until nothing moves. Every branch is looked at each time: there are few.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), (usize, Failed)>> {
        loop {
            let mut moved = false;
            for index in 0..self.branches.len() {
                moved |= self.poll_branch(index, cx)?;
            }
            if self.branches.iter().all(|state| matches!(state, State::Ended(_))) {
                return Poll::Ready(Ok(()));
            }
            if !moved {
                return Poll::Pending;
            }
        }
    }

    /// Whether the branch is further than before; an error if it failed and the whole with it.
    fn poll_branch(&mut self, index: usize, cx: &mut Context<'_>) -> Result<bool, (usize, Failed)> {
        let plan = self.plan;
        let step = &plan.steps[index];
        let is_due = step.after.iter().all(|&other| matches!(self.branches[other], State::Ended(_)));
        let end = match &mut self.branches[index] {
            State::Ended(_) => return Ok(false),
            State::Waiting if !is_due => return Ok(false),
            State::Waiting => match self.ask(step) {
                Ok(asked) => {
                    self.branches[index] = State::Asked(asked);
                    return Ok(true);
                }
                Err(failed) => Err(failed),
            },
            State::Asked(fetching) => match fetching.as_mut().poll(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(fetched) => fetched.and_then(|Fetched { value, freshness, lease }| {
                    Part::new(step, value, freshness, Some(lease))
                }),
            },
        };
        self.means.counts.ended(index, end.as_ref().err().map(Failed::kind));
        if let Err(failed) = &end {
            tracing::debug!(
                branch = step.name,
                code = failed.kind().code(),
                cause = failed.cause(),
                "a branch failed"
            );
            if let Ruling::Refuse(_) = step.rule.ruling(failed) {
                let failed = failed.clone();
                self.branches[index] = State::Ended(end);
                return Err((index, failed));
            }
        }
        self.branches[index] = State::Ended(end);
        Ok(true)
    }

    fn ask(&mut self, step: &Step) -> Result<Fetching, Failed> {
        let given = Given::new(self.plan.pattern.as_ref(), self.head);
        let target = step.template.fill(|source| match source {
            Source::Field(branch, field) => self.field(branch, field),
            source => given.find(source),
        });
        let target =
            target.map_err(|Unfilled { why, of_client }| Failed::new(Kind::Value { of_client }, why))?;
        let facts = self.facts.branch();
        let until = match step.timeout {
            Some(timeout) => self.until.min(self.means.clock.now() + timeout.min(LONGEST)),
            None => self.until,
        };
        let until = facts.tighten_deadline(until);
        let mut request = Request::new(());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = Uri::from(target);
        *request.headers_mut() = headers(self.head, step, &facts);
        request.extensions_mut().insert(facts.clone());
        let call = (self.call)(step, request);
        let Means { buffers, clock, .. } = self.means.clone();
        Ok(Box::pin(fetch(call, facts, Bounds { until, max_body: step.max_body, buffers, clock })))
    }

    fn field<'v>(&self, branch: &str, field: &super::field::Field) -> Found<'v> {
        let index = self.plan.steps.iter().position(|step| step.name == branch);
        let found = index.and_then(|index| match &self.branches[index] {
            State::Ended(end) => needed(&self.plan.steps[index], end, field),
            State::Waiting | State::Asked(_) => None,
        });
        found.map_or(Found::Nothing, |text| Found::Value(text.into_bytes().into()))
    }
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
const LONGEST: std::time::Duration = std::time::Duration::from_secs(10 * 365 * 24 * 60 * 60);
