use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use gateway_core::{
    Clock, End, Explanation, Facts, Guard, Guarded, Refusal,
    explain::Explain,
    meter::{Counter, Gauge, Holding, Meter},
    phase::{self, Staged},
    watch::{Watch, WatchFuture},
};
use http::{Method, Request, Response, request::Parts};
use http_body::Body;
use tower_service::Service;

use super::series::Series;

/// Counts and times requests. See the [module](super).
#[derive(Clone, Debug)]
pub struct MetricsLayer {
    counts: Option<Arc<Counts>>,
    clock: Clock,
}

#[derive(Debug)]
struct Counts {
    series: Series,
    active: Gauge,
    bytes: Counter,
    aborted: Counter,
}

impl MetricsLayer {
    /// Counts in this meter.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        let counts = Counts {
            series: Series::new(meter),
            active: meter.gauge("http_server_active_requests", "Requests whose answer has not ended.", &[]),
            bytes: meter.counter("http_server_response_body_bytes_total", "Bytes of answers' bodies.", &[]),
            aborted: meter.counter(
                "http_server_aborted_requests_total",
                "Requests whose answer was not taken to its end.",
                &[],
            ),
        };
        Self { counts: Some(Arc::new(counts)), clock: Clock::default() }
    }

    /// Passes everything on: the same type for stacks that may do without.
    #[must_use]
    pub fn off() -> Self {
        Self { counts: None, clock: Clock::default() }
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

impl<S> tower_layer::Layer<S> for MetricsLayer {
    type Service = Metrics<S>;

    fn layer(&self, inner: S) -> Metrics<S> {
        Metrics { layer: self.clone(), inner }
    }
}

impl Staged for MetricsLayer {
    type Phase = phase::Arrive;
}

/// The service of [`MetricsLayer`].
#[derive(Clone, Debug)]
pub struct Metrics<S> {
    layer: MetricsLayer,
    inner: S,
}

impl<S, B, AB> Service<Request<B>> for Metrics<S>
where
    S: Service<Request<B>, Response = Response<AB>>,
    AB: Body,
{
    type Response = Response<Guarded<AB, Option<RequestWatch>>>;
    type Error = S::Error;
    type Future = WatchFuture<S::Future, Option<RequestWatch>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let watch = self.layer.counts.as_ref().map(|counts| {
            let clock = self.layer.clock.clone();
            let facts = Facts::of(request.extensions_mut(), &clock).clone();
            RequestWatch {
                active: counts.active.hold(),
                counts: Arc::clone(counts),
                method: request.method().clone(),
                arrived: facts.arrived(),
                facts,
                clock,
                status: 0,
                code: "",
                bytes: 0,
            }
        });
        WatchFuture::new(self.inner.call(request), watch)
    }
}

impl<S: Explain> Explain for Metrics<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        self.inner.explain(head, say);
    }
}

/// What follows a request to the end of its answer.
#[derive(Debug)]
pub struct RequestWatch {
    #[expect(dead_code, reason = "it is counted until it is dropped")]
    active: Holding,
    counts: Arc<Counts>,
    method: Method,
    arrived: Instant,
    facts: Facts,
    clock: Clock,
    status: u16,
    code: &'static str,
    bytes: usize,
}

impl Watch for RequestWatch {
    fn head<B>(&mut self, response: &Response<B>) {
        self.status = response.status().as_u16();
        self.code = response.extensions().get().map_or("", Refusal::code);
    }
}

impl Guard for RequestWatch {
    fn data(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    fn end(self, end: End) {
        let Self { counts, method, facts, status, code, .. } = &self;
        let duration = self.clock.now().saturating_duration_since(self.arrived);
        counts.series.record(method, facts.route(), *status, code, duration);
        counts.bytes.add(self.bytes as u64);
        let end = if *status == 0 { end } else { end.of_answer_to(method) };
        if end == End::Dropped {
            counts.aborted.increment();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use gateway_core::{facts::Route, testing::contract};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;

    // No property: numbers are added.

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::check(MetricsLayer::new(&Meter::default())).await;
        contract::check(MetricsLayer::off()).await;
    }

    #[tokio::test]
    async fn a_request_ends_with_the_last_byte_of_its_answer() {
        let (clock, hands) = Clock::manual();
        let meter = Meter::default();
        let service = service_fn(|request: Request<gateway_core::Body>| async move {
            let facts = Facts::get(request.extensions()).unwrap();
            facts.set_route(&Route::new("orders", "/orders/{id}"));
            Ok::<_, Infallible>(Response::new(gateway_core::Body::from("12345")))
        });
        let service = MetricsLayer::new(&meter).clock(clock).layer(service);
        let answer = service.oneshot(Request::new(gateway_core::Body::empty())).await.unwrap();
        assert!(meter.render().contains("http_server_active_requests 1\n"));
        hands.advance(Duration::from_secs(3));
        gateway_core::Body::collect_limited(answer.into_body(), 10).await.unwrap();
        let text = meter.render();
        for line in [
            "http_server_active_requests 0\n",
            "http_server_response_body_bytes_total 5\n",
            "http_server_aborted_requests_total 0\n",
            "http_server_request_duration_seconds_sum{http_request_method=\"GET\",http_route=\"/orders/{id}\",\
             http_response_status_code=\"200\",error_type=\"\"} 3\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_counted_and_nothing_stays_active() {
        let meter = Meter::default();
        let silent = service_fn(|_: Request<gateway_core::Body>| {
            std::future::pending::<Result<Response<gateway_core::Body>, Infallible>>()
        });
        let mut service = MetricsLayer::new(&meter).layer(silent);
        let request = Request::builder().method("BREW").body(gateway_core::Body::empty()).unwrap();
        drop(service.ready().await.unwrap().call(request));
        let text = meter.render();
        assert!(text.contains("http_server_active_requests 0\n"), "{text}");
        assert!(text.contains("http_server_aborted_requests_total 1\n"), "{text}");
        assert!(text.contains(
            "_count{http_request_method=\"_OTHER\",http_route=\"none\",http_response_status_code=\"0\""
        ));
    }
}
