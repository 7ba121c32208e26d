//! What the benches share: a leaf that answers at once, and a request that carries facts.

pub mod binary;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use gateway_layers::core::{Body, Clock, Facts};
use http::{Request, Response};
use tower::Service;

/// Answers at once and allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct Leaf;

impl<B> Service<Request<B>> for Leaf {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::new(Body::empty())))
    }
}

/// A request as it comes from our server.
#[must_use]
pub fn request() -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = http::Uri::from_static("/svc7/orders");
    let headers = request.headers_mut();
    headers.insert("host", http::HeaderValue::from_static("example.com"));
    headers.insert("user-agent", http::HeaderValue::from_static("bench"));
    headers.insert("accept", http::HeaderValue::from_static("*/*"));
    headers.insert("x-api-key", http::HeaderValue::from_static("key-1"));
    let facts = Facts::of(request.extensions_mut(), &Clock::default());
    facts.set_peer(([127, 0, 0, 1], 4000).into());
    facts.set_client_addr([127, 0, 0, 1].into());
    request
}

/// One call of a service that answers at once, its answer dropped.
///
/// # Panics
/// If the service is not ready or does not answer at once.
pub fn call<S, B>(service: &mut S, request: Request<Body>)
where
    S: Service<Request<Body>, Response = Response<B>>,
{
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready(), "the service is ready");
    assert!(pin!(service.call(request)).poll(&mut cx).is_ready(), "the service answers at once");
}
