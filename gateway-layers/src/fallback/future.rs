use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gateway_core::{
    Body, BoxError, Facts, Failure, Refusal,
    error::refusal_for,
    facts::RequestId,
    oneshot::Oneshot,
    replay::{Head, Lost, Replay},
};
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, PROXY_AUTHORIZATION},
};
use http_body::Body as HttpBody;
use tower_service::Service;

use super::{
    Credentials, Reason,
    layer::{Plan, With},
    reason::Trouble,
};

pin_project_lite::pin_project! {
    /// The future of [`Fallback`](super::Fallback).
    pub struct FallbackFuture<Fut, F, E>
    where
        F: Service<Request<Body>>,
    {
        #[pin]
        stage: Stage<Fut, F>,
        plan: Option<Arc<Plan<F>>>,
        facts: Option<Facts>,
        kept: Option<Kept>,
        // What is answered if the other service fails, too.
        failed: Option<(Result<Response<Body>, E>, Reason)>,
    }
}

pin_project_lite::pin_project! {
    #[project = StageProjection]
    enum Stage<Fut, F>
    where
        F: Service<Request<Body>>,
    {
        First { #[pin] future: Fut },
        Other { #[pin] call: Oneshot<F, Request<Body>> },
    }
}

/// What the other service needs.
pub(super) struct Kept {
    pub(super) head: Head,
    pub(super) replay: Replay,
}

impl<Fut, F, E> FallbackFuture<Fut, F, E>
where
    F: Service<Request<Body>>,
{
    /// A call whose failure is passed on.
    pub(super) fn once(future: Fut) -> Self {
        Self { stage: Stage::First { future }, plan: None, facts: None, kept: None, failed: None }
    }

    pub(super) fn new(future: Fut, plan: Arc<Plan<F>>, facts: Option<Facts>, kept: Option<Kept>) -> Self {
        Self { stage: Stage::First { future }, plan: Some(plan), facts, kept, failed: None }
    }
}

impl<Fut, F, AB, FB, E> Future for FallbackFuture<Fut, F, E>
where
    Fut: Future<Output = Result<Response<AB>, E>>,
    F: Service<Request<Body>, Response = Response<FB>> + Clone,
    E: Failure,
    AB: HttpBody<Data = Bytes> + Send + 'static,
    AB::Error: Into<BoxError>,
    FB: HttpBody<Data = Bytes> + Send + 'static,
    FB::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let (outcome, kept) = match this.stage.as_mut().project() {
                StageProjection::First { future } => {
                    let outcome = ready!(future.poll(cx)).map(|response| response.map(Body::new));
                    // Let go of whatever way this goes on: the answer's body may live for hours.
                    (outcome, this.kept.take())
                }
                StageProjection::Other { call } => {
                    let answer = ready!(call.poll(cx)).map(|response| response.map(Body::new));
                    let (failed, reason) =
                        this.failed.take().expect("the other service is asked after a failure");
                    let plan = this.plan.as_ref().expect("the other service is asked by a plan");
                    let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
                    return Poll::Ready(match answer {
                        Ok(answer) if plan.is_good(&answer) => {
                            tell(this.facts.as_ref(), &failed, "a failure was answered by the fallback");
                            Ok(plan.marked(answer, reason))
                        }
                        _ => {
                            tracing::info!(target: "gateway", status, "the fallback failed, too");
                            failed
                        }
                    });
                }
            };
            let Some(plan) = this.plan else { return Poll::Ready(outcome) };
            let Some(trouble) = plan.trigger.trouble(&outcome) else { return Poll::Ready(outcome) };
            let other = match &plan.with {
                With::Nothing => return Poll::Ready(outcome),
                With::Answer(instead) => {
                    tell(this.facts.as_ref(), &outcome, "a failure was answered by the fallback");
                    return Poll::Ready(Ok(plan.marked(instead.response(), trouble.reason)));
                }
                With::Service(other) => other.clone(),
            };
            let request = match kept.map(|kept| kept.request(trouble, plan.credentials)) {
                Some(Ok(request)) => request,
                not_sent => {
                    let why_not = not_sent
                        .and_then(Result::err)
                        .unwrap_or("no fallback: the request asked for an upgrade");
                    tell(this.facts.as_ref(), &outcome, why_not);
                    return Poll::Ready(outcome);
                }
            };
            *this.failed = Some((outcome, trouble.reason));
            this.stage.set(Stage::Other { call: Oneshot::new(other, request) });
        }
    }
}

/// What a client does not see is told here: the failure behind a fallback, or why there is none.
fn tell<E: Failure>(facts: Option<&Facts>, failed: &Result<Response<Body>, E>, what: &'static str) {
    let (status, cause) = match failed {
        Ok(answer) => {
            let refusal = answer.extensions().get::<Refusal>();
            (Some(answer.status().as_u16()), refusal.and_then(Refusal::cause).map(str::to_owned))
        }
        Err(error) => (None, refusal_for(error.as_error()).cause().map(str::to_owned)),
    };
    let request_id = facts.and_then(Facts::request_id).map(RequestId::as_str);
    tracing::info!(target: "gateway", request_id, status, cause, "{what}");
}

impl Kept {
    /// The request for the other service, if it does nothing twice and its body is whole.
    fn request(mut self, trouble: Trouble, credentials: Credentials) -> Result<Request<Body>, &'static str> {
        if !trouble.is_unsent && !self.head.method().is_idempotent() {
            return Err("no fallback: the request may have been processed already");
        }
        let body = self.replay.body().map_err(Lost::as_str)?;
        if credentials == Credentials::Remove {
            for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                self.head.headers_mut().remove(name);
            }
        }
        Ok(self.head.request(body))
    }
}

impl<F> Plan<F> {
    /// Whether this answer of the other service is better than the failure. One that asks for the credentials that it
    /// was not given is not: it would send clients away to log in.
    fn is_good(&self, answer: &Response<Body>) -> bool {
        let wants_credentials = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.status());
        let has_them = self.credentials == Credentials::Pass;
        self.trigger.answered(answer).is_none() && (has_them || !wants_credentials)
    }

    /// The answer with the words that say what it is.
    fn marked(&self, mut answer: Response<Body>, reason: Reason) -> Response<Body> {
        self.counts.count(reason);
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(mark) = &self.mark {
            answer.headers_mut().insert(mark.clone(), reason.word());
        }
        answer
    }
}

impl<Fut, F, E> fmt::Debug for FallbackFuture<Fut, F, E>
where
    F: Service<Request<Body>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackFuture").field("fell_back", &self.failed.is_some()).finish_non_exhaustive()
    }
}
