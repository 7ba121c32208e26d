use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use gateway_core::{
    Body, Facts, Failure, Refusal,
    clock::Sleep,
    error::{ErrorKind, refusal_for},
    facts::RequestId,
    oneshot::Oneshot,
    replay::{Head, Replay},
};
use http::{Request, Response};
use tower_service::Service;

use super::{Decision, Outcome, Reason, Try, layer::Rules, retry_after::retry_after};

pin_project_lite::pin_project! {
    /// The future of [`Retry`](super::Retry).
    pub struct RetryFuture<S>
    where
        S: Service<Request<Body>>,
    {
        #[pin]
        stage: Stage<S>,
        again: Option<Again<S>>,
    }
}

pin_project_lite::pin_project! {
    #[project = StageProjection]
    enum Stage<S>
    where
        S: Service<Request<Body>>,
    {
        First { #[pin] future: S::Future },
        Waiting { #[pin] sleep: Sleep, request: Option<Request<Body>> },
        Another { #[pin] call: Oneshot<S, Request<Body>> },
    }
}

/// What another try needs.
pub(super) struct Again<S> {
    rules: Arc<Rules>,
    inner: S,
    head: Head,
    replay: Replay,
    is_repeatable: bool,
    /// The number of the present try.
    number: u32,
}

impl<S: Service<Request<Body>>> RetryFuture<S> {
    /// A call without another try.
    pub(super) fn once(future: S::Future) -> Self {
        Self { stage: Stage::First { future }, again: None }
    }

    pub(super) fn first(future: S::Future, again: Again<S>) -> Self {
        Self { stage: Stage::First { future }, again: Some(again) }
    }
}

impl<S, AB> Future for RetryFuture<S>
where
    S: Service<Request<Body>, Response = Response<AB>> + Clone,
    S::Error: Failure,
{
    type Output = Result<Response<AB>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let outcome = match this.stage.as_mut().project() {
                StageProjection::First { future } => ready!(future.poll(cx)),
                StageProjection::Another { call } => ready!(call.poll(cx)),
                StageProjection::Waiting { sleep, request } => {
                    ready!(sleep.poll(cx));
                    let request = request.take().expect("who waits has a request");
                    let again = this.again.as_ref().expect("who waits may try again");
                    if let Some(facts) = Facts::get(request.extensions()) {
                        facts.set_attempt(again.number);
                    }
                    let call = Oneshot::new(again.inner.clone(), request);
                    this.stage.set(Stage::Another { call });
                    continue;
                }
            };
            let Some((sleep, request)) = this.again.as_mut().and_then(|again| again.after(&outcome)) else {
                // Nothing is kept any longer: the answer's body may live for hours.
                *this.again = None;
                return Poll::Ready(outcome);
            };
            // The answer's connection is free before the wait, and the permits of the try are given back.
            drop(outcome);
            this.stage.set(Stage::Waiting { sleep, request: Some(request) });
        }
    }
}

impl<S> Again<S> {
    pub(super) fn new(rules: Arc<Rules>, inner: S, head: Head, replay: Replay, is_repeatable: bool) -> Self {
        Self { rules, inner, head, replay, is_repeatable, number: 1 }
    }

    /// The wait until another try and its request, if there is to be one. It is counted and paid for here.
    fn after<AB, E: Failure>(&mut self, outcome: &Result<Response<AB>, E>) -> Option<(Sleep, Request<Body>)> {
        let Rules { policy, budget, clock, random, counts, .. } = &*self.rules;
        let read = self.read(outcome);
        if !policy.is_failure(read) {
            return None;
        }
        let now = clock.now();
        let deadline = self.head.facts().and_then(Facts::deadline);
        let ended = Try {
            number: self.number,
            is_repeatable: self.is_repeatable,
            body: self.replay.lost(),
            left: deadline.map(|deadline| deadline.saturating_duration_since(now)),
        };
        let reason = match policy.decide(ended, read, random.next()) {
            Decision::Keep => return None,
            Decision::GiveUp(reason) => reason,
            Decision::Retry(_) if !budget.take(now) => Reason::Budget,
            // From here on the try before gets no more of the body, even if its connection still holds on to it.
            Decision::Retry(wait) => match self.replay.body() {
                Ok(body) => {
                    counts.retry();
                    self.log_retry(outcome, wait);
                    self.number += 1;
                    let request = self.head.clone().request(body);
                    return Some((clock.sleep_until(now + wait), request));
                }
                Err(lost) => Reason::Body(lost),
            },
        };
        counts.abandoned(reason);
        self.log_end(reason);
        None
    }

    /// How a try ended, in the words of the policy.
    fn read<AB, E: Failure>(&self, outcome: &Result<Response<AB>, E>) -> Outcome {
        match outcome {
            Ok(response) => match response.extensions().get::<Refusal>() {
                None => {
                    let Rules { policy, clock, .. } = &*self.rules;
                    let answered = |retry_after| Outcome::Answered { status: response.status(), retry_after };
                    match policy.is_failure(answered(None)) {
                        true => answered(retry_after(response.headers(), || clock.wall())),
                        false => answered(None),
                    }
                }
                // A failure where errors cannot travel, as in axum.
                Some(refusal) => match ErrorKind::of_code(refusal.code()) {
                    Some(kind) => Outcome::Failed { kind, is_unsent: kind.is_unsent() },
                    None => Outcome::Final,
                },
            },
            Err(error) => match error.failure() {
                Some(failure) => Outcome::Failed { kind: failure.kind(), is_unsent: failure.is_unsent() },
                None => Outcome::Final,
            },
        }
    }

    /// A failure that no client sees is told here alone.
    fn log_retry<AB, E: Failure>(&self, outcome: &Result<Response<AB>, E>, wait: Duration) {
        let failed = |error: &E| refusal_for(error.as_error()).cause().map(str::to_owned);
        tracing::debug!(
            target: "gateway",
            request_id = self.request_id(),
            method = %self.head.method(),
            tries = self.number,
            status = outcome.as_ref().ok().map(|response| response.status().as_u16()),
            failure = outcome.as_ref().err().and_then(failed),
            ?wait,
            "a failed request is tried again",
        );
    }

    fn log_end(&self, reason: Reason) {
        let detail = if let Reason::Body(lost) = reason { Some(lost.as_str()) } else { None };
        tracing::info!(
            target: "gateway",
            request_id = self.request_id(),
            method = %self.head.method(),
            tries = self.number,
            reason = reason.as_str(),
            detail,
            "a failed request is not tried again",
        );
    }

    fn request_id(&self) -> Option<&str> {
        self.head.facts()?.request_id().map(RequestId::as_str)
    }
}

impl<S: Service<Request<Body>>> fmt::Debug for RetryFuture<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.again.as_ref().map(|again| again.number);
        f.debug_struct("RetryFuture").field("try", &number).finish_non_exhaustive()
    }
}
