use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use gateway_core::{Body, Explanation, Verdict, explain::Explain, meter::Meter};
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE, request::Parts};
use tower_service::Service;

/// Answers every request with all metrics as Prometheus text. Mount it as a route, on a listener that only those
/// reach who may read it.
#[derive(Clone, Debug)]
pub struct MetricsEndpoint {
    meter: Meter,
}

impl MetricsEndpoint {
    /// Shows what this meter counts.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        Self { meter: meter.clone() }
    }
}

impl<B> Service<Request<B>> for MetricsEndpoint {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut response = Response::new(Body::from(self.meter.render()));
        let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        ready(Ok(response))
    }
}

impl Explain for MetricsEndpoint {
    fn explain(&self, _: &Parts, say: &mut Vec<Explanation>) {
        say.push(Explanation::new("metrics", Verdict::Pass, "answers with all metrics"));
    }
}
