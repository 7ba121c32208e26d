use std::{
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use gateway_core::{
    End, Explanation, Facts, Failure, Guard, Guarded, Refusal, Verdict, explain::Explain, refusal::Asked,
};
use http::{Request, Response, request::Parts};
use http_body::Body;
use tower_service::Service;

use super::{
    Breaker, Head, Outcome, Ticket,
    breaker::{Kept, NAME, refusal},
    layer::Shared,
};

/// The service of [`CircuitBreakerLayer`](super::CircuitBreakerLayer).
#[derive(Clone, Debug)]
pub struct CircuitBreaker<S> {
    shared: Option<Arc<Shared>>,
    inner: S,
}

impl<S> CircuitBreaker<S> {
    pub(super) fn new(shared: Option<Arc<Shared>>, inner: S) -> Self {
        Self { shared, inner }
    }
}

impl<S, B, AB> Service<Request<B>> for CircuitBreaker<S>
where
    S: Service<Request<B>, Response = Response<AB>>,
    S::Error: Failure,
    AB: Body + From<Bytes>,
{
    type Response = Response<Guarded<AB, Delivery>>;
    type Error = S::Error;
    type Future = CircuitBreakerFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(shared) = &self.shared else {
            return CircuitBreakerFuture {
                kind: Kind::Passed { future: self.inner.call(request), call: Call::none() },
            };
        };
        let mut keyed = None;
        if let Some((key, circuits)) = &shared.keyed {
            let (head, body) = request.into_parts();
            let Breaker { settings, clock, .. } = &shared.breaker;
            keyed = key.of(&head).and_then(|key| circuits.of(key, settings, clock));
            request = Request::from_parts(head, body);
        }
        match Call::admit(shared, keyed, &request) {
            Ok(call) => {
                CircuitBreakerFuture { kind: Kind::Passed { future: self.inner.call(request), call } }
            }
            Err(refusal) => {
                let answer = Some(Box::new((refusal, Asked::of_request(&request))));
                CircuitBreakerFuture { kind: Kind::Refused { answer } }
            }
        }
    }
}

impl<S: Explain> Explain for CircuitBreaker<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        say.push(match &self.shared {
            None => Explanation::new(NAME, Verdict::Skip, "no circuit here"),
            Some(shared) => {
                let keyed = shared.keyed.as_ref().map(|(key, circuits)| {
                    (format!("by {key}"), key.of(head).and_then(|key| circuits.look(key)))
                });
                match keyed {
                    None => shared.breaker.explain(&shared.breaker.kept, "one for all"),
                    Some((whose, Some(kept))) => shared.breaker.explain(&kept, &whose),
                    Some((whose, None)) => {
                        Explanation::new(NAME, Verdict::Pass, format!("{whose}: not seen before"))
                    }
                }
            }
        });
        self.inner.explain(head, say);
    }
}

pin_project_lite::pin_project! {
    /// The future of [`CircuitBreaker`].
    #[derive(Debug)]
    pub struct CircuitBreakerFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project_lite::pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<F> {
        Passed { #[pin] future: F, call: Call },
        Refused { answer: Option<Box<(Refusal, Asked)>> },
    }
}

impl<F, AB, E> Future for CircuitBreakerFuture<F>
where
    F: Future<Output = Result<Response<AB>, E>>,
    E: Failure,
    AB: Body + From<Bytes>,
{
    type Output = Result<Response<Guarded<AB, Delivery>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (future, call) = match self.project().kind.project() {
            KindProjection::Passed { future, call } => (future, call),
            KindProjection::Refused { answer } => {
                let (refusal, asked) = *answer.take().expect("a future is not polled after it is ready");
                return Poll::Ready(Ok(refusal.into_response(&asked)));
            }
        };
        Poll::Ready(match ready!(future.poll(cx)) {
            Ok(response) => {
                call.answered(Head::of(&response));
                if call.watched.is_none() || response.body().is_end_stream() {
                    call.watched = None;
                    return Poll::Ready(Ok(response.map(|body| Guarded::new(body, Delivery(None)))));
                }
                let watched = call.watched.take();
                Ok(response.map(|body| Guarded::new(body, Delivery(watched))))
            }
            Err(error) => {
                call.failed(error.as_error());
                Err(error)
            }
        })
    }
}

/// One call that a circuit let through. Dropped without an outcome, it gives its ticket back.
#[derive(Debug)]
struct Call {
    watched: Option<Watched>,
    deadline: Option<Instant>,
}

/// Whose circuit, and with which right.
#[derive(Debug)]
struct Watched {
    shared: Arc<Shared>,
    /// The circuit of the request's key; the layer's own without one.
    keyed: Option<Arc<Kept>>,
    ticket: Ticket,
}

impl Call {
    const fn none() -> Self {
        Self { watched: None, deadline: None }
    }

    fn admit<B>(
        shared: &Arc<Shared>,
        keyed: Option<Arc<Kept>>,
        request: &Request<B>,
    ) -> Result<Self, Refusal> {
        let kept = keyed.as_ref().unwrap_or(&shared.breaker.kept);
        let Some(ticket) = shared.breaker.admit(kept).map_err(refusal)? else { return Ok(Self::none()) };
        let deadline = Facts::get(request.extensions()).and_then(Facts::deadline);
        Ok(Self { watched: Some(Watched { shared: Arc::clone(shared), keyed, ticket }), deadline })
    }

    /// Records the answer's head. Only an answer that counted as a success is watched any longer.
    fn answered(&mut self, head: Head<'_>) {
        if let Some(watched) = &self.watched {
            let outcome = watched.shared.breaker.classify.classify(Ok(head));
            watched.record(outcome);
            if outcome != Outcome::Success {
                self.watched = None;
            }
        }
    }

    fn failed(&mut self, error: &(dyn Error + 'static)) {
        if let Some(watched) = self.watched.take() {
            watched.record(watched.shared.breaker.classify.classify(Err(error)));
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(watched) = self.watched.take() {
            watched.shared.breaker.abandon(watched.kept(), watched.ticket, self.deadline);
        }
    }
}

impl Watched {
    fn kept(&self) -> &Kept {
        self.keyed.as_ref().unwrap_or(&self.shared.breaker.kept)
    }

    fn record(&self, outcome: Outcome) {
        self.shared.breaker.record(self.kept(), self.ticket, outcome);
    }
}

/// Watches over the body of an answer: one that breaks off turns its success into a failure.
#[derive(Debug)]
pub struct Delivery(Option<Watched>);

impl Guard for Delivery {
    fn end(self, end: End) {
        if let (End::Failed, Some(watched)) = (end, self.0) {
            watched.shared.breaker.spoil(watched.kept(), watched.ticket);
        }
    }
}
