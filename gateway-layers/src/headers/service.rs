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
use http::{HeaderName, Request, Response, request::Parts};
use tower_service::Service;

use super::{HeaderRuleError, Rules, rules::Values};

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

    fn owned_headers(&self) -> Vec<HeaderName> {
        self.directions.as_deref().map(|directions| directions.request.owned()).unwrap_or_default()
    }
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
        let Some(directions) = &self.directions else {
            return HeadersFuture { future: self.inner.call(request), response: None };
        };
        let values = directions.response.values(&request);
        let response = Some((Arc::clone(directions), values));
        let values = directions.request.values(&request);
        directions.request.apply_with(request.headers_mut(), values);
        HeadersFuture { future: self.inner.call(request), response }
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
        response: Option<(Arc<Directions>, Values)>,
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
        if let Some((directions, values)) = this.response.take() {
            directions.response.apply_with(response.headers_mut(), values);
        }
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::{
        Body, BoxError, Clock, Facts, Refusal, facts::Principal, refusal::Asked, testing::contract,
    };
    use http::{HeaderValue, StatusCode};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::headers::Template;

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

    #[tokio::test]
    async fn a_caller_is_told_by_facts_and_never_by_the_client() {
        let from = |template: &str| template.parse::<Template>().unwrap();
        let request = Rules::new().set_from(X_A, from("{principal}")).set_from(X_SEEN, from("static {{}}"));
        let response = Rules::new().set_from(X_A, from("{method} {principal}"));
        let layer = HeadersLayer::new(request, response).unwrap();
        assert_eq!(layer.owned_headers(), [X_A]);
        let echo = service_fn(|request: Request<Body>| async move {
            let mut answer = Response::new(Body::empty());
            answer.headers_mut().insert(X_SEEN, HeaderValue::from_static("none"));
            if let Some(value) = request.headers().get(X_A) {
                answer.headers_mut().insert(X_SEEN, value.clone());
            }
            assert_eq!(request.headers()[X_SEEN], "static {}");
            Ok::<_, BoxError>(answer)
        });
        let ask = async |principal: Option<&Principal>| {
            let mut request = Request::get("/").header(X_A, "root").body(Body::empty()).unwrap();
            let facts = Facts::of(request.extensions_mut(), &Clock::default());
            principal.inspect(|principal| facts.set_principal(principal));
            layer.layer(echo).oneshot(request).await.unwrap().headers().clone()
        };
        let known = ask(Some(&Principal::new("shop", "ada"))).await;
        assert_eq!(
            (&known[X_SEEN], &known[X_A]),
            (&HeaderValue::from_static("ada"), &HeaderValue::from_static("GET ada"))
        );
        for nobody in [None, Some(&Principal::new("shop", "ada\nx"))] {
            let unknown = ask(nobody).await;
            assert_eq!((&unknown[X_SEEN], unknown.get(X_A)), (&HeaderValue::from_static("none"), None));
        }
        let mut say = Vec::new();
        let (head, ()) = Request::new(()).into_parts();
        layer.layer(Nothing).explain(&head, &mut say);
        let told = "headers: pass: request: set x-a from principal, set x-seen; response: set x-a from method and principal";
        assert_eq!(say[0].to_string(), told);
    }

    #[test]
    fn credentials_are_not_taken_from_whoever_checks_them() {
        let template: Template = "Bearer {claim.token}".parse().unwrap();
        let rules = Rules::new().set_from(http::header::AUTHORIZATION, template);
        assert!(HeadersLayer::new(rules, Rules::new()).unwrap().owned_headers().is_empty());
    }

    struct Nothing;

    impl Explain for Nothing {
        fn explain(&self, _: &Parts, _: &mut Vec<Explanation>) {}
    }

    #[test]
    fn values_are_shown_nowhere() {
        let mut say = Vec::new();
        let (head, ()) = Request::new(()).into_parts();
        let service = set("hush").layer(Nothing);
        service.explain(&head, &mut say);
        assert_eq!(say[0].to_string(), "headers: pass: request: set x-a; response: set x-a");
        assert!(!format!("{:?}", set("hush")).contains("hush"));
        HeadersLayer::default().layer(Nothing).explain(&head, &mut say);
        assert_eq!(say[1].verdict, Verdict::Skip);
    }

    fn set(value: &'static str) -> HeadersLayer {
        let rules = || Rules::new().set(X_A, HeaderValue::from_static(value));
        HeadersLayer::new(rules(), rules()).unwrap()
    }

    const X_A: HeaderName = HeaderName::from_static("x-a");
    const X_SEEN: HeaderName = HeaderName::from_static("x-seen");
}
