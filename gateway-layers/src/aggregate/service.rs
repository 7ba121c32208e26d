use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use gateway_core::{
    Body, BoxError, Explanation, Facts, Refusal, Verdict, body::AnswerBody, explain::Explain,
    oneshot::Oneshot, refusal::Asked,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header::ALLOW, request::Parts};
use http_body::Body as HttpBody;
use tower_service::Service;

use super::{
    answer::answer,
    checked::{Checked, Step},
    fetch::Call,
    gather::Gathering,
    outcome::Rule,
    path::Pattern,
    request::Means,
};

/// The service of [`AggregateLayer`](super::AggregateLayer).
#[derive(Clone)]
pub struct Aggregate<S> {
    plan: Option<Arc<Checked>>,
    means: Arc<Means>,
    inner: S,
}

impl<S> Aggregate<S> {
    pub(super) fn new(plan: Option<Arc<Checked>>, means: Arc<Means>, inner: S) -> Self {
        Self { plan, means, inner }
    }
}

impl<S, B, AB> Service<Request<B>> for Aggregate<S>
where
    S: Service<Request<Body>, Response = Response<AB>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    AB: HttpBody<Data = Bytes> + AnswerBody + Send + 'static,
    AB::Error: Into<BoxError>,
{
    type Response = Response<AB>;
    type Error = S::Error;
    type Future = AggregateFuture<S::Future, AB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(plan) = self.plan.as_ref().filter(|plan| plan.matches(request.uri().path())) else {
            return AggregateFuture {
                kind: Kind::Passed { future: self.inner.call(request.map(Body::new)) },
            };
        };
        // What was made ready may hold a permit: the first branch takes it, or it goes.
        let next = self.inner.clone();
        let ready = mem::replace(&mut self.inner, next);
        if let Err(refusal) = admit(&request) {
            let answer = refusal.into_response(&Asked::of_request(&request));
            return AggregateFuture { kind: Kind::Refused { answer: Some(answer) } };
        }
        let (head, _) = request.into_parts();
        let (plan, means) = (Arc::clone(plan), Arc::clone(&self.means));
        let (spare, ready) = match plan.needs_inner() {
            true => (Some(ready.clone()), Some(ready)),
            false => (None, None),
        };
        AggregateFuture {
            kind: Kind::Gathering { future: Box::pin(gather(plan, means, head, spare, ready)) },
        }
    }
}

/// Only requests without a body that want to be answered, and nothing else.
pub(super) fn admit<B: HttpBody>(request: &Request<B>) -> Result<(), Refusal> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let refusal = Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "what is made of several answers can only be read",
        );
        return Err(refusal.header(ALLOW, HeaderValue::from_static("GET, HEAD")));
    }
    if !request.body().is_end_stream() {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "unexpected_body",
            "a request that becomes several has no body",
        ));
    }
    Ok(())
}

async fn gather<S, AB>(
    plan: Arc<Checked>,
    means: Arc<Means>,
    mut head: Parts,
    spare: Option<S>,
    mut ready: Option<S>,
) -> Response<AB>
where
    S: Service<Request<Body>, Response = Response<AB>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    AB: HttpBody<Data = Bytes> + AnswerBody + Send + 'static,
    AB::Error: Into<BoxError>,
{
    let facts = Facts::of(&mut head.extensions, &means.clock).clone();
    let call = move |step: &Step, request: Request<()>| -> Call {
        let request = request.map(|()| Body::empty());
        if let Some(stack) = &step.service {
            return stack.call(request);
        }
        let Some(inner) = ready.take().or_else(|| spare.clone()) else {
            return Box::pin(std::future::ready(Err("the plan has no service for it".into())));
        };
        let answer = Oneshot::new(inner, request);
        Box::pin(async move { answer.await.map(|answer| answer.map(Body::new)).map_err(Into::into) })
    };
    let whole = Gathering::new(&plan, &means, &head, facts.clone(), call).whole().await;
    let answer = whole.and_then(|whole| {
        for (index, key) in &whole.conflicts {
            means.counts.conflict(*index);
            tracing::debug!(branch = plan.steps[*index].name, key, "a field found its name taken");
        }
        answer(&plan, &whole, &means.buffers, &facts, head.method == Method::HEAD)
    });
    answer.unwrap_or_else(|refusal| refusal.into_response(&Asked::of(&head)))
}

impl<S: Explain> Explain for Aggregate<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        let Some(plan) = &self.plan else {
            say.push(Explanation::new("aggregate", Verdict::Skip, "no plan here"));
            return self.inner.explain(head, say);
        };
        if !plan.matches(head.uri.path()) {
            let path = plan.pattern.as_ref().map(Pattern::as_str).unwrap_or_default();
            say.push(Explanation::new("aggregate", Verdict::Skip, format!("the plan is for {path}")));
            return self.inner.explain(head, say);
        }
        if !matches!(head.method, Method::GET | Method::HEAD) {
            say.push(Explanation::new("aggregate", Verdict::Refuse, "405: allowed is GET, HEAD"));
            return;
        }
        let why = format!("answered here, of {} branches, within {:?}", plan.steps.len(), plan.timeout);
        say.push(Explanation::new("aggregate", Verdict::Refuse, why));
        for step in &plan.steps {
            say.push(Explanation::new("aggregate", Verdict::Pass, in_words(plan, step)));
        }
    }
}

fn in_words(plan: &Checked, step: &Step) -> String {
    let rule = match step.rule {
        Rule::Required => "required",
        Rule::Optional => "optional",
        Rule::Fallback(_) => "with a fallback",
    };
    let mut words = format!("branch `{}`: {rule}, GET {}", step.name, step.get);
    if !step.after.is_empty() {
        let names: Vec<&str> = step.after.iter().map(|&other| &*plan.steps[other].name).collect();
        words += &format!(", after {}", names.join(", "));
    }
    if let Some(timeout) = step.timeout {
        words += &format!(", within {timeout:?}");
    }
    words
}

impl<S: fmt::Debug> fmt::Debug for Aggregate<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregate")
            .field("plan", &self.plan)
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Aggregate`]. A request that is aggregated is boxed once, and each of its branches once.
    pub struct AggregateFuture<F, AB> {
        #[pin]
        kind: Kind<F, AB>,
    }
}

pin_project_lite::pin_project! {
    #[project = KindProjection]
    enum Kind<F, AB> {
        Passed { #[pin] future: F },
        Refused { answer: Option<Response<AB>> },
        Gathering { future: Pin<Box<dyn Future<Output = Response<AB>> + Send>> },
    }
}

impl<F, AB, E> Future for AggregateFuture<F, AB>
where
    F: Future<Output = Result<Response<AB>, E>>,
{
    type Output = Result<Response<AB>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Passed { future } => future.poll(cx),
            KindProjection::Refused { answer } => {
                Poll::Ready(Ok(answer.take().expect("a future is not polled after it is ready")))
            }
            KindProjection::Gathering { future } => future.as_mut().poll(cx).map(Ok),
        }
    }
}

impl<F, AB> fmt::Debug for AggregateFuture<F, AB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AggregateFuture").finish_non_exhaustive()
    }
}
