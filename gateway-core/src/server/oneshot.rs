//! hyper's kind of service, made of tower's.

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Request;
use hyper::body::Incoming;
use tower_service::Service;

use crate::{Clock, Facts};

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
    type Future = Oneshot<S>;

    fn call(&self, mut request: Request<Incoming>) -> Oneshot<S> {
        Facts::of(request.extensions_mut(), &self.clock).set_peer(self.peer);
        let waiting = Some((self.service.clone(), request));
        Oneshot { state: State::Waiting { waiting } }
    }
}

pin_project_lite::pin_project! {
    /// Waits until a service is ready, then calls it, without a box.
    pub(super) struct Oneshot<S: Service<Request<Incoming>>> {
        #[pin]
        state: State<S>,
    }
}

pin_project_lite::pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Request<Incoming>>> {
        Waiting { waiting: Option<(S, Request<Incoming>)> },
        Called { #[pin] future: S::Future },
    }
}

impl<S: Service<Request<Incoming>>> Future for Oneshot<S> {
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Waiting { waiting } => {
                    let (service, _) = waiting.as_mut().expect("a waiting call holds its service");
                    ready!(service.poll_ready(cx))?;
                    let (mut service, request) = waiting.take().expect("a waiting call holds its service");
                    let future = service.call(request);
                    state.set(State::Called { future });
                }
                StateProjection::Called { future } => return future.poll(cx),
            }
        }
    }
}
