use std::task::{Context, Poll};

use gateway_core::{
    Clock, Explanation, Guarded,
    explain::Explain,
    phase::{self, Staged},
    watch::WatchFuture,
};
use http::{Request, Response, request::Parts};
use http_body::Body;
use tower_service::Service;

use super::{LogWatch, Sink};

/// Writes a line for every request. See the [module](super) for its fields.
#[derive(Clone, Debug)]
pub struct AccessLogLayer {
    sink: Option<Sink>,
    clock: Clock,
}

impl AccessLogLayer {
    /// Writes to this sink.
    #[must_use]
    pub fn new(sink: Sink) -> Self {
        Self { sink: Some(sink), clock: Clock::default() }
    }

    /// Passes everything on: the same type for stacks that may do without.
    #[must_use]
    pub fn off() -> Self {
        Self { sink: None, clock: Clock::default() }
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

impl<S> tower_layer::Layer<S> for AccessLogLayer {
    type Service = AccessLog<S>;

    fn layer(&self, inner: S) -> AccessLog<S> {
        AccessLog { layer: self.clone(), inner }
    }
}

impl Staged for AccessLogLayer {
    type Phase = phase::Arrive;
}

/// The service of [`AccessLogLayer`].
#[derive(Clone, Debug)]
pub struct AccessLog<S> {
    layer: AccessLogLayer,
    inner: S,
}

impl<S, B, AB> Service<Request<B>> for AccessLog<S>
where
    S: Service<Request<B>, Response = Response<AB>>,
    AB: Body,
{
    type Response = Response<Guarded<AB, Option<LogWatch>>>;
    type Error = S::Error;
    type Future = WatchFuture<S::Future, Option<LogWatch>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let AccessLogLayer { sink, clock } = &self.layer;
        let watch = sink.as_ref().map(|sink| LogWatch::new(sink.clone(), clock.clone(), &mut request));
        WatchFuture::new(self.inner.call(request), watch)
    }
}

impl<S: Explain> Explain for AccessLog<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        self.inner.explain(head, say);
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use gateway_core::{Body, Facts, Refusal, facts::Route, refusal::Asked, testing::contract};
    use http::StatusCode;
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;

    fn line(sink: &Sink, lines: &super::super::Lines) -> serde_json::Value {
        assert!(sink.flush(Duration::from_secs(10)));
        serde_json::from_str(lines.text().lines().last().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::check(AccessLogLayer::new(Sink::writer(std::io::sink()))).await;
        contract::check(AccessLogLayer::off()).await;
    }

    #[tokio::test]
    async fn tells_what_the_layers_inside_found_out() {
        let (clock, hands) = Clock::manual();
        let (sink, lines) = Sink::memory();
        let refusing = service_fn(move |request: Request<Body>| {
            let hands = hands.clone();
            async move {
                let (head, _) = request.into_parts();
                let facts = Facts::get(&head.extensions).unwrap();
                facts.set_peer(([10, 0, 0, 1], 4000).into());
                facts.set_client_addr([203, 0, 113, 9].into());
                facts.set_route(&Route::new("orders", "/orders/{id}"));
                facts.set_endpoint(&"http://10.0.0.7:80".into());
                facts.set_attempt(2);
                hands.advance(Duration::from_micros(1_500));
                let refusal = Refusal::new(StatusCode::FORBIDDEN, "no", "no").because("\"because\"\n");
                Ok::<_, Infallible>(refusal.into_response::<Body>(&Asked::of(&head)))
            }
        });
        let request =
            Request::post("/orders/7?token=hush").header("host", "a.test").header("content-length", "9");
        let service = AccessLogLayer::new(sink.clone()).clock(clock).layer(refusing);
        let answer = service.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let bytes = Body::collect_limited(answer.into_body(), 1_000).await.unwrap().len();
        assert!(!lines.text().contains("hush"));
        assert_eq!(
            line(&sink, &lines),
            serde_json::json!({
                "time": "2001-09-09T01:46:40.001Z", "client": "203.0.113.9", "peer": "10.0.0.1:4000",
                "method": "POST", "host": "a.test", "path": "/orders/7", "protocol": "HTTP/1.1",
                "route": "orders", "upstream": "http://10.0.0.7:80", "tries": 2, "status": 403, "code": "no",
                "cause": "\"because\"\n", "end": "complete", "head_ms": 1.5, "duration_ms": 1.5,
                "bytes_in": 9, "bytes_out": bytes,
            })
        );
    }

    #[tokio::test]
    async fn a_client_that_leaves_has_a_line_too() {
        let (sink, lines) = Sink::memory();
        let silent =
            service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
        let mut service = AccessLogLayer::new(sink.clone()).layer(silent);
        drop(service.ready().await.unwrap().call(Request::new(Body::empty())));
        let line = line(&sink, &lines);
        assert_eq!((&line["end"], &line["status"]), (&"dropped".into(), &serde_json::Value::Null));
    }
}
