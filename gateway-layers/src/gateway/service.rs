use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use gateway_core::{Body, Explanation, canonical::canonicalize, explain::Explain, phase};
use http::{Request, Response, request::Parts};
use tower_layer::Identity;
use tower_service::Service;

use super::Builder;

/// A complete gateway: a service for any hyper or axum server, whose error type is [`Infallible`]. Cloning it is
/// cheap.
#[derive(Clone, Debug)]
pub struct Gateway<S> {
    service: S,
}

impl Gateway<()> {
    /// Starts a gateway.
    pub fn builder() -> Builder<Identity, phase::Start> {
        Builder::new()
    }
}

impl<S> Gateway<S> {
    pub(crate) fn new(service: S) -> Self {
        Self { service }
    }
}

impl<S, B> Service<Request<B>> for Gateway<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        self.service.call(request)
    }
}

impl<S: Explain> Explain for Gateway<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        // What stands behind canonical sees the canonical head; one that has none is explained as it is.
        let mut canonical = head.clone();
        let head = if canonicalize(&mut canonical).is_ok() { &canonical } else { head };
        self.service.explain(head, say);
    }
}
