use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use gateway_core::{
    Body, BoxError, Explanation, Facts, Failure, Verdict,
    explain::Explain,
    replay::{Head, Replay},
    tunnel::Wanted,
};
use http::{Request, Response, header::UPGRADE, request::Parts};
use http_body::Body as HttpBody;
use tower_service::Service;

use super::{RetryFuture, future::Again, layer::Rules};

/// The service of [`RetryLayer`](super::RetryLayer).
#[derive(Clone, Debug)]
pub struct Retry<S> {
    rules: Option<Arc<Rules>>,
    inner: S,
}

impl<S> Retry<S> {
    pub(super) fn new(rules: Option<Arc<Rules>>, inner: S) -> Self {
        Self { rules, inner }
    }
}

impl<S, B, AB> Service<Request<B>> for Retry<S>
where
    S: Service<Request<Body>, Response = Response<AB>> + Clone,
    S::Error: Failure,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<AB>;
    type Error = S::Error;
    type Future = RetryFuture<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request = request.map(Body::new);
        // What an upgrade leaves in the extensions is for one connection.
        let switches =
            request.extensions().get::<Wanted>().is_some() || request.headers().contains_key(UPGRADE);
        let Some(rules) = self.rules.as_ref().filter(|_| !switches) else {
            return RetryFuture::once(self.inner.call(request));
        };
        rules.budget.request();
        let (head, body) = request.into_parts();
        let is_repeatable = rules.policy.is_repeatable(&head.method, &head.headers);
        let limit = if is_repeatable { rules.body } else { 0 };
        let (replay, body) = Replay::of(body, limit, || rules.buffers.lease(Facts::get(&head.extensions)));
        let kept = Head::of(&head);
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let future = inner.call(Request::from_parts(head, body));
        RetryFuture::first(future, Again::new(Arc::clone(rules), inner, kept, replay, is_repeatable))
    }
}

impl<S: Explain> Explain for Retry<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        say.push(match &self.rules {
            None => Explanation::new("retry", Verdict::Skip, "one try"),
            Some(rules) if rules.policy.is_repeatable(&head.method, &head.headers) => {
                let (tries, left) = (rules.policy.tries, rules.budget.left());
                let why = format!("up to {tries} tries; the budget has {left} retries");
                Explanation::new("retry", Verdict::Pass, why)
            }
            Some(_) => {
                let why = format!("{} is tried again only if nothing was sent", head.method);
                Explanation::new("retry", Verdict::Pass, why)
            }
        });
        self.inner.explain(head, say);
    }
}

#[cfg(test)]
mod tests;
