use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gateway_core::{
    Body, BoxError, Clock, Explanation, Facts, Refusal, Verdict,
    canonical::host,
    explain::Explain,
    meter::{Counter, Meter},
    phase::{self, Staged},
    refusal::Asked,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header::ALLOW, request::Parts};
use http_body::Body as HttpBody;
use tower_service::Service;

use super::{
    Rule, Stack, StackFuture,
    table::{Found, RuleError, Table},
};

/// Hands requests over to the stack of the rule that matches; the others go to the wrapped service. See the
/// [module](super).
#[derive(Clone, Debug)]
pub struct RoutingLayer {
    table: Arc<Table<Stack>>,
    counts: Counts,
    clock: Clock,
}

impl RoutingLayer {
    /// A layer of these rules.
    ///
    /// # Errors
    /// Every rule that cannot be used, with its name and the reason.
    pub fn new(rules: impl IntoIterator<Item = (Rule, Stack)>) -> Result<Self, RulesError> {
        Ok(Self::of(Table::new(rules).map_err(RulesError)?))
    }

    /// A layer of a table whose rules are all right.
    pub(crate) fn of(table: Table<Stack>) -> Self {
        Self { table: Arc::new(table), counts: Counts::default(), clock: Clock::default() }
    }

    /// Counts lookups in this meter as `gateway_routing_total{outcome}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter) -> Self {
        self.counts = Counts::new(meter);
        self
    }
}

impl<S> tower_layer::Layer<S> for RoutingLayer {
    type Service = Routing<S>;

    fn layer(&self, inner: S) -> Routing<S> {
        Routing { routing: self.clone(), inner }
    }
}

impl Staged for RoutingLayer {
    type Phase = phase::Choose;
}

/// The service of [`RoutingLayer`].
///
/// Its readiness is that of the wrapped service, and the instance that was made ready is the one that is called;
/// the readiness of a rule's stack is awaited inside its future.
#[derive(Clone, Debug)]
pub struct Routing<S> {
    routing: RoutingLayer,
    inner: S,
}

impl<S, B, AB> Service<Request<B>> for Routing<S>
where
    S: Service<Request<B>, Response = Response<AB>>,
    S::Error: Into<BoxError>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    AB: HttpBody<Data = Bytes> + Send + 'static,
    AB::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = RoutingFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let RoutingLayer { table, counts, clock } = &self.routing;
        if let Some(refusal) = Facts::get(request.extensions()).and_then(Facts::doomed) {
            let refusal = refusal.clone();
            counts.refused.increment();
            let (head, _) = request.into_parts();
            let response = refusal.into_response(&Asked::of(&head));
            return RoutingFuture { kind: Kind::Refused { response: Some(response) } };
        }
        let kind = match table.find(host(request.headers()), request.uri().path(), request.method()) {
            Found::Rule(route, stack) => {
                counts.matched.increment();
                Facts::of(request.extensions_mut(), clock).set_route(route);
                Kind::Stack { future: stack.call(request.map(Body::new)) }
            }
            Found::MethodNotAllowed(methods) => {
                counts.method_not_allowed.increment();
                let (head, _) = request.into_parts();
                let response = method_not_allowed(&methods).into_response(&Asked::of(&head));
                Kind::Refused { response: Some(response) }
            }
            Found::Nothing => {
                counts.no_route.increment();
                Kind::Inner { future: self.inner.call(request) }
            }
        };
        RoutingFuture { kind }
    }
}

impl<S: Explain> Explain for Routing<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        let table = &self.routing.table;
        let (host, path) = (host(&head.headers), head.uri.path());
        let found = table.find(host, path, &head.method);
        let chosen = match &found {
            Found::Rule(route, _) => Some(route.name()),
            _ => None,
        };
        for (rule, serves_path) in table.compared(host, path) {
            let why = match serves_path {
                true if chosen.is_some() => continue,
                true => format!("{rule}: not for {}", head.method),
                false => format!("{rule}: another host or path"),
            };
            say.push(Explanation::new(NAME, Verdict::Skip, why));
        }
        match found {
            Found::Rule(route, stack) => {
                say.push(Explanation::new(NAME, Verdict::Pass, format!("the rule is {route:?}")));
                stack.explain(head, say);
            }
            Found::MethodNotAllowed(methods) => {
                say.push(Explanation::new(NAME, Verdict::Refuse, format!("405, allowed: {methods:?}")));
            }
            Found::Nothing => {
                say.push(Explanation::new(NAME, Verdict::Skip, "no rule; on to what is behind"));
                self.inner.explain(head, say);
            }
        }
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Routing`].
    pub struct RoutingFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project_lite::pin_project! {
    #[project = KindProjection]
    enum Kind<F> {
        Stack { future: StackFuture },
        Inner { #[pin] future: F },
        Refused { response: Option<Response<Body>> },
    }
}

impl<F, AB, E> Future for RoutingFuture<F>
where
    F: Future<Output = Result<Response<AB>, E>>,
    E: Into<BoxError>,
    AB: HttpBody<Data = Bytes> + Send + 'static,
    AB::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Stack { future } => future.as_mut().poll(cx),
            KindProjection::Inner { future } => {
                let response = ready!(future.poll(cx)).map_err(Into::into)?;
                Poll::Ready(Ok(response.map(Body::new)))
            }
            KindProjection::Refused { response } => {
                Poll::Ready(Ok(response.take().expect("a future is not polled after it is ready")))
            }
        }
    }
}

impl<F> fmt::Debug for RoutingFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoutingFuture").finish_non_exhaustive()
    }
}

/// The service behind all rules of a gateway: 404 `no_route`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotFound;

impl<B> Service<Request<B>> for NotFound {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, _) = request.into_parts();
        let refusal =
            Refusal::new(StatusCode::NOT_FOUND, "no_route", "nothing is served at this host and path");
        std::future::ready(Ok(refusal.into_response(&Asked::of(&head))))
    }
}

impl Explain for NotFound {
    fn explain(&self, _: &Parts, say: &mut Vec<Explanation>) {
        say.push(Explanation::new(NAME, Verdict::Refuse, "404: nothing is served at this host and path"));
    }
}

/// Rules that cannot be used.
#[derive(Clone, Debug)]
pub struct RulesError(Vec<RuleError>);

impl RulesError {
    /// Each of them.
    #[must_use]
    pub fn errors(&self) -> &[RuleError] {
        &self.0
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("\n"))
    }
}

impl std::error::Error for RulesError {}

#[derive(Clone, Debug, Default)]
struct Counts {
    matched: Counter,
    no_route: Counter,
    method_not_allowed: Counter,
    refused: Counter,
}

impl Counts {
    fn new(meter: &Meter) -> Self {
        let counter = |outcome: &str| {
            meter.counter(
                "gateway_routing_total",
                "Requests by the outcome of routing.",
                &[("outcome", outcome)],
            )
        };
        Self {
            matched: counter("matched"),
            no_route: counter("no_route"),
            method_not_allowed: counter("method_not_allowed"),
            refused: counter("refused"),
        }
    }
}

fn method_not_allowed(methods: &[Method]) -> Refusal {
    let list = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let allow = HeaderValue::try_from(list).expect("a list of methods is a header value");
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this path is not served with this method",
    )
    .header(ALLOW, allow)
}

const NAME: &str = "routing";

#[cfg(test)]
mod tests {
    use gateway_core::testing::{Inner, contract};
    use tower::Layer;

    use super::*;

    #[tokio::test]
    async fn keeps_the_contract_towards_the_wrapped_service() {
        contract::check(RoutingLayer::new([]).unwrap()).await;
        let elsewhere = (Rule::path("/elsewhere"), Stack::new(NotFound));
        contract::check(RoutingLayer::new([elsewhere]).unwrap()).await;
    }

    #[test]
    fn a_request_that_is_refused_at_the_edge_is_answered_with_that() {
        let service = RoutingLayer::new([(Rule::prefix("/"), Stack::new(NotFound))]).unwrap().layer(NotFound);
        let mut request = Request::new(Body::empty());
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, "bad_path", "no");
        Facts::of(request.extensions_mut(), &Clock::default()).doom(refusal);
        let mut answer = Box::pin(tower::ServiceExt::oneshot(service, request));
        let polled = answer.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(response)) if response.status() == 400));
    }

    #[tokio::test]
    async fn the_stack_of_a_rule_is_called_only_when_it_is_ready() {
        let inner = Inner::Bare(gateway_core::testing::Probe::new(gateway_core::testing::Behaviour::Echo));
        let mut service =
            RoutingLayer::new([(Rule::prefix("/"), Stack::new(inner))]).unwrap().layer(NotFound);
        for _ in 0..3 {
            let ready = tower::ServiceExt::<Request<Body>>::ready(&mut service).await.unwrap();
            let answer = ready.call(contract::request()).await.unwrap();
            assert_eq!(Body::collect_limited(answer.into_body(), 10).await.unwrap(), "probe");
        }
    }
}
