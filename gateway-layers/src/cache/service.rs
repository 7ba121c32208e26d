use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use gateway_core::{Body, BoxError, Explanation, Facts, Refusal, Verdict, explain::Explain, refusal::Asked};
use http::{Request, Response, StatusCode, request::Parts};
use http_body::Body as HttpBody;
use tower_service::Service;

use super::{
    change::Change,
    fetch::{self, Fetch, Look},
    flight::{Leader, Role},
    future::{CacheFuture, State, Waiting},
    key::Name,
    layer::Shared,
    request::{Terms, Wish, is_unsafe},
    reuse::{Choice, Plan, choose},
    status::Forwarded,
};

/// The service of [`CacheLayer`](super::CacheLayer).
#[derive(Clone, Debug)]
pub struct Cache<S> {
    shared: Option<Arc<Shared>>,
    inner: S,
}

impl<S> Cache<S> {
    pub(super) fn new(shared: Option<Arc<Shared>>, inner: S) -> Self {
        Self { shared, inner }
    }
}

impl<S, B, AB> Service<Request<B>> for Cache<S>
where
    S: Service<Request<B>, Response = Response<AB>> + Clone,
    B: HttpBody,
    AB: HttpBody<Data = Bytes> + Send + 'static,
    AB::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = CacheFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(shared) = &self.shared else {
            return CacheFuture::new(State::Passing {
                future: self.inner.call(request),
                status: None,
                change: None,
            });
        };
        let (head, body) = request.into_parts();
        let look = match Wish::of(&head, !body.is_end_stream()) {
            Wish::Look(terms) => Look::of(shared, &head, terms).ok_or(Forwarded::Bypass),
            Wish::Pass(why) => Err(why),
            Wish::Unsatisfiable => return CacheFuture::answered(unsatisfiable(shared, &head)),
        };
        let (look, shared) = match look {
            Ok(look) => (look, Arc::clone(shared)),
            Err(why) => {
                shared.counts.bypass.increment();
                let change = if is_unsafe(&head.method) { Change::of(shared, &head) } else { None };
                let future = self.inner.call(Request::from_parts(head, body));
                return CacheFuture::new(State::Passing { future, status: Some(why.passed()), change });
            }
        };
        let (flight, plan) = match decide(&shared, look, &head) {
            Decision::Answer(response) => return CacheFuture::answered(response),
            Decision::Fetch(flight, plan) => (flight, plan),
        };
        if !may_wait(&shared, flight, &plan, look.terms) {
            return CacheFuture::new(fetch(
                &shared,
                &mut self.inner,
                look,
                flight,
                head,
                body,
                plan,
                None,
                false,
            ));
        }
        match shared.store.flights.join(flight) {
            Role::Lead(leader) => {
                // The one who led before may have finished since we looked.
                let (flight, plan) = match decide(&shared, look, &head) {
                    Decision::Answer(response) => {
                        leader.over();
                        return CacheFuture::answered(response);
                    }
                    Decision::Fetch(flight, plan) => (flight, plan),
                };
                let leader = Some(leader);
                CacheFuture::new(fetch(
                    &shared,
                    &mut self.inner,
                    look,
                    flight,
                    head,
                    body,
                    plan,
                    leader,
                    false,
                ))
            }
            Role::Follow(follower) => {
                // The instance that was made ready goes along: a fresh one might have to wait for it.
                let next = self.inner.clone();
                let service = std::mem::replace(&mut self.inner, next);
                let deadline = Facts::get(&head.extensions).and_then(Facts::deadline);
                let patience = shared.clock.now() + shared.lock_wait;
                let until = deadline.map_or(patience, |deadline| deadline.min(patience));
                let waiting = Waiting::new(shared, service, look, flight, head, body, plan, follower, until);
                CacheFuture::new(State::Waiting { waiting: Some(Box::new(waiting)), sleep: None })
            }
        }
    }
}

impl<S: Explain> Explain for Cache<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        let (verdict, why) = match &self.shared {
            None => (Verdict::Skip, "no cache here".to_owned()),
            Some(shared) => explain(shared, head),
        };
        say.push(Explanation::new("cache", verdict, why));
        self.inner.explain(head, say);
    }
}

fn explain(shared: &Shared, head: &Parts) -> (Verdict, String) {
    let terms = match Wish::of(head, false) {
        Wish::Look(terms) => terms,
        Wish::Pass(why) => return (Verdict::Skip, format!("it goes on: {}", why.as_str())),
        Wish::Unsatisfiable => {
            return (Verdict::Refuse, "504: only-if-cached, and such answers are not stored".into());
        }
    };
    let Some(look) = Look::of(shared, head, terms) else {
        return (Verdict::Skip, "it goes on: it names two hosts".to_owned());
    };
    let now = shared.clock.now();
    let (found, flight) = shared.store.find(look.name, head, shared.partition);
    match choose(found, &terms, now) {
        Choice::Serve(entry) => {
            let (age, ttl) = (entry.about.age(now).as_secs(), entry.about.ttl(now));
            (
                Verdict::Pass,
                format!("it is a hit: {age} s old, fresh for {ttl} s more; nothing behind is asked"),
            )
        }
        Choice::Unsatisfiable => {
            (Verdict::Refuse, "504: only-if-cached, and nothing usable is stored".to_owned())
        }
        Choice::Fetch(plan) => {
            let asks = if plan.stored.is_some() { ", to validate what is stored" } else { "" };
            let waits =
                match may_wait(shared, flight, &plan, terms) && shared.store.flights.is_under_way(flight) {
                    true => ", or waits for a request like it",
                    false => "",
                };
            (Verdict::Pass, format!("it goes on: {}{asks}{waits}", plan.why.as_str()))
        }
    }
}

/// What is done with a request that looks.
pub(super) enum Decision {
    Answer(Response<Body>),
    /// It goes on, alone or with others of this name.
    Fetch(Name, Plan),
}

/// Looks, and answers if that is possible.
pub(super) fn decide(shared: &Shared, look: Look, head: &Parts) -> Decision {
    let now = shared.clock.now();
    let (found, flight) = shared.store.find(look.name, head, shared.partition);
    match choose(found, &look.terms, now) {
        Choice::Serve(entry) => {
            shared.counts.hit.increment();
            let status = entry.about.hit(now);
            Decision::Answer(fetch::answer(&entry, &head.headers, look.terms, now, status))
        }
        Choice::Unsatisfiable => Decision::Answer(unsatisfiable(shared, head)),
        Choice::Fetch(plan) => Decision::Fetch(flight, plan),
    }
}

/// Whether a request may wait for another one like it.
fn may_wait(shared: &Shared, flight: Name, plan: &Plan, terms: Terms) -> bool {
    plan.shareable
        && !terms.head_only
        && !shared.lock_wait.is_zero()
        && !shared.store.is_marked(flight, shared.clock.now())
}

/// Sends a request on.
#[expect(clippy::too_many_arguments, reason = "all of a request, and what was decided about it")]
pub(super) fn fetch<S, B>(
    shared: &Arc<Shared>,
    service: &mut S,
    look: Look,
    flight: Name,
    mut head: Parts,
    body: B,
    plan: Plan,
    leader: Option<Leader>,
    waited: bool,
) -> State<S, B>
where
    S: Service<Request<B>>,
{
    let why = plan.why;
    let Some(fetch) = Fetch::new(shared, look, flight, &mut head, plan, leader) else {
        let future = service.call(Request::from_parts(head, body));
        return State::Passing { future, status: Some(why.passed()), change: None };
    };
    let fetch = if waited { fetch.collapsed_in_vain() } else { fetch };
    State::Fetching { future: service.call(Request::from_parts(head, body)), fetch: Some(fetch) }
}

fn unsatisfiable(shared: &Shared, head: &Parts) -> Response<Body> {
    shared.counts.only_if_cached.increment();
    let detail = "nothing is stored that answers the request";
    Refusal::new(StatusCode::GATEWAY_TIMEOUT, "only_if_cached", detail).into_response(&Asked::of(head))
}
