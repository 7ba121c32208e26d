//! What is measured, and what all cases share.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

use gateway_layers::core::{Body, Clock, Facts};
use http::{HeaderValue, Request, Response};
use tower::Service;

use crate::{ours, theirs};

/// One thing that is measured.
pub struct Case {
    pub name: &'static str,
    /// The case that is taken away.
    pub leaf: Option<&'static str>,
    pub make: fn() -> Box<dyn FnMut()>,
}

/// Ours first, theirs behind.
pub fn all() -> Vec<Case> {
    ours::cases().into_iter().chain(theirs::cases()).collect()
}

/// Answers at once and allocates nothing.
#[derive(Clone, Copy)]
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
pub fn request() -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = http::Uri::from_static("/orders/7");
    let headers = request.headers_mut();
    headers.insert("host", HeaderValue::from_static("example.com"));
    headers.insert("user-agent", HeaderValue::from_static("bench"));
    headers.insert("accept", HeaderValue::from_static("*/*"));
    headers.insert("x-api-key", HeaderValue::from_static("key-1"));
    let facts = Facts::of(request.extensions_mut(), &Clock::default());
    facts.set_peer(([127, 0, 0, 1], 4000).into());
    facts.set_client_addr([127, 0, 0, 1].into());
    request
}

/// Calls a service with a request from `make`, again and again, and drops its answers.
pub fn calling<S, R, A>(mut service: S, make: impl Fn() -> R + 'static) -> Box<dyn FnMut()>
where
    S: Service<R, Response = A> + 'static,
    S::Error: std::fmt::Debug,
{
    Box::new(move || {
        let mut cx = Context::from_waker(Waker::noop());
        while service.poll_ready(&mut cx).is_pending() {}
        let mut answer = pin!(service.call(make()));
        // What does not answer at once is asked again; the work is the same.
        let answer = loop {
            if let Poll::Ready(answer) = answer.as_mut().poll(&mut cx) {
                break answer;
            }
        };
        drop(answer.expect("the layer passes the request on"));
    })
}
