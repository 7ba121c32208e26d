use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use gateway_core::{
    Explanation, Facts, Guarded, Key, Mode, Refusal, Verdict, clock::Sleep, explain::Explain, guard::Held,
    key::BucketKey, refusal::Asked,
};
use http::{Request, Response, StatusCode, request::Parts};
use http_body::Body;
use tower_service::Service;

use super::{layer::Shared, stay::Stay};

/// The service of [`BulkheadLayer`](super::BulkheadLayer).
#[derive(Clone, Debug)]
pub struct Bulkhead<S> {
    shared: Option<Arc<Shared>>,
    inner: S,
}

impl<S> Bulkhead<S> {
    pub(super) fn new(shared: Option<Arc<Shared>>, inner: S) -> Self {
        Self { shared, inner }
    }
}

impl<S, B, AB> Service<Request<B>> for Bulkhead<S>
where
    S: Service<Request<B>, Response = Response<AB>> + Clone,
    AB: Body + From<Bytes>,
{
    type Response = Response<Guarded<AB, Option<Held<Stay>>>>;
    type Error = S::Error;
    type Future = BulkheadFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(shared) = &self.shared else {
            return BulkheadFuture::passed(self.inner.call(request), None);
        };
        let mut bucket = None;
        if let Some(key) = &shared.key {
            let (head, body) = request.into_parts();
            bucket = Some(key_or_nobody(key, &head));
            request = Request::from_parts(head, body);
        }
        match Stay::begin(shared, bucket) {
            Some(stay) if stay.is_inside() => BulkheadFuture::passed(self.inner.call(request), Some(stay)),
            Some(stay) => {
                let next = self.inner.clone();
                let service = std::mem::replace(&mut self.inner, next);
                let waiting = Waiting::new(stay, shared, service, request);
                BulkheadFuture { kind: Kind::Waiting { waiting: Box::pin(waiting) } }
            }
            None => {
                let answer = Some(Box::new((full(), Asked::of_request(&request))));
                BulkheadFuture { kind: Kind::Refused { answer } }
            }
        }
    }
}

/// Requests without a key share one: leaving it out gains nothing.
fn key_or_nobody(key: &Key, head: &Parts) -> BucketKey {
    key.of(head).unwrap_or_else(|| Key::everyone().of(head).expect("a key of no part is never missing"))
}

impl<S: Explain> Explain for Bulkhead<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        say.push(match &self.shared {
            None => Explanation::new(NAME, Verdict::Skip, "no bound here"),
            Some(shared) => explain(shared, head),
        });
        self.inner.explain(head, say);
    }
}

fn explain(shared: &Shared, head: &Parts) -> Explanation {
    let (whose, (inside, waiting)) = match &shared.key {
        None => ("all requests".to_owned(), shared.gates.everybody.count()),
        Some(key) => (format!("by {key}"), shared.gates.count(key_or_nobody(key, head))),
    };
    let bounds = shared.bounds;
    let has_room = inside < bounds.concurrent || waiting < bounds.queue;
    let verdict = match (has_room, shared.mode) {
        (true, _) => Verdict::Pass,
        (false, Mode::Enforce) => Verdict::Refuse,
        (false, _) => Verdict::WouldRefuse,
    };
    let (concurrent, queue) = (bounds.concurrent, bounds.queue);
    let why = format!("{whose}: {inside} of {concurrent} inside, {waiting} of {queue} waiting");
    Explanation::new(NAME, verdict, why)
}

pin_project_lite::pin_project! {
    /// The future of [`Bulkhead`]. A request that has to wait is boxed; one that passes is not.
    pub struct BulkheadFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        kind: Kind<S, B>,
    }
}

pin_project_lite::pin_project! {
    #[project = KindProjection]
    enum Kind<S, B>
    where
        S: Service<Request<B>>,
    {
        Passed { #[pin] future: S::Future, stay: Option<Stay> },
        Waiting { waiting: Pin<Box<Waiting<S, B>>> },
        Refused { answer: Option<Box<(Refusal, Asked)>> },
    }
}

pin_project_lite::pin_project! {
    /// A request in the queue, with the service that was made ready for it.
    struct Waiting<S, B> {
        call: Option<(Stay, S, Request<B>)>,
        #[pin]
        sleep: Sleep,
    }
}

impl<S, B> Waiting<S, B> {
    fn new(stay: Stay, shared: &Shared, service: S, request: Request<B>) -> Self {
        let patience = shared.clock.now() + shared.wait;
        let deadline = Facts::get(request.extensions()).and_then(Facts::deadline);
        let until: Instant = deadline.map_or(patience, |deadline| deadline.min(patience));
        Self { call: Some((stay, service, request)), sleep: shared.clock.sleep_until(until) }
    }

    /// The call, once it is its turn, or the refusal once it waited too long.
    fn poll_turn(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Stay, S, Request<B>), (Refusal, Asked)>> {
        let this = self.project();
        let (stay, ..) = this.call.as_mut().expect("a future is not polled after it is ready");
        let is_turn = stay.poll_turn(cx).is_ready();
        if !is_turn {
            ready!(this.sleep.poll(cx));
        }
        let (stay, service, request) = this.call.take().expect("it was looked at above");
        if is_turn {
            return Poll::Ready(Ok((stay, service, request)));
        }
        stay.expire();
        Poll::Ready(Err((waited_too_long(), Asked::of_request(&request))))
    }
}

impl<S: Service<Request<B>>, B> BulkheadFuture<S, B> {
    fn passed(future: S::Future, stay: Option<Stay>) -> Self {
        Self { kind: Kind::Passed { future, stay } }
    }
}

impl<S, B, AB> Future for BulkheadFuture<S, B>
where
    S: Service<Request<B>, Response = Response<AB>>,
    AB: Body + From<Bytes>,
{
    type Output = Result<Response<Guarded<AB, Option<Held<Stay>>>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        loop {
            match kind.as_mut().project() {
                KindProjection::Passed { future, stay } => {
                    let response = ready!(future.poll(cx))?;
                    let stay = stay.take();
                    return Poll::Ready(Ok(response.map(|body| {
                        let stay = stay.filter(|_| !body.is_end_stream());
                        Guarded::new(body, stay.map(Held))
                    })));
                }
                KindProjection::Waiting { waiting } => match ready!(waiting.as_mut().poll_turn(cx)) {
                    Ok((stay, mut service, request)) => {
                        let future = service.call(request);
                        kind.set(Kind::Passed { future, stay: Some(stay) });
                    }
                    Err((refusal, asked)) => return Poll::Ready(Ok(refusal.into_response(&asked))),
                },
                KindProjection::Refused { answer } => {
                    let (refusal, asked) = *answer.take().expect("a future is not polled after it is ready");
                    return Poll::Ready(Ok(refusal.into_response(&asked)));
                }
            }
        }
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for BulkheadFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkheadFuture").finish_non_exhaustive()
    }
}

fn full() -> Refusal {
    let detail = "too many requests are under way";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "bulkhead_full", detail).retry_after(SOON)
}

fn waited_too_long() -> Refusal {
    let detail = "too many requests are under way, and the wait was too long";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "bulkhead_timeout", detail).retry_after(SOON)
}

/// When to come back: nobody knows when a place is free, and a second spreads the next attempts.
const SOON: Duration = Duration::from_secs(1);
const NAME: &str = "bulkhead";
