//! Asking all branches, each as soon as what it needs is there.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use gateway_core::{Facts, Refusal};
use http::{Request, request::Parts};

use super::{
    checked::{Checked, Step},
    fetch::{Call, Fetched, fetch},
    given::Given,
    merge::{Part, Whole, merge, needed},
    outcome::{Failed, Kind, Ruling},
    request::{Means, end, request},
    template::{Found, Source},
};

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
        let until = end(plan, means, &facts);
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
        })?;
        let (request, facts, bounds) = request(step, target, self.head, &self.facts, self.until, self.means);
        Ok(Box::pin(fetch((self.call)(step, request), facts, bounds)))
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
