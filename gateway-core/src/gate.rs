//! [`Gate`]: a rule about a request's head that may have to wait.
//!
//! An [`Admit`] rule decides at once. Some rules cannot: a token names a key that has to be fetched, a limit is kept in
//! a store on another machine. A [`Gate`] decides at once where it can, and says what it waits for where it must; one
//! service does the waiting for all of them. Passing without waiting allocates nothing.

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response, request::Parts};
use tower_service::Service;

use crate::{Admit, Explanation, Refusal, Stamp, body::AnswerBody, explain::Explain, refusal::Asked};

/// A rule about request heads that may wait. Every [`Admit`] rule is one that never does.
pub trait Gate: Send + Sync {
    /// Passes the request, changed as the rule wishes, or refuses it, or says what has to be known first.
    ///
    /// What is waited for is dropped when the client leaves. It ends by itself at the request's
    /// [deadline](crate::Facts::deadline) at the latest.
    fn enter(&self, head: &mut Parts, stamp: &mut Stamp) -> Entry;

    /// Says what [`enter`](Self::enter) would do, by the same decision, without any side effect and without waiting.
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>);
}

/// What a [`Gate`] says to a request.
pub enum Entry {
    /// It goes on.
    Pass,
    /// It is answered with this.
    Refuse(Refusal),
    /// This has to be waited for; what comes of it decides.
    Wait(Pin<Box<dyn Future<Output = Resume> + Send>>),
}

/// The rest of a decision, once what it waited for is there.
pub type Resume = Box<dyn FnOnce(&mut Parts, &mut Stamp) -> Entry + Send>;

impl Entry {
    /// Waits for `pending`, then decides by `resume`.
    pub fn wait<F>(
        pending: F,
        resume: impl FnOnce(F::Output, &mut Parts, &mut Stamp) -> Self + Send + 'static,
    ) -> Self
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        Self::Wait(Box::pin(async move {
            let found = pending.await;
            Box::new(move |head: &mut Parts, stamp: &mut Stamp| resume(found, head, stamp)) as Resume
        }))
    }

    /// The same decision, followed by another where it passes.
    fn and_then(self, head: &mut Parts, stamp: &mut Stamp, next: impl Next) -> Self {
        match self {
            Self::Pass => next(head, stamp),
            Self::Refuse(refusal) => Self::Refuse(refusal),
            Self::Wait(pending) => {
                Self::wait(pending, |resume, head, stamp| resume(head, stamp).and_then(head, stamp, next))
            }
        }
    }
}

trait Next: FnOnce(&mut Parts, &mut Stamp) -> Entry + Send + 'static {}

impl<F: FnOnce(&mut Parts, &mut Stamp) -> Entry + Send + 'static> Next for F {}

impl From<Result<(), Refusal>> for Entry {
    fn from(decision: Result<(), Refusal>) -> Self {
        match decision {
            Ok(()) => Self::Pass,
            Err(refusal) => Self::Refuse(refusal),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("Pass"),
            Self::Refuse(refusal) => f.debug_tuple("Refuse").field(refusal).finish(),
            Self::Wait(_) => f.write_str("Wait"),
        }
    }
}

impl<A: Admit + ?Sized> Gate for A {
    fn enter(&self, head: &mut Parts, stamp: &mut Stamp) -> Entry {
        self.admit(head, stamp).into()
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        Admit::explain(self, head, say);
    }
}

/// Gates in a row: a request passes the next one when it passed the one before. One gate is a row of one.
#[derive(Clone, Default)]
pub struct Gates(Arc<[Arc<dyn Gate>]>);

impl Gates {
    fn enter_from(&self, first: usize, head: &mut Parts, stamp: &mut Stamp) -> Entry {
        for (index, gate) in self.0.iter().enumerate().skip(first) {
            match gate.enter(head, stamp) {
                Entry::Pass => {}
                Entry::Refuse(refusal) => return Entry::Refuse(refusal),
                wait => {
                    let rest = self.clone();
                    let next =
                        move |head: &mut Parts, stamp: &mut Stamp| rest.enter_from(index + 1, head, stamp);
                    return wait.and_then(head, stamp, next);
                }
            }
        }
        Entry::Pass
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        self.0.iter().for_each(|gate| gate.explain(head, say));
    }
}

impl FromIterator<Arc<dyn Gate>> for Gates {
    fn from_iter<I: IntoIterator<Item = Arc<dyn Gate>>>(gates: I) -> Self {
        Self(gates.into_iter().collect())
    }
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gates").field("count", &self.0.len()).finish()
    }
}

/// Puts gates in front of a service.
#[derive(Clone, Debug, Default)]
pub struct GateLayer(Gates);

impl GateLayer {
    /// A layer of this gate. Services made by it, and by its clones, share it.
    pub fn new(gate: impl Gate + 'static) -> Self {
        Self([Arc::new(gate) as Arc<dyn Gate>].into_iter().collect())
    }
}

impl From<Gates> for GateLayer {
    fn from(gates: Gates) -> Self {
        Self(gates)
    }
}

impl<S> tower_layer::Layer<S> for GateLayer {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { gates: self.0.clone(), inner }
    }
}

/// A service behind [`Gates`].
#[derive(Clone, Debug)]
pub struct Gated<S> {
    gates: Gates,
    inner: S,
}

impl<S, B, AB> Service<Request<B>> for Gated<S>
where
    S: Service<Request<B>, Response = Response<AB>> + Clone,
    AB: AnswerBody,
{
    type Response = Response<AB>;
    type Error = S::Error;
    type Future = GatedFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let mut stamp = Stamp::default();
        let state = match self.gates.enter_from(0, &mut head, &mut stamp) {
            Entry::Pass => State::Entered { future: self.inner.call(Request::from_parts(head, body)) },
            Entry::Refuse(refusal) => State::refused(refusal, &head),
            Entry::Wait(pending) => {
                let next = self.inner.clone();
                let service = mem::replace(&mut self.inner, next);
                let waiting = Box::new(Waiting { pending, service, head, body });
                State::Waiting { waiting: Some(waiting) }
            }
        };
        GatedFuture { state, stamp }
    }
}

impl<S: Explain> Explain for Gated<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        self.gates.explain(head, say);
        self.inner.explain(head, say);
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Gated`].
    pub struct GatedFuture<S: Service<Request<B>>, B> {
        #[pin]
        state: State<S, B>,
        stamp: Stamp,
    }
}

pin_project_lite::pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Request<B>>, B> {
        Waiting { waiting: Option<Box<Waiting<S, B>>> },
        Entered { #[pin] future: S::Future },
        Refused { answer: Option<Box<(Refusal, Asked)>> },
    }
}

/// A request in front of a gate, and the service that was made ready for it.
struct Waiting<S, B> {
    pending: Pin<Box<dyn Future<Output = Resume> + Send>>,
    service: S,
    head: Parts,
    body: B,
}

impl<S: Service<Request<B>>, B> State<S, B> {
    fn refused(refusal: Refusal, head: &Parts) -> Self {
        Self::Refused { answer: Some(Box::new((refusal, Asked::of(head)))) }
    }
}

impl<S, B, AB> Future for GatedFuture<S, B>
where
    S: Service<Request<B>, Response = Response<AB>>,
    AB: AnswerBody,
{
    type Output = Result<Response<AB>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Entered { future } => {
                    let mut response = ready!(future.poll(cx))?;
                    mem::take(this.stamp).apply(response.headers_mut());
                    return Poll::Ready(Ok(response));
                }
                StateProjection::Refused { answer } => {
                    let (refusal, asked) = *answer.take().expect("a future is not polled after it is ready");
                    let mut response = refusal.into_response(&asked);
                    mem::take(this.stamp).apply(response.headers_mut());
                    return Poll::Ready(Ok(response));
                }
                StateProjection::Waiting { waiting } => {
                    let request = waiting.as_mut().expect("a waiting request is there");
                    let resume = ready!(request.pending.as_mut().poll(cx));
                    let mut request = waiting.take().expect("a waiting request is there");
                    match resume(&mut request.head, this.stamp) {
                        Entry::Pass => {
                            let Waiting { mut service, head, body, .. } = *request;
                            State::Entered { future: service.call(Request::from_parts(head, body)) }
                        }
                        Entry::Refuse(refusal) => State::refused(refusal, &request.head),
                        Entry::Wait(pending) => {
                            request.pending = pending;
                            State::Waiting { waiting: Some(request) }
                        }
                    }
                }
            };
            this.state.set(next);
        }
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for GatedFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatedFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue, StatusCode};
    use tokio::sync::oneshot;
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::{Body, BoxError, Verdict};

    /// Waits for a word the first time, then decides by it; leaves a mark either way.
    struct Ask(std::sync::Mutex<Option<oneshot::Receiver<bool>>>);

    impl Gate for Ask {
        fn enter(&self, _: &mut Parts, stamp: &mut Stamp) -> Entry {
            stamp.set(HeaderName::from_static("x-asked"), HeaderValue::from_static("1"));
            let Some(word) = self.0.lock().unwrap().take() else { return Entry::Pass };
            Entry::wait(word, |word, head, _| {
                head.headers.insert("x-word", HeaderValue::from_static("heard"));
                match word {
                    Ok(true) => Entry::Pass,
                    _ => Entry::Refuse(Refusal::new(StatusCode::FORBIDDEN, "no", "no")),
                }
            })
        }

        fn explain(&self, _: &Parts, say: &mut Vec<Explanation>) {
            say.push(Explanation::new("ask", Verdict::Pass, "asks"));
        }
    }

    fn asking() -> (oneshot::Sender<bool>, Arc<dyn Gate>) {
        let (sender, word) = oneshot::channel();
        (sender, Arc::new(Ask(Some(word).into())))
    }

    async fn echo(request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let heard = request.headers().contains_key("x-word");
        Ok(Response::builder().header("x-heard", heard.to_string()).body(Body::empty())?)
    }

    #[tokio::test]
    async fn gates_are_passed_one_after_the_other_and_each_may_wait() {
        let ((first, gate), (second, other)) = (asking(), asking());
        let gates: Gates = [gate, other].into_iter().collect();
        let service = GateLayer::from(gates).layer(service_fn(echo));
        let answer = tokio::spawn(service.oneshot(Request::new(Body::empty())));
        first.send(true).unwrap();
        second.send(true).unwrap();
        let answer = answer.await.unwrap().unwrap();
        assert_eq!(answer.headers()["x-heard"], "true");
        assert_eq!(answer.headers()["x-asked"], "1");
    }

    #[tokio::test]
    async fn a_refusal_after_the_wait_is_the_answer_and_nothing_behind_is_asked() {
        let ((first, gate), (second, other)) = (asking(), asking());
        let gates: Gates = [gate, other].into_iter().collect();
        let service = GateLayer::from(gates).layer(service_fn(echo));
        first.send(false).unwrap();
        let answer = service.clone().oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(answer.status(), 403);
        assert_eq!(answer.headers()["x-asked"], "1");
        assert!(second.send(true).is_ok(), "the second gate was not asked");
        assert_eq!(service.oneshot(Request::new(Body::empty())).await.unwrap().status(), 200);
    }

    #[tokio::test]
    async fn keeps_the_contract_with_and_without_waiting() {
        struct Yield;
        impl Gate for Yield {
            fn enter(&self, _: &mut Parts, _: &mut Stamp) -> Entry {
                Entry::wait(tokio::task::yield_now(), |(), _, _| Entry::Pass)
            }
            fn explain(&self, _: &Parts, _: &mut Vec<Explanation>) {}
        }
        #[cfg(feature = "testing")]
        crate::testing::contract::check(GateLayer::new(Yield)).await;
        #[cfg(feature = "testing")]
        crate::testing::contract::check(GateLayer::default()).await;
        let service = GateLayer::new(Yield).layer(service_fn(echo));
        assert_eq!(service.oneshot(Request::new(Body::empty())).await.unwrap().status(), 200);
    }
}
