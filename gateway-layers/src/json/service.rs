use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gateway_core::{
    BoxError, Explanation, Refusal, Verdict,
    body::{AnswerBody, forget_length_and_digests},
    explain::Explain,
    meter::Decisions,
    refusal::Asked,
};
use http::{Method, Request, Response, request::Parts};
use http_body::Body;
use tower_service::Service;

use super::{JsonBody, head, plan::Plan};

/// What one layer does with JSON.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// The concern, by its feature name.
    concern: &'static str,
    pub(super) plan: Arc<Plan>,
    /// The rules in words.
    words: String,
    /// Whether other answers are refused.
    pub(crate) json_only: bool,
    pub(crate) decisions: Decisions,
}

impl Policy {
    pub(crate) fn new(concern: &'static str, plan: Plan, words: String) -> Arc<Self> {
        let decisions = Decisions::default();
        Arc::new(Self { concern, plan: Arc::new(plan), words, json_only: false, decisions })
    }
}

/// The service of layers that rewrite JSON, `json_body` and `mask`.
#[derive(Clone, Debug)]
pub struct Rewriting<S> {
    policy: Result<Arc<Policy>, &'static str>,
    inner: S,
}

impl<S> Rewriting<S> {
    /// `inner` behind a policy, or behind the name of a concern that is off.
    pub(crate) fn new(policy: Result<Arc<Policy>, &'static str>, inner: S) -> Self {
        Self { policy, inner }
    }
}

impl<S, B, AB> Service<Request<B>> for Rewriting<S>
where
    S: Service<Request<B>, Response = Response<AB>>,
    AB: AnswerBody + Body<Data = Bytes>,
    AB::Error: Into<BoxError>,
{
    type Response = Response<JsonBody<AB>>;
    type Error = S::Error;
    type Future = RewritingFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Ok(policy) = &self.policy else {
            return RewritingFuture { future: self.inner.call(request), waiting: None };
        };
        let asked = Asked::of_request(&request);
        let waiting =
            Waiting { policy: Arc::clone(policy), asked, is_head: request.method() == Method::HEAD };
        head::ask_for_plain_and_whole(request.headers_mut());
        RewritingFuture { future: self.inner.call(request), waiting: Some(waiting) }
    }
}

impl<S: Explain> Explain for Rewriting<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        say.push(match &self.policy {
            Ok(policy) => {
                let why = format!("in JSON answers: {}", policy.words);
                Explanation::new(policy.concern, Verdict::Pass, why)
            }
            Err(concern) => Explanation::new(concern, Verdict::Skip, "no rules"),
        });
        self.inner.explain(head, say);
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Rewriting`].
    #[derive(Debug)]
    pub struct RewritingFuture<F> {
        #[pin]
        future: F,
        waiting: Option<Waiting>,
    }
}

#[derive(Debug)]
struct Waiting {
    policy: Arc<Policy>,
    asked: Asked,
    is_head: bool,
}

impl Waiting {
    fn rewrite<AB>(&self, mut response: Response<AB>) -> Result<Response<JsonBody<AB>>, Refusal>
    where
        AB: Body<Data = Bytes>,
    {
        let decisions = &self.policy.decisions;
        // What a layer inside refused is the gateway's own word and has no fields of the upstream.
        let is_ours = response.extensions().get::<Refusal>().is_some();
        let is_empty = response.body().is_end_stream() || self.is_head;
        let form = match head::form_of(response.status(), response.headers(), self.policy.json_only) {
            _ if is_ours => None,
            // Nothing can slip out of it.
            Err(_) if is_empty => None,
            form => form?,
        };
        let Some(form) = form.filter(|_| self.is_head || !is_empty) else {
            decisions.count(Verdict::Skip);
            return Ok(response.map(JsonBody::unchanged));
        };
        decisions.count(Verdict::Pass);
        forget_length_and_digests(response.headers_mut());
        Ok(response.map(|body| match self.is_head {
            true => JsonBody::unchanged(body),
            false => JsonBody::rewritten(body, &self.policy, form),
        }))
    }
}

impl<F, AB, E> Future for RewritingFuture<F>
where
    F: Future<Output = Result<Response<AB>, E>>,
    AB: AnswerBody + Body<Data = Bytes>,
    AB::Error: Into<BoxError>,
{
    type Output = Result<Response<JsonBody<AB>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.future.poll(cx))?;
        let Some(waiting) = this.waiting else {
            return Poll::Ready(Ok(response.map(JsonBody::unchanged)));
        };
        Poll::Ready(Ok(waiting.rewrite(response).unwrap_or_else(|refusal| {
            waiting.policy.decisions.count(Verdict::Refuse);
            refusal.into_response(&waiting.asked).map(JsonBody::unchanged)
        })))
    }
}
