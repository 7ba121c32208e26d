use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use gateway_core::{
    Body, BoxError, Explanation, Facts, Failure, Verdict,
    explain::Explain,
    replay::{Head, Replay},
};
use http::{Request, Response, header::UPGRADE, request::Parts};
use http_body::Body as HttpBody;
use tower_service::Service;

use super::{
    FallbackFuture,
    future::Kept,
    layer::{Plan, With},
};

/// The service of [`FallbackLayer`](super::FallbackLayer).
pub struct Fallback<S, F> {
    plan: Option<Arc<Plan<F>>>,
    inner: S,
}

impl<S, F> Fallback<S, F> {
    pub(super) fn new(plan: Option<Arc<Plan<F>>>, inner: S) -> Self {
        Self { plan, inner }
    }
}

impl<S, F, B, AB, FB> Service<Request<B>> for Fallback<S, F>
where
    S: Service<Request<Body>, Response = Response<AB>>,
    S::Error: Failure,
    F: Service<Request<Body>, Response = Response<FB>> + Clone,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    AB: HttpBody<Data = Bytes> + Send + 'static,
    AB::Error: Into<BoxError>,
    FB: HttpBody<Data = Bytes> + Send + 'static,
    FB::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = FallbackFuture<S::Future, F, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request = request.map(Body::new);
        let Some(plan) = &self.plan else { return FallbackFuture::once(self.inner.call(request)) };
        let plan = Arc::clone(plan);
        let facts = Facts::get(request.extensions()).cloned();
        // A fixed answer needs nothing of the request; an upgrade is for one connection.
        if !matches!(plan.with, With::Service(_)) || request.headers().contains_key(UPGRADE) {
            return FallbackFuture::new(self.inner.call(request), plan, facts, None);
        }
        let (head, body) = request.into_parts();
        let limit = if head.method.is_idempotent() { plan.body } else { 0 };
        let (replay, body) = Replay::of(body, limit, || plan.buffers.lease(facts.as_ref()));
        let kept = Kept { head: Head::of(&head), replay };
        FallbackFuture::new(self.inner.call(Request::from_parts(head, body)), plan, facts, Some(kept))
    }
}

impl<S: Explain, F> Explain for Fallback<S, F> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        say.push(match &self.plan {
            None => Explanation::new("fallback", Verdict::Skip, "failures are passed on"),
            Some(plan) => {
                let what = match &plan.with {
                    With::Answer(instead) => instead.status().to_string(),
                    With::Service(_) | With::Nothing => "another service".to_owned(),
                };
                let statuses: Vec<_> = plan.trigger.statuses().iter().map(|status| status.as_str()).collect();
                Explanation::new(
                    "fallback",
                    Verdict::Pass,
                    format!("{what} instead of {}", statuses.join(", ")),
                )
            }
        });
        self.inner.explain(head, say);
    }
}

impl<S: Clone, F> Clone for Fallback<S, F> {
    fn clone(&self) -> Self {
        Self { plan: self.plan.clone(), inner: self.inner.clone() }
    }
}

impl<S: fmt::Debug, F> fmt::Debug for Fallback<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
