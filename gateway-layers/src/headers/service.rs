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
    /// Names the first header that has two actions in one direction, or that cannot be named.
    pub fn new(request: Rules, response: Rules) -> Result<Self, HeaderRuleError> {
        if let Some(error) = request.errors().into_iter().chain(response.errors()).next() {
            return Err(error);
        }
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
    use gateway_core::{Body, BoxError, Refusal, refusal::Asked, testing::contract};
    use http::{HeaderName, HeaderValue, StatusCode};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::check(set("1")).await;
        contract::check(HeadersLayer::default()).await;
    }

    #[tokio::test]
    async fn each_direction_has_its_own_rules_and_refusals_inside_are_answers_too() {
        let refusing = service_fn(|request: Request<Body>| async move {
            let (head, _) = request.into_parts();
            let seen = head.headers[X_A].clone();
            let refusal = Refusal::new(StatusCode::FORBIDDEN, "no", "no").header(X_SEEN, seen);
            Ok::<Response<Body>, BoxError>(refusal.into_response(&Asked::of(&head)))
        });
        let value = HeaderValue::from_static;
        let layer =
            HeadersLayer::new(Rules::new().set(X_A, value("in")), Rules::new().set(X_A, value("out")));
        let answer = layer.unwrap().layer(refusing).oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), 403);
        assert_eq!((&answer.headers()[X_SEEN], &answer.headers()[X_A]), (&value("in"), &value("out")));
    }

    #[test]
    fn values_are_shown_nowhere() {
        struct End;
        impl Explain for End {
            fn explain(&self, _: &Parts, _: &mut Vec<Explanation>) {}
        }
        let mut say = Vec::new();
        let (head, ()) = Request::new(()).into_parts();
        let service = set("hush").layer(End);
        service.explain(&head, &mut say);
        assert_eq!(say[0].to_string(), "headers: pass: request: set x-a; response: set x-a");
        assert!(!format!("{:?}", set("hush")).contains("hush"));
        HeadersLayer::default().layer(End).explain(&head, &mut say);
        assert_eq!(say[1].verdict, Verdict::Skip);
    }

    fn set(value: &'static str) -> HeadersLayer {
        let rules = || Rules::new().set(X_A, HeaderValue::from_static(value));
        HeadersLayer::new(rules(), rules()).unwrap()
    }

    const X_A: HeaderName = HeaderName::from_static("x-a");
    const X_SEEN: HeaderName = HeaderName::from_static("x-seen");
}
