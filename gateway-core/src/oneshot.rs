//! [`Oneshot`]: wait until a service is ready, then call it, without a box.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tower_service::Service;

pin_project_lite::pin_project! {
    /// One call of one service, which it owns: its readiness is awaited first.
    pub struct Oneshot<S: Service<R>, R> {
        #[pin]
        state: State<S, R>,
    }
}

impl<S: Service<R>, R> Oneshot<S, R> {
    /// Will call `service` with `request` once it is ready.
    pub fn new(service: S, request: R) -> Self {
        Self { state: State::Waiting { service, request: Some(request) } }
    }
}

pin_project_lite::pin_project! {
    #[project = StateProjection]
    enum State<S: Service<R>, R> {
        Waiting { service: S, request: Option<R> },
        Called { #[pin] future: S::Future },
    }
}

impl<S: Service<R>, R> Future for Oneshot<S, R> {
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Waiting { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let request = request.take().expect("a waiting call holds its request");
                    let future = service.call(request);
                    state.set(State::Called { future });
                }
                StateProjection::Called { future } => return future.poll(cx),
            }
        }
    }
}

impl<S: Service<R>, R> fmt::Debug for Oneshot<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oneshot").finish_non_exhaustive()
    }
}
