//! hyper's kind of service, made of tower's.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tower_service::Service;

use super::{
    length,
    origin::Origin,
    patience::{Activity, Exchange},
    tunnels::{Expected, Tunnels},
};
use crate::{
    Clock, Facts,
    guard::{Guarded, Held},
    oneshot::Oneshot,
};

/// Gives every request of a connection its facts and a clone of the service of its own, and tells the connection
/// when it is answered.
#[derive(Clone, Debug)]
pub(super) struct PerRequest<S> {
    pub(super) service: S,
    pub(super) origin: Origin,
    pub(super) clock: Clock,
    pub(super) activity: Activity,
    pub(super) tunnels: Tunnels,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for PerRequest<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    B: Body + Send + 'static,
{
    type Response = Response<AnswerBody<B>>;
    type Error = S::Error;
    type Future = Answering<Oneshot<S, Request<Incoming>>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let exchange = self.activity.exchange();
        let facts = Facts::arrived_at(self.clock.now());
        self.origin.tell(&facts);
        request.extensions_mut().insert(facts);
        let is_head = request.method() == Method::HEAD;
        let expected = self.tunnels.expect(&mut request);
        let future = Oneshot::new(self.service.clone(), request);
        Answering { future, exchange: Some(exchange), expected, is_head }
    }
}

pin_project_lite::pin_project! {
    /// Hands the exchange over to the body of the answer, and the body of a tunnel to those who keep it.
    pub(super) struct Answering<F> {
        #[pin]
        future: F,
        exchange: Option<Exchange>,
        expected: Option<Expected>,
        is_head: bool,
    }
}

impl<F, B, E> Future for Answering<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body + Send + 'static,
{
    type Output = Result<Response<AnswerBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.future.poll(cx))?;
        let (status, body) = (response.status(), response.body().size_hint().exact());
        length::state(response.headers_mut(), status, *this.is_head, body);
        let exchange = this.exchange.take().expect("a future is not polled after its end");
        let response = response.map(|body| Guarded::new(body, Held(exchange)));
        let Some(expected) = this.expected.take() else {
            return Poll::Ready(Ok(response.map(|body| AnswerBody { body: Some(body) })));
        };
        let mut response = response.map(Some);
        expected.look(&mut response);
        Poll::Ready(Ok(response.map(|body| AnswerBody { body })))
    }
}

pin_project_lite::pin_project! {
    /// The body of an answer, unless it drives a tunnel elsewhere.
    pub(super) struct AnswerBody<B: Body> {
        #[pin]
        body: Option<Guarded<B, Held<Exchange>>>,
    }
}

impl<B: Body> Body for AnswerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().body.as_pin_mut() {
            Some(body) => body.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
