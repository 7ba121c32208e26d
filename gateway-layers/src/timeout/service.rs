use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use gateway_core::{
    Explanation, Facts, Failure, UpstreamError, Verdict, body::AnswerBody, clock::Sleep, error::ErrorKind,
    explain::Explain, refusal::Asked,
};
use http::{Request, Response, request::Parts};
use tower_service::Service;

use super::layer::{Span, Watch};

/// The service of [`TimeoutLayer`](super::TimeoutLayer) and of [`TryTimeoutLayer`](super::TryTimeoutLayer).
#[derive(Clone, Debug)]
pub struct Timeout<S> {
    limit: Option<Duration>,
    watch: Arc<Watch>,
    inner: S,
}

impl<S> Timeout<S> {
    pub(super) fn new(limit: Option<Duration>, watch: Arc<Watch>, inner: S) -> Self {
        Self { limit, watch, inner }
    }
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
        let Some(limit) = self.limit else {
            return TimeoutFuture { future: Some(self.inner.call(request)), waiting: None, sleep: None };
        };
        let asked = Asked::of_request(&request);
        let deadline = self.watch.clock.now() + limit;
        let facts = Facts::get(request.extensions());
        let (deadline, tried) = match (self.watch.span, facts) {
            (Span::Request, Some(facts)) => (facts.tighten_deadline(deadline), None),
            (Span::Try, Some(facts)) => {
                facts.set_try_end(Some(deadline));
                (deadline, Some(facts.clone()))
            }
            (_, None) => (deadline, None),
        };
        let waiting = Some(Waiting { deadline, asked, tried, watch: Arc::clone(&self.watch) });
        let future = Some(self.inner.call(request));
        TimeoutFuture { future, waiting, sleep: None }
    }
}

impl<S: Explain> Explain for Timeout<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        say.push(match (self.limit, self.watch.span) {
            (None, Span::Request) => Explanation::new("timeout", Verdict::Skip, "no deadline here"),
            (None, Span::Try) => Explanation::new("timeout", Verdict::Skip, "a try may take all the time"),
            (Some(limit), Span::Request) => {
                Explanation::new("timeout", Verdict::Pass, format!("504 after {limit:?}"))
            }
            (Some(limit), Span::Try) => {
                Explanation::new("timeout", Verdict::Pass, format!("one try ends after {limit:?}"))
            }
        });
        self.inner.explain(head, say);
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Timeout`].
    #[derive(Debug)]
    pub struct TimeoutFuture<F> {
        #[pin]
        future: Option<F>,
        waiting: Option<Waiting>,
        #[pin]
        sleep: Option<Sleep>,
    }
}

#[derive(Debug)]
struct Waiting {
    deadline: Instant,
    asked: Asked,
    /// The facts of a request whose try this is.
    tried: Option<Facts>,
    watch: Arc<Watch>,
}

impl Waiting {
    /// The try is over: what comes next is another one's.
    fn end(&self) {
        if let Some(facts) = &self.tried {
            facts.set_try_end(None);
        }
    }
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
        let future = this.future.as_mut().as_pin_mut().expect("a future is not polled after it is ready");
        if let Poll::Ready(output) = future.poll(cx) {
            if let Some(waiting) = this.waiting {
                waiting.end();
            }
            return Poll::Ready(output);
        }
        let Some(waiting) = this.waiting else {
            return Poll::Pending;
        };
        if this.sleep.is_none() {
            this.sleep.set(Some(waiting.watch.clock.sleep_until(waiting.deadline)));
        }
        ready!(this.sleep.as_pin_mut().expect("it was set above").poll(cx));
        this.future.set(None);
        waiting.end();
        waiting.watch.expired.increment();
        Poll::Ready(E::outcome(UpstreamError::new(ErrorKind::Timeout), &waiting.asked))
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, pin::pin, task::Waker};

    use gateway_core::{
        Body, BoxError, Clock, RescueLayer,
        meter::Meter,
        testing::{Behaviour, Inner, Probe, contract},
    };
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::timeout::{TimeoutLayer, TryTimeoutLayer};

    // No property: one comparison of two moments.

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::check(TimeoutLayer::new(Duration::from_secs(3600))).await;
        contract::check(TimeoutLayer::off()).await;
        contract::check(TryTimeoutLayer::new(Duration::from_secs(3600))).await;
        contract::check(TryTimeoutLayer::off()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn is_an_error_where_errors_can_carry_it_and_an_answer_where_not() {
        let layer = TimeoutLayer::new(Duration::from_secs(5));
        let error = layer.layer(service_fn(silent::<BoxError>)).oneshot(get()).await.unwrap_err();
        assert_eq!(error.downcast::<UpstreamError>().unwrap().kind(), ErrorKind::Timeout);

        let bare = layer.layer(service_fn(silent::<Infallible>)).oneshot(get()).await.unwrap();
        let rescued = layer.layer(service_fn(silent::<BoxError>));
        let rescued = RescueLayer::default().layer(rescued).oneshot(get()).await.unwrap();
        assert_eq!((bare.status().as_u16(), rescued.status().as_u16()), (504, 504));
        let text =
            async |answer: Response<Body>| Body::collect_limited(answer.into_body(), 1 << 10).await.unwrap();
        assert_eq!(text(bare).await, text(rescued).await, "both say the same");
    }

    #[tokio::test(start_paused = true)]
    async fn an_outer_deadline_that_is_closer_holds() {
        let meter = Meter::default();
        let inner = TimeoutLayer::new(Duration::from_secs(60)).meter(&meter, "inner");
        let mut request = get();
        let facts = Facts::of(request.extensions_mut(), &Clock::default()).clone();
        facts.tighten_deadline(facts.arrived() + Duration::from_secs(1));
        let start = Clock::default().now();
        inner.layer(service_fn(silent::<BoxError>)).oneshot(request).await.unwrap_err();
        assert_eq!(Clock::default().now() - start, Duration::from_secs(1));
        assert!(meter.render().contains("gateway_timeouts_total{place=\"inner\",limit=\"request\"} 1"));
    }

    #[tokio::test]
    async fn the_time_counts_from_this_layer_and_everything_inside_may_read_it() {
        let (clock, hands) = Clock::manual();
        let mut request = get();
        let facts = Facts::of(request.extensions_mut(), &clock).clone();
        hands.advance(Duration::from_secs(7));
        let layer = TimeoutLayer::new(Duration::from_secs(5)).clock(clock.clone());
        let quick =
            service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
        layer.layer(quick).oneshot(request).await.unwrap();
        assert_eq!(facts.deadline(), Some(facts.arrived() + Duration::from_secs(12)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_of_a_try_ends_it_and_leaves_the_deadline_alone() {
        let meter = Meter::default();
        let layer = TryTimeoutLayer::new(Duration::from_secs(1)).meter(&meter, "here");
        let mut request = get();
        let facts = Facts::of(request.extensions_mut(), &Clock::default()).clone();
        facts.tighten_deadline(facts.arrived() + Duration::from_secs(5));
        let error = layer.layer(service_fn(silent::<BoxError>)).oneshot(request).await.unwrap_err();
        assert_eq!(Failure::failure(&error).unwrap().kind(), ErrorKind::Timeout);
        assert_eq!(Clock::default().now() - facts.arrived(), Duration::from_secs(1));
        assert_eq!(facts.deadline(), Some(facts.arrived() + Duration::from_secs(5)));
        assert!(meter.render().contains("gateway_timeouts_total{place=\"here\",limit=\"try\"} 1"));
    }

    #[tokio::test]
    async fn what_is_inside_is_gone_before_the_outcome_is_there() {
        let (clock, hands) = Clock::manual();
        let probe = Probe::new(Behaviour::Silent);
        let layer = TimeoutLayer::new(Duration::from_secs(5)).clock(clock);
        let mut service = layer.layer(Inner::Bare(probe.clone()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Service::<Request<Body>>::poll_ready(&mut service, &mut cx).is_ready());
        let mut future = pin!(service.call(get()));
        assert!(future.as_mut().poll(&mut cx).is_pending());
        hands.advance(Duration::from_millis(4999));
        assert!(future.as_mut().poll(&mut cx).is_pending());
        hands.advance(Duration::from_millis(1));
        assert!(future.as_mut().poll(&mut cx).is_ready());
        assert_eq!(probe.live(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_not_cut_and_the_longest_time_there_is_overflows_nothing() {
        let (sender, body) = gateway_core::testing::channel();
        let mut body = Some(body);
        let stream = service_fn(move |_: Request<Body>| {
            let answer = body.take().map(Response::new).ok_or_else(|| BoxError::from("called twice"));
            std::future::ready(answer)
        });
        let answer = TimeoutLayer::new(Duration::from_secs(1)).layer(stream).oneshot(get()).await.unwrap();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(60)).await;
            sender.data("late").await
        });
        assert_eq!(Body::collect_limited(answer.into_body(), 9).await.unwrap(), "late");

        let slow = service_fn(|_: Request<Body>| async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok::<_, BoxError>(Response::new(Body::empty()))
        });
        assert!(TimeoutLayer::new(Duration::MAX).layer(slow).oneshot(get()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn bare_in_axum_it_answers_504() {
        let handler = axum::routing::get(std::future::pending::<String>);
        let router = axum::Router::new().route("/", handler).layer(TimeoutLayer::new(Duration::from_secs(5)));
        let answer = router.oneshot(Request::new(axum::body::Body::empty())).await.unwrap();
        assert_eq!(answer.status(), 504);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }

    fn get() -> Request<Body> {
        Request::new(Body::empty())
    }

    fn silent<E>(_: Request<Body>) -> std::future::Pending<Result<Response<Body>, E>> {
        std::future::pending()
    }
}
