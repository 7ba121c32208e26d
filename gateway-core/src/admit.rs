//! [`Admit`]: look at the head of a request, then pass it on or refuse it.
//!
//! Most concerns of a gateway are of this shape, so they share one service and one future: a concern writes a
//! rule, [`Admitted`] does the tower part. A list of rules is a rule again; a declared gateway runs all of a
//! route's rules from one slice.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, request::Parts};
use tower_service::Service;

use crate::{Explanation, Refusal, body::AnswerBody, refusal::Asked};

/// A rule about request heads. It never sees a body and never waits.
pub trait Admit: Send + Sync {
    /// Passes the request, changed as the rule wishes, or refuses it. What the answer should carry, whoever
    /// makes it, goes into `stamp`.
    ///
    /// # Errors
    /// The refusal that the client gets.
    fn admit(&self, head: &mut Parts, stamp: &mut Stamp) -> Result<(), Refusal>;

    /// Says what [`admit`](Self::admit) would do, by the same decision and without any side effect.
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>);
}

/// Headers that an admitted or refused request leaves for its answer. Empty stamps cost nothing; the first
/// header costs one allocation.
#[derive(Debug, Default)]
pub struct Stamp(Vec<(HeaderName, HeaderValue)>);

impl Stamp {
    /// The answer will carry this header once, in place of any that the service behind set.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.push((name, value));
    }

    /// Writes the headers.
    pub fn apply(self, headers: &mut HeaderMap) {
        for (name, value) in self.0 {
            headers.insert(name, value);
        }
    }
}

impl<A: Admit + ?Sized> Admit for Arc<A> {
    fn admit(&self, head: &mut Parts, stamp: &mut Stamp) -> Result<(), Refusal> {
        (**self).admit(head, stamp)
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        (**self).explain(head, say);
    }
}

/// All of them in order; the first refusal ends it.
impl<A: Admit> Admit for [A] {
    fn admit(&self, head: &mut Parts, stamp: &mut Stamp) -> Result<(), Refusal> {
        self.iter().try_for_each(|rule| rule.admit(head, stamp))
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        self.iter().for_each(|rule| rule.explain(head, say));
    }
}

/// Puts a rule, or a list of rules, in front of a service.
///
/// Concerns have layers of their own that end in this; use it for a rule of your own:
///
/// ```
/// use gateway_core::{Admit, Explanation, Refusal, Stamp, Verdict, admit::AdmitLayer};
/// use http::{StatusCode, request::Parts};
///
/// struct Closed;
///
/// impl Admit for Closed {
///     fn admit(&self, _: &mut Parts, _: &mut Stamp) -> Result<(), Refusal> {
///         Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "closed", "back at nine"))
///     }
///     fn explain(&self, _: &Parts, say: &mut Vec<Explanation>) {
///         say.push(Explanation::new("closed", Verdict::Refuse, "it is night"));
///     }
/// }
///
/// let layer = AdmitLayer::new(Closed);
/// # let _ = layer;
/// ```
pub struct AdmitLayer<A: ?Sized>(Arc<A>);

impl<A: Admit> AdmitLayer<A> {
    /// A layer of this rule. Services made by it, and by its clones, share the rule.
    pub fn new(rule: A) -> Self {
        Self(Arc::new(rule))
    }
}

impl<A: ?Sized> From<Arc<A>> for AdmitLayer<A> {
    fn from(rule: Arc<A>) -> Self {
        Self(rule)
    }
}

impl<A: ?Sized> Clone for AdmitLayer<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A: ?Sized> fmt::Debug for AdmitLayer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmitLayer").finish_non_exhaustive()
    }
}

impl<A: ?Sized, S> tower_layer::Layer<S> for AdmitLayer<A> {
    type Service = Admitted<A, S>;

    fn layer(&self, inner: S) -> Admitted<A, S> {
        Admitted { rule: Arc::clone(&self.0), inner }
    }
}

/// A service behind an [`Admit`] rule. Passing a request on allocates nothing and boxes nothing.
pub struct Admitted<A: ?Sized, S> {
    rule: Arc<A>,
    inner: S,
}

impl<A: ?Sized, S> Admitted<A, S> {
    /// `inner` behind `rule`.
    pub fn new(rule: Arc<A>, inner: S) -> Self {
        Self { rule, inner }
    }
}

impl<A: ?Sized, S: Clone> Clone for Admitted<A, S> {
    fn clone(&self) -> Self {
        Self { rule: Arc::clone(&self.rule), inner: self.inner.clone() }
    }
}

impl<A: ?Sized, S: fmt::Debug> fmt::Debug for Admitted<A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<A, S, B, AB> Service<Request<B>> for Admitted<A, S>
where
    A: Admit + ?Sized,
    S: Service<Request<B>, Response = Response<AB>>,
    AB: AnswerBody,
{
    type Response = Response<AB>;
    type Error = S::Error;
    type Future = AdmittedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let mut stamp = Stamp::default();
        match self.rule.admit(&mut head, &mut stamp) {
            Ok(()) => {
                let future = self.inner.call(Request::from_parts(head, body));
                AdmittedFuture { kind: Kind::Admitted { future, stamp } }
            }
            Err(refusal) => {
                let answer = Box::new((refusal, Asked::of(&head), stamp));
                AdmittedFuture { kind: Kind::Refused { answer: Some(answer) } }
            }
        }
    }
}

impl<A: Admit + ?Sized, S: crate::explain::Explain> crate::explain::Explain for Admitted<A, S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        self.rule.explain(head, say);
        self.inner.explain(head, say);
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Admitted`].
    #[derive(Debug)]
    pub struct AdmittedFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project_lite::pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<F> {
        Admitted { #[pin] future: F, stamp: Stamp },
        Refused { answer: Option<Box<(Refusal, Asked, Stamp)>> },
    }
}

impl<F, AB, E> Future for AdmittedFuture<F>
where
    F: Future<Output = Result<Response<AB>, E>>,
    AB: AnswerBody,
{
    type Output = Result<Response<AB>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Admitted { future, stamp } => {
                let mut response = ready!(future.poll(cx))?;
                if !stamp.0.is_empty() {
                    std::mem::take(stamp).apply(response.headers_mut());
                }
                Poll::Ready(Ok(response))
            }
            KindProjection::Refused { answer } => {
                let (refusal, asked, stamp) =
                    *answer.take().expect("a future is not polled after it is ready");
                let mut response = refusal.into_response(&asked);
                stamp.apply(response.headers_mut());
                Poll::Ready(Ok(response))
            }
        }
    }
}
