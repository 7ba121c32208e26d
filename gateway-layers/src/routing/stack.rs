use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gateway_core::{Body, BoxError, Explanation, Verdict, explain::Explain, oneshot::Oneshot};
use http::{Request, Response, request::Parts};
use http_body::Body as HttpBody;
use tower_service::Service;

/// The service behind a rule, of any type: the one boxed seam of a gateway. Cloning it is cheap.
///
/// A call costs one allocation: the future, which also waits until the service is ready.
#[derive(Clone)]
pub struct Stack(Arc<dyn Seam>);

/// The future of a [`Stack`].
pub type StackFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

impl Stack {
    /// Any service; [`explain`](Explain::explain) can only say that it is there.
    pub fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Arc::new(Opaque(service)))
    }

    /// A service that can say what it would do.
    pub fn explained<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Explain + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Arc::new(Explained(service)))
    }

    /// Calls the service, as soon as it is ready.
    #[must_use]
    pub fn call(&self, request: Request<Body>) -> StackFuture {
        self.0.call(request)
    }
}

impl Explain for Stack {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        self.0.explain(head, say);
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").finish_non_exhaustive()
    }
}

trait Seam: Explain + Send + Sync {
    fn call(&self, request: Request<Body>) -> StackFuture;
}

struct Opaque<S>(S);

struct Explained<S>(S);

impl<S> Explain for Opaque<S> {
    fn explain(&self, _: &Parts, say: &mut Vec<Explanation>) {
        say.push(Explanation::new("stack", Verdict::Skip, "a service that does not explain itself"));
    }
}

impl<S: Explain> Explain for Explained<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        self.0.explain(head, say);
    }
}

macro_rules! seam {
    ($($seam:ident: $($bound:ident)?;)+) => {$(
        impl<S, B> Seam for $seam<S>
        where
            S: Service<Request<Body>, Response = Response<B>> + $($bound +)? Clone + Send + Sync + 'static,
            S::Error: Into<BoxError>,
            S::Future: Send,
            B: HttpBody<Data = Bytes> + Send + 'static,
            B::Error: Into<BoxError>,
        {
            fn call(&self, request: Request<Body>) -> StackFuture {
                Box::pin(Answer { answer: Oneshot::new(self.0.clone(), request) })
            }
        }
    )+};
}

seam! {
    Opaque: ;
    Explained: Explain;
}

pin_project_lite::pin_project! {
    /// Not an `async` block: that would hold the call twice, and move it.
    struct Answer<S: Service<Request<Body>>> {
        #[pin]
        answer: Oneshot<S, Request<Body>>,
    }
}

impl<S, B> Future for Answer<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.project().answer.poll(cx));
        Poll::Ready(answer.map(|response| response.map(Body::new)).map_err(Into::into))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        mem,
        task::{Context, Poll},
    };

    use gateway_core::testing::{Inner, contract};
    use tower::layer::layer_fn;

    use super::*;

    /// Every call through a seam of its own. A seam itself has no readiness; this one asks the service behind it.
    #[derive(Clone)]
    struct ThroughASeam(Inner);

    impl Service<Request<Body>> for ThroughASeam {
        type Response = Response<Body>;
        type Error = BoxError;
        type Future = StackFuture;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Service::<Request<Body>>::poll_ready(&mut self.0, cx)
        }

        fn call(&mut self, request: Request<Body>) -> StackFuture {
            let next = self.0.clone();
            Stack::new(mem::replace(&mut self.0, next)).call(request)
        }
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::check(layer_fn(ThroughASeam)).await;
    }
}
