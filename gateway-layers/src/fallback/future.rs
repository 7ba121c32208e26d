use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gateway_core::{
    Body, BoxError, Facts, Failure,
    oneshot::Oneshot,
    replay::{Head, Replay},
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
    pub(super) fn new(future: Fut, plan: Option<Arc<Plan<F>>>, kept: Option<Kept>) -> Self {
        Self { stage: Stage::First { future }, plan, kept, failed: None }
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
                    return Poll::Ready(match answer {
                        Ok(answer) if plan.is_good(&answer) => Ok(plan.marked(answer, reason)),
                        _ => failed,
                    });
                }
            };
            let Some(plan) = this.plan else { return Poll::Ready(outcome) };
            let Some(trouble) = plan.trigger.trouble(&outcome) else { return Poll::Ready(outcome) };
            let other = match &plan.with {
                With::Nothing => return Poll::Ready(outcome),
                With::Answer(instead) => {
                    return Poll::Ready(Ok(plan.marked(instead.response(), trouble.reason)));
                }
                With::Service(other) => other.clone(),
            };
            let Some(request) = kept.and_then(|kept| kept.request(trouble, plan.credentials)) else {
                return Poll::Ready(outcome);
            };
            *this.failed = Some((outcome, trouble.reason));
            this.stage.set(Stage::Other { call: Oneshot::new(other, request) });
        }
    }
}

impl Kept {
    /// The request for the other service, if it does nothing twice and its body is whole.
    fn request(mut self, trouble: Trouble, credentials: Credentials) -> Option<Request<Body>> {
        let why_not = match self.replay.lost() {
            Some(lost) => lost.as_str(),
            None if !trouble.is_unsent && !self.head.method().is_idempotent() => {
                "it may have been processed already"
            }
            None => {
                let body = self.replay.body().ok()?;
                if credentials == Credentials::Remove {
                    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                        self.head.headers_mut().remove(name);
                    }
                }
                return Some(self.head.request(body));
            }
        };
        let id = self.head.facts().and_then(Facts::request_id);
        tracing::info!(
            target: "gateway",
            request_id = id.map_or("", |id| id.as_str()),
            method = %self.head.method(),
            why_not,
            "a failed request is not sent to the fallback",
        );
        None
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
