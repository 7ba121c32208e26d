//! [`IntoBody`]: bodies that meet at a seam, without a box where a layer added nothing.
//!
//! A layer that may hold something until a body ends wraps every body in its own type, also where it holds nothing
//! this time. A stack that is declared at run time is full of such layers. [`SeamLayer`] turns what comes out of it
//! into the one [`Body`]: wrappers that hold nothing are taken off, and one that holds something is boxed, once, with
//! all that is in it.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body as HttpBody;
use tower_service::Service;

use crate::{Body, BoxError, Explanation, Guard, Guarded, explain::Explain};

/// A response body that becomes a [`Body`].
pub trait IntoBody {
    /// The body itself, or the one that it wraps if it adds nothing to it; else a box around it.
    fn into_body(self) -> Body;
}

impl IntoBody for Body {
    fn into_body(self) -> Body {
        self
    }
}

impl<B, G> IntoBody for Guarded<B, G>
where
    B: IntoBody + HttpBody<Data = Bytes, Error: Into<BoxError>> + From<Bytes> + Send + 'static,
    G: Guard + Send + 'static,
{
    fn into_body(mut self) -> Body {
        match self.take_unguarded() {
            Some(body) => body.into_body(),
            None => Body::new(self),
        }
    }
}

/// Turns the response body of a stack into [`Body`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SeamLayer;

impl<S> tower_layer::Layer<S> for SeamLayer {
    type Service = Seam<S>;

    fn layer(&self, inner: S) -> Seam<S> {
        Seam { inner }
    }
}

/// The service of [`SeamLayer`].
#[derive(Clone, Copy, Debug)]
pub struct Seam<S> {
    inner: S,
}

impl<S, B, AB> Service<Request<B>> for Seam<S>
where
    S: Service<Request<B>, Response = Response<AB>>,
    AB: IntoBody,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = SeamFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        SeamFuture { future: self.inner.call(request) }
    }
}

impl<S: Explain> Explain for Seam<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        self.inner.explain(head, say);
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Seam`].
    #[derive(Debug)]
    pub struct SeamFuture<F> {
        #[pin]
        future: F,
    }
}

impl<F, AB, E> Future for SeamFuture<F>
where
    F: Future<Output = Result<Response<AB>, E>>,
    AB: IntoBody,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().future.poll(cx))?;
        Poll::Ready(Ok(response.map(IntoBody::into_body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Held;

    #[test]
    fn a_wrapper_that_holds_nothing_is_taken_off_and_one_that_does_is_boxed_once() {
        let none = || None::<Held<u8>>;
        let plain = Guarded::new(Guarded::new(Body::from("x"), none()), none());
        let found = allocation_counter::measure(|| drop(plain.into_body()));
        assert_eq!(found.count_total, 0);
        let held = Guarded::new(Guarded::new(Body::from("x"), Some(Held(7))), none());
        let found = allocation_counter::measure(|| drop(held.into_body()));
        assert_eq!(found.count_total, 1);
    }
}
