//! hyper's kind of service, made of tower's.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tower_service::Service;

use super::{
    origin::Origin,
    patience::{Activity, Exchange},
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
}

impl<S, B> hyper::service::Service<Request<Incoming>> for PerRequest<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
    B: Body,
{
    type Response = Response<Guarded<B, Held<Exchange>>>;
    type Error = S::Error;
    type Future = Answering<Oneshot<S, Request<Incoming>>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let exchange = self.activity.exchange();
        let facts = Facts::arrived_at(self.clock.now());
        self.origin.tell(&facts);
        request.extensions_mut().insert(facts);
        Answering { future: Oneshot::new(self.service.clone(), request), exchange: Some(exchange) }
    }
}

pin_project_lite::pin_project! {
    /// Hands the exchange over to the body of the answer.
    pub(super) struct Answering<F> {
        #[pin]
        future: F,
        exchange: Option<Exchange>,
    }
}

impl<F, B, E> Future for Answering<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<Guarded<B, Held<Exchange>>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.future.poll(cx))?;
        let exchange = this.exchange.take().expect("a future is not polled after its end");
        Poll::Ready(Ok(response.map(|body| Guarded::new(body, Held(exchange)))))
    }
}
