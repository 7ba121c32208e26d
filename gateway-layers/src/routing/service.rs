use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::SystemTime,
};

use bytes::Bytes;
use gateway_core::{
    Body, BoxError, Explanation, Facts, Refusal, Verdict, explain::Explain, facts::PathParams, refusal::Asked,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header::ALLOW, request::Parts};
use http_body::Body as HttpBody;
use tower_service::Service;

use super::{
    RoutingLayer, Stack, StackFuture, Table,
    table::{Compared, Found},
};

/// The service of [`RoutingLayer`].
///
/// Its readiness is that of the wrapped service, and the instance that was made ready is the one that is called; the
/// readiness of a rule's stack is awaited inside its future, because only the request says which stack it is. What the
/// wrapped service reserved while it became ready stays reserved for the next request, or until this service is
/// dropped; servers use a clone for every request.
#[derive(Clone, Debug)]
pub struct Routing<S> {
    routing: Arc<RoutingLayer>,
    inner: S,
}

impl<S> Routing<S> {
    pub(super) fn new(routing: Arc<RoutingLayer>, inner: S) -> Self {
        Self { routing, inner }
    }
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

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let RoutingLayer { live, counts, clock, .. } = &*self.routing;
        let (mut head, body) = request.into_parts();
        if let Some(refusal) = Facts::get(&head.extensions).and_then(Facts::doomed) {
            counts.refused.increment();
            return RoutingFuture::refused(refusal.clone(), &head);
        }
        let table = live.ask();
        let kind = match table.find(&head, self.routing.now(&table)) {
            Found::Rule(hit) => {
                counts.matched.increment();
                let facts = Facts::of(&mut head.extensions, clock);
                facts.set_route(hit.route);
                if let (Some(pattern), Some(path)) = (hit.params, head.uri.path_and_query()) {
                    facts.set_path_params(&PathParams::new(Arc::clone(pattern), path));
                }
                Kind::Stack { future: hit.value.call(Request::from_parts(head, Body::new(body))) }
            }
            Found::MethodNotAllowed(methods) if self.routing.says_methods => {
                counts.method_not_allowed.increment();
                return RoutingFuture::refused(method_not_allowed(&methods), &head);
            }
            Found::UnknownHost if self.routing.refuses_hosts => {
                counts.misdirected.increment();
                return RoutingFuture::refused(misdirected(), &head);
            }
            Found::MethodNotAllowed(_) | Found::UnknownHost | Found::Nothing => {
                counts.no_route.increment();
                Kind::Inner { future: self.inner.call(Request::from_parts(head, body)) }
            }
        };
        RoutingFuture { kind }
    }
}

impl RoutingLayer {
    /// The time for a table; the clock is only read for one that looks at it.
    fn now(&self, table: &Table<Stack>) -> SystemTime {
        if table.reads_time() { self.clock.wall() } else { SystemTime::UNIX_EPOCH }
    }
}

impl<S: Explain> Explain for Routing<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        let table = self.routing.live.table();
        let now = self.routing.now(&table);
        let mut elsewhere = 0;
        for (rule, compared) in table.compared(head, now) {
            let why = match compared {
                Compared::Serves => continue,
                Compared::LessSpecific => "less specific".to_owned(),
                Compared::Fails(why) => why,
                Compared::OtherPath | Compared::OtherHost => {
                    elsewhere += 1;
                    if elsewhere > MAX_ELSEWHERE {
                        continue;
                    }
                    let is_host = compared == Compared::OtherHost;
                    if is_host { "another host".to_owned() } else { "another path".to_owned() }
                }
            };
            say.push(Explanation::new(NAME, Verdict::Skip, format!("{rule}: {why}")));
        }
        if elsewhere > MAX_ELSEWHERE {
            let why = format!("{} more rules: another host or path", elsewhere - MAX_ELSEWHERE);
            say.push(Explanation::new(NAME, Verdict::Skip, why));
        }
        match table.find(head, now) {
            Found::Rule(hit) => {
                say.push(Explanation::new(NAME, Verdict::Pass, format!("the rule is {:?}", hit.route)));
                hit.value.explain(head, say);
            }
            Found::MethodNotAllowed(methods) if self.routing.says_methods => {
                let why = format!("405: allowed is {}", list(&methods));
                say.push(Explanation::new(NAME, Verdict::Refuse, why));
            }
            Found::UnknownHost if self.routing.refuses_hosts => {
                say.push(Explanation::new(NAME, Verdict::Refuse, "421: no rule is for this host"));
            }
            Found::MethodNotAllowed(_) | Found::UnknownHost | Found::Nothing => {
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

impl<F> RoutingFuture<F> {
    fn refused(refusal: Refusal, head: &Parts) -> Self {
        Self { kind: Kind::Refused { response: Some(refusal.into_response(&Asked::of(head))) } }
    }
}

impl<F> fmt::Debug for RoutingFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoutingFuture").finish_non_exhaustive()
    }
}

fn method_not_allowed(methods: &[Method]) -> Refusal {
    let allow = HeaderValue::try_from(list(methods)).expect("a list of methods is a header value");
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this path is not served with this method",
    )
    .header(ALLOW, allow)
}

fn misdirected() -> Refusal {
    Refusal::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", "nothing is served for this host here")
}

fn list(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

const NAME: &str = "routing";

/// The most rules for other hosts and paths that an explanation lists, so that it stays readable.
const MAX_ELSEWHERE: usize = 20;

#[cfg(test)]
mod tests;
