use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use gateway_core::{
    Explanation, Verdict,
    explain::Explain,
    phase::{self, Staged},
};
use http::{Request, Response, request::Parts};
use tower_service::Service;

use super::{HeaderRuleError, Rules};

/// Edits the headers of requests and answers. See the [module](super). The default has nothing to do.
#[derive(Clone, Debug, Default)]
pub struct HeadersLayer {
    directions: Option<Arc<Directions>>,
}

#[derive(Debug)]
struct Directions {
    request: Rules,
    response: Rules,
}

impl HeadersLayer {
    /// A layer of rules for requests and for answers.
    ///
    /// # Errors
    /// Names a header with two actions in one direction, or one that cannot be named.
    pub fn new(request: Rules, response: Rules) -> Result<Self, HeaderRuleError> {
        request.check()?;
        response.check()?;
        if request.is_empty() && response.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self { directions: Some(Arc::new(Directions { request, response })) })
    }
}

impl<S> tower_layer::Layer<S> for HeadersLayer {
    type Service = Headers<S>;

    fn layer(&self, inner: S) -> Headers<S> {
        Headers { directions: self.directions.clone(), inner }
    }
}

impl Staged for HeadersLayer {
    type Phase = phase::Shape;
}

/// The service of [`HeadersLayer`].
#[derive(Clone, Debug)]
pub struct Headers<S> {
    directions: Option<Arc<Directions>>,
    inner: S,
}

impl<S, B, AB> Service<Request<B>> for Headers<S>
where
    S: Service<Request<B>, Response = Response<AB>>,
{
    type Response = Response<AB>;
    type Error = S::Error;
    type Future = HeadersFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(directions) = &self.directions {
            directions.request.apply(request.headers_mut());
        }
        HeadersFuture { future: self.inner.call(request), directions: self.directions.clone() }
    }
}

impl<S: Explain> Explain for Headers<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        say.push(match &self.directions {
            None => Explanation::new("headers", Verdict::Skip, "no rules"),
            Some(directions) => {
                let request = directions.request.words().join(", ");
                let response = directions.response.words().join(", ");
                Explanation::new(
                    "headers",
                    Verdict::Pass,
                    format!("request: {request}; response: {response}"),
                )
            }
        });
        self.inner.explain(head, say);
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Headers`].
    #[derive(Debug)]
    pub struct HeadersFuture<F> {
        #[pin]
        future: F,
        directions: Option<Arc<Directions>>,
    }
}

impl<F, AB, E> Future for HeadersFuture<F>
where
    F: Future<Output = Result<Response<AB>, E>>,
{
    type Output = Result<Response<AB>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.future.poll(cx))?;
        if let Some(directions) = this.directions {
            directions.response.apply(response.headers_mut());
        }
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::testing::contract;
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[tokio::test]
    async fn keeps_the_contract() {
        let rules = || Rules::new().set(HeaderName::from_static("x-a"), HeaderValue::from_static("1"));
        contract::check(HeadersLayer::new(rules(), rules()).unwrap()).await;
        contract::check(HeadersLayer::default()).await;
    }
}
