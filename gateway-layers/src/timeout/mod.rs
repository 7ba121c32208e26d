//! The one deadline of a request: `504 Gateway Timeout` when the answer's head is not there in time.
//!
//! The deadline is a fact that everything inside may read: a connection attempt, a queue or a try does not wait
//! longer than this. It bounds the wait for the response *head*. Once the head has arrived the body may take as long
//! as bytes keep coming (idle times bound that), so that event streams and large downloads are not cut.
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//! use gateway_core::Body;
//! use gateway_layers::timeout::TimeoutLayer;
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let silent = service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
//! let service = TimeoutLayer::new(Duration::from_millis(10)).layer(silent);
//! let response = service.oneshot(Request::new(Body::empty())).await.unwrap();
//! assert_eq!(response.status(), 504);
//! # }
//! ```
//!
//! **Fails** with [`ErrorKind::Timeout`](gateway_core::error::ErrorKind::Timeout) where the service's error type can
//! carry it; over [`Infallible`](std::convert::Infallible), as in axum, it answers 504 `upstream_timeout` itself. The
//! future inside is dropped, which cancels what it does.
//! **Order**: phase [`Endpoint`](gateway_core::phase::Endpoint). **Writes** the fact deadline, only ever closer.
//! **Buffers** nothing. **Costs** no allocation; a timer only once the service inside is pending.

#[cfg(feature = "config")]
pub(crate) mod config;

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use gateway_core::{
    Clock, Explanation, Facts, Failure, UpstreamError, Verdict,
    body::AnswerBody,
    clock::Sleep,
    error::ErrorKind,
    explain::Explain,
    meter::{Counter, Meter},
    phase::{self, Staged},
    refusal::Asked,
};
use http::{Request, Response, request::Parts};
use tower_service::Service;

/// Ends the wait for an answer's head at a deadline. See the [module](self).
#[derive(Clone, Debug)]
pub struct TimeoutLayer {
    limit: Option<Duration>,
    clock: Clock,
    expired: Counter,
}

impl TimeoutLayer {
    /// A deadline so long after the request reaches this layer, or the one that it has already if that is closer.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { limit: Some(limit), ..Self::off() }
    }

    /// Passes everything on: the same type for stacks that may do without.
    #[must_use]
    pub fn off() -> Self {
        Self { limit: None, clock: Clock::default(), expired: Counter::default() }
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Counts expiries in this meter as `gateway_timeouts_total{place}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        let help = "Requests whose answer's head was not there in time.";
        self.expired = meter.counter("gateway_timeouts_total", help, &[("place", place)]);
        self
    }
}

impl<S> tower_layer::Layer<S> for TimeoutLayer {
    type Service = Timeout<S>;

    fn layer(&self, inner: S) -> Timeout<S> {
        Timeout { layer: self.clone(), inner }
    }
}

impl Staged for TimeoutLayer {
    type Phase = phase::Endpoint;
}

/// The service of [`TimeoutLayer`].
#[derive(Clone, Debug)]
pub struct Timeout<S> {
    layer: TimeoutLayer,
    inner: S,
}

impl<S, B, AB> Service<Request<B>> for Timeout<S>
where
    S: Service<Request<B>, Response = Response<AB>>,
    S::Error: Failure,
    AB: AnswerBody,
{
    type Response = Response<AB>;
    type Error = S::Error;
    type Future = TimeoutFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(limit) = self.layer.limit else {
            return TimeoutFuture { future: self.inner.call(request), waiting: None, sleep: None };
        };
        let TimeoutLayer { clock, expired, .. } = self.layer.clone();
        let (head, body) = request.into_parts();
        let asked = Asked::of(&head);
        let deadline = clock.now() + limit;
        let deadline = match Facts::get(&head.extensions) {
            Some(facts) => facts.tighten_deadline(deadline),
            None => deadline,
        };
        let future = self.inner.call(Request::from_parts(head, body));
        TimeoutFuture { future, waiting: Some(Waiting { deadline, asked, clock, expired }), sleep: None }
    }
}

impl<S: Explain> Explain for Timeout<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        say.push(match self.layer.limit {
            Some(limit) => Explanation::new("timeout", Verdict::Pass, format!("504 after {limit:?}")),
            None => Explanation::new("timeout", Verdict::Skip, "no deadline here"),
        });
        self.inner.explain(head, say);
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Timeout`].
    #[derive(Debug)]
    pub struct TimeoutFuture<F> {
        #[pin]
        future: F,
        waiting: Option<Waiting>,
        #[pin]
        sleep: Option<Sleep>,
    }
}

#[derive(Debug)]
struct Waiting {
    deadline: Instant,
    asked: Asked,
    clock: Clock,
    expired: Counter,
}

impl<F, AB, E> Future for TimeoutFuture<F>
where
    F: Future<Output = Result<Response<AB>, E>>,
    E: Failure,
    AB: AnswerBody,
{
    type Output = Result<Response<AB>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(output);
        }
        let Some(Waiting { deadline, asked, clock, expired }) = this.waiting else {
            return Poll::Pending;
        };
        if this.sleep.is_none() {
            this.sleep.set(Some(clock.sleep_until(*deadline)));
        }
        let sleep = this.sleep.as_pin_mut().expect("it was set above");
        sleep.poll(cx).map(|()| {
            expired.increment();
            E::outcome(UpstreamError::new(ErrorKind::Timeout), asked)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use gateway_core::{Body, BoxError, testing::contract};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;

    // No property: one comparison of two moments.

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::check(TimeoutLayer::new(Duration::from_secs(3600))).await;
        contract::check(TimeoutLayer::off()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn is_an_error_where_errors_can_carry_it_and_an_answer_where_not() {
        let layer = TimeoutLayer::new(Duration::from_secs(5));
        let silent =
            service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, BoxError>>());
        let error = layer.layer(silent).oneshot(Request::new(Body::empty())).await.unwrap_err();
        assert_eq!(error.downcast::<UpstreamError>().unwrap().kind(), ErrorKind::Timeout);

        let silent =
            service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
        let answer = layer.layer(silent).oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), 504);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outer_deadline_that_is_closer_holds() {
        let meter = Meter::default();
        let inner = TimeoutLayer::new(Duration::from_secs(60)).meter(&meter, "inner");
        let silent =
            service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, BoxError>>());
        let mut request = Request::new(Body::empty());
        let facts = Facts::of(request.extensions_mut(), &Clock::default()).clone();
        facts.tighten_deadline(facts.arrived() + Duration::from_secs(1));
        let start = Clock::default().now();
        inner.layer(silent).oneshot(request).await.unwrap_err();
        assert_eq!(Clock::default().now() - start, Duration::from_secs(1));
        assert!(meter.render().contains("gateway_timeouts_total{place=\"inner\"} 1"));
    }
}
