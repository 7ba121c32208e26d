use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use gateway_core::{Body, BoxError, clock::Sleep};
use http::{HeaderValue, Request, Response, request::Parts};
use http_body::Body as HttpBody;
use tower_service::Service;

use super::{
    change::Change,
    conditional,
    fetch::{self, Fetch, Look},
    filling::{Filling, Join, Waiter},
    flight::{Follower, Leader, Role, Turn},
    key::{Name, mixed},
    layer::Shared,
    reuse::{Plan, acceptable},
    service::{Decision, decide, fetch as send},
    status::{self, Told},
};

pin_project_lite::pin_project! {
    /// The future of [`Cache`](super::Cache).
    pub struct CacheFuture<S: Service<Request<B>>, B> {
        #[pin]
        state: State<S, B>,
    }
}

pin_project_lite::pin_project! {
    #[project = StateProjection]
    pub(super) enum State<S: Service<Request<B>>, B> {
        Answered { answer: Option<Response<Body>> },
        Passing { #[pin] future: S::Future, status: Option<HeaderValue>, change: Option<Change> },
        Fetching { #[pin] future: S::Future, fetch: Option<Box<Fetch>> },
        Waiting { waiting: Option<Box<Waiting<S, B>>>, #[pin] sleep: Option<Sleep> },
    }
}

/// A request that waits for another one like it.
pub(super) struct Waiting<S, B> {
    shared: Arc<Shared>,
    service: S,
    look: Look,
    flight: Name,
    head: Parts,
    body: B,
    plan: Plan,
    stage: Stage,
    until: Instant,
}

enum Stage {
    /// For the head of its answer.
    Head(Follower),
    /// For the end of its body.
    Body(Waiter),
}

/// What a request that waited does.
enum Outcome {
    Answer(Box<Response<Body>>),
    Lead(Leader),
    Alone,
}

impl<S: Service<Request<B>>, B> CacheFuture<S, B> {
    pub(super) fn new(state: State<S, B>) -> Self {
        Self { state }
    }

    pub(super) fn answered(response: Response<Body>) -> Self {
        Self { state: State::Answered { answer: Some(response) } }
    }
}

impl<S, B, AB> Future for CacheFuture<S, B>
where
    S: Service<Request<B>, Response = Response<AB>>,
    AB: HttpBody<Data = Bytes> + Send + 'static,
    AB::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Answered { answer } => {
                    return Poll::Ready(Ok(answer.take().expect("a future is not polled after it is ready")));
                }
                StateProjection::Passing { future, status, change } => {
                    let mut response = ready!(future.poll(cx))?.map(Body::new);
                    if let Some(change) = change {
                        change.apply(response.status(), response.headers());
                    }
                    if let Some(status) = status.take() {
                        status::say(response.headers_mut(), status);
                    }
                    return Poll::Ready(Ok(response));
                }
                StateProjection::Fetching { future, fetch } => {
                    let outcome = ready!(future.poll(cx));
                    let fetch = fetch.take().expect("a future is not polled after it is ready");
                    return Poll::Ready(match outcome {
                        Ok(response) => Ok(fetch.answered(response)),
                        Err(error) => {
                            fetch.failed();
                            Err(error)
                        }
                    });
                }
                StateProjection::Waiting { waiting, mut sleep } => {
                    let waits = waiting.as_mut().expect("a waiting request is there");
                    let outcome = match waits.poll(cx) {
                        Poll::Ready(outcome) => outcome,
                        Poll::Pending => {
                            if sleep.is_none() {
                                sleep.set(Some(waits.shared.clock.sleep_until(waits.until)));
                            }
                            ready!(sleep.as_pin_mut().expect("it was set above").poll(cx));
                            Outcome::Alone
                        }
                    };
                    let waiting = *waiting.take().expect("a waiting request is there");
                    let next = waiting.go_on(outcome);
                    state.set(next);
                }
            }
        }
    }
}

impl<S, B> Waiting<S, B> {
    #[expect(clippy::too_many_arguments, reason = "all of a request, and what was decided about it")]
    pub(super) fn new(
        shared: Arc<Shared>,
        service: S,
        look: Look,
        flight: Name,
        head: Parts,
        body: B,
        plan: Plan,
        follower: Follower,
        until: Instant,
    ) -> Self {
        Self { shared, service, look, flight, head, body, plan, stage: Stage::Head(follower), until }
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<Outcome> {
        loop {
            let join = match &mut self.stage {
                Stage::Head(follower) => match ready!(follower.poll(cx)) {
                    Turn::Lead(leader) => return Poll::Ready(Outcome::Lead(leader)),
                    Turn::Alone => return Poll::Ready(Outcome::Alone),
                    Turn::Join(filling) => match self.look_at(&filling) {
                        Some(outcome) => return Poll::Ready(outcome),
                        // Another flight, for requests like this one.
                        None => continue,
                    },
                },
                Stage::Body(waiter) => {
                    let join = ready!(waiter.poll(cx));
                    (join, Arc::clone(waiter.filling()))
                }
            };
            return Poll::Ready(self.take(join.0, &join.1).unwrap_or(Outcome::Alone));
        }
    }

    /// What an answer on its way is for this request; `None` to go on waiting.
    fn look_at(&mut self, filling: &Arc<Filling>) -> Option<Outcome> {
        let about = &filling.about;
        let is_ours = about.is_valid() && filling.identity.is_of(&self.head, self.shared.partition);
        if !is_ours {
            return Some(Outcome::Alone);
        }
        if !about.vary.matches(&self.head.headers) {
            let name = mixed(self.look.name, |part| about.vary.parts(&self.head.headers, part));
            if name == self.flight {
                return Some(Outcome::Alone);
            }
            self.flight = name;
            return match self.shared.store.flights.join(name) {
                Role::Lead(leader) => Some(Outcome::Lead(leader)),
                Role::Follow(follower) => {
                    self.stage = Stage::Head(follower);
                    None
                }
            };
        }
        if acceptable(about, &self.look.terms, self.shared.clock.now()).is_err() {
            return Some(Outcome::Alone);
        }
        match filling.join() {
            Join::Wait(waiter) => {
                self.stage = Stage::Body(waiter);
                None
            }
            join => Some(self.take(join, filling).unwrap_or(Outcome::Alone)),
        }
    }

    fn take(&self, join: Join, filling: &Filling) -> Option<Outcome> {
        let now = self.shared.clock.now();
        let about = &filling.about;
        let told = || {
            self.shared.counts.collapsed.increment();
            let (why, ttl) = (self.plan.why, Some(about.ttl(now)));
            Told { why, status: None, stored: false, collapsed: Some(true), ttl }.value()
        };
        let headers = &self.head.headers;
        let response = match join {
            Join::Stored(entry) => fetch::answer(&entry, headers, self.look.terms, now, told()),
            Join::Read(_) if conditional::client_has(about, headers) => about.not_modified(now, told()),
            Join::Read(reader) => about.respond(now, told(), Body::new(reader)),
            Join::Wait(_) | Join::Alone => return None,
        };
        Some(Outcome::Answer(Box::new(response)))
    }

    fn go_on(self, outcome: Outcome) -> State<S, B>
    where
        S: Service<Request<B>>,
    {
        let Self { shared, mut service, look, head, body, stage, .. } = self;
        drop(stage);
        let leader = match outcome {
            Outcome::Answer(response) => return State::Answered { answer: Some(*response) },
            Outcome::Lead(leader) => Some(leader),
            Outcome::Alone => None,
        };
        match decide(&shared, look, &head) {
            Decision::Answer(response) => {
                if let Some(leader) = leader {
                    leader.over();
                }
                State::Answered { answer: Some(response) }
            }
            Decision::Fetch(flight, plan) => {
                let waited = leader.is_none();
                send(&shared, &mut service, look, flight, head, body, plan, leader, waited)
            }
        }
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for CacheFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheFuture").finish_non_exhaustive()
    }
}
