use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use arc_swap::ArcSwap;
use gateway_core::{Body, Explanation, explain::Explain, oneshot::Oneshot};
use http::{Request, Response, request::Parts};
use tower_service::Service;

use super::DeclaredGateway;

/// The service of whatever document is in force. Clones follow it together.
///
/// A request is served to its end by the graph that was in force when it arrived; the next one, also on the same
/// connection, meets the next graph. Looking the graph up waits for nothing.
#[derive(Clone)]
pub struct Live(Arc<ArcSwap<DeclaredGateway>>);

impl Live {
    pub(super) fn new(gateway: DeclaredGateway) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(gateway)))
    }

    /// From now on this serves. The graph before goes with its last request.
    pub(super) fn swap(&self, gateway: DeclaredGateway) {
        self.0.store(Arc::new(gateway));
    }
}

impl<B> Service<Request<B>> for Live
where
    DeclaredGateway: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Oneshot<DeclaredGateway, Request<B>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Oneshot::new(DeclaredGateway::clone(&self.0.load()), request)
    }
}

impl Explain for Live {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        self.0.load().explain(head, say);
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}
