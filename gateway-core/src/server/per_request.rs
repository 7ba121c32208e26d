//! hyper's kind of service, made of tower's.

use std::net::SocketAddr;

use http::Request;
use hyper::body::Incoming;
use tower_service::Service;

use crate::{Clock, Facts, oneshot::Oneshot};

/// Gives every request of a connection its facts, and a clone of the service of its own.
#[derive(Clone, Debug)]
pub(super) struct PerRequest<S> {
    pub(super) service: S,
    pub(super) peer: SocketAddr,
    pub(super) clock: Clock,
}

impl<S> hyper::service::Service<Request<Incoming>> for PerRequest<S>
where
    S: Service<Request<Incoming>> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Oneshot<S, Request<Incoming>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        Facts::of(request.extensions_mut(), &self.clock).set_peer(self.peer);
        Oneshot::new(self.service.clone(), request)
    }
}
