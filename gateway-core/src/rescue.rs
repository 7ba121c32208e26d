//! The outermost layer: whatever goes wrong inside becomes one answer, and one request is all it costs.
//!
//! [`RescueLayer`] turns errors into 502, 503, 504 or 500 ([`refusal_for`]), a panic in
//! any layer into a 500 for that request alone, and its own error type is [`Infallible`]. A response body that
//! panics breaks off. It is also the one place to restyle every refusal that any layer made.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tower_service::Service;

use crate::{
    Body, BoxError, Explanation, Refusal, error::refusal_for, explain::Explain, facts::Facts, refusal::Asked,
};

/// The answer for a refusal, as the owner of a gateway wants it to look.
pub type Style = dyn Fn(&Refusal, &Asked) -> Response<Body> + Send + Sync;

/// Makes a stack infallible. Stands outermost.
#[derive(Clone, Default)]
pub struct RescueLayer {
    style: Option<Arc<Style>>,
}

impl RescueLayer {
    /// Renders every refusal of every layer by this function. The status, body and headers of its answer
    /// replace the layer's own; headers that the layers set and the style does not are kept.
    #[must_use]
    pub fn style(
        mut self,
        style: impl Fn(&Refusal, &Asked) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        self.style = Some(Arc::new(style));
        self
    }
}

impl fmt::Debug for RescueLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RescueLayer").field("style", &self.style.is_some()).finish()
    }
}

impl<S> tower_layer::Layer<S> for RescueLayer {
    type Service = Rescue<S>;

    fn layer(&self, inner: S) -> Rescue<S> {
        Rescue { inner, style: self.style.clone(), broken: None }
    }
}

/// The service of [`RescueLayer`].
pub struct Rescue<S> {
    inner: S,
    style: Option<Arc<Style>>,
    /// Why `poll_ready` failed; the next call answers with it.
    broken: Option<Refusal>,
}

impl<S: Clone> Clone for Rescue<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), style: self.style.clone(), broken: None }
    }
}

impl<S: fmt::Debug> fmt::Debug for Rescue<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rescue").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, B, AB> Service<Request<B>> for Rescue<S>
where
    S: Service<Request<B>, Response = Response<AB>>,
    S::Error: Into<BoxError>,
    AB: HttpBody<Data = Bytes> + Send + 'static,
    AB::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = RescueFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.broken.is_none() {
            let inner = &mut self.inner;
            self.broken = match catch_unwind(AssertUnwindSafe(|| inner.poll_ready(cx))) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(()))) => None,
                Ok(Poll::Ready(Err(error))) => Some(refusal_of(error)),
                Err(panic) => Some(panicked(&*panic)),
            };
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let asked = Asked::of(&head);
        let facts = Facts::get(&head.extensions).cloned();
        let kind = match self.broken.take() {
            Some(refusal) => Kind::Broken { refusal: Some(refusal) },
            None => {
                let request = Request::from_parts(head, body);
                let inner = &mut self.inner;
                match catch_unwind(AssertUnwindSafe(|| inner.call(request))) {
                    Ok(future) => Kind::Called { future },
                    Err(panic) => Kind::Broken { refusal: Some(panicked(&*panic)) },
                }
            }
        };
        RescueFuture { kind, asked, facts, style: self.style.clone() }
    }
}

impl<S: Explain> Explain for Rescue<S> {
    fn explain(&self, head: &http::request::Parts, say: &mut Vec<Explanation>) {
        self.inner.explain(head, say);
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Rescue`].
    pub struct RescueFuture<F> {
        #[pin]
        kind: Kind<F>,
        asked: Asked,
        facts: Option<Facts>,
        style: Option<Arc<Style>>,
    }
}

pin_project_lite::pin_project! {
    #[project = KindProjection]
    enum Kind<F> {
        Called { #[pin] future: F },
        Broken { refusal: Option<Refusal> },
    }
}

impl<F> fmt::Debug for RescueFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RescueFuture").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl<F, AB, E> Future for RescueFuture<F>
where
    F: Future<Output = Result<Response<AB>, E>>,
    E: Into<BoxError>,
    AB: HttpBody<Data = Bytes> + Send + 'static,
    AB::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = match this.kind.project() {
            KindProjection::Called { future } => match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(response))) => Ok(response.map(Body::new)),
                Ok(Poll::Ready(Err(error))) => Err(refusal_of(error)),
                Err(panic) => Err(panicked(&*panic)),
            },
            KindProjection::Broken { refusal } => {
                Err(refusal.take().expect("a future is not polled after it is ready"))
            }
        };
        let asked = || {
            let id = this.facts.as_ref().and_then(Facts::request_id);
            this.asked.clone().with_request_id(id.or(this.asked.request_id()))
        };
        let mut response = outcome.unwrap_or_else(|refusal| refusal.into_response(&asked()));
        if let Some(style) = this.style
            && let Some(refusal) = response.extensions().get::<Refusal>().cloned()
        {
            let (styled, body) = style(&refusal, &asked()).into_parts();
            response.headers_mut().remove(http::header::CONTENT_TYPE);
            response.headers_mut().remove(http::header::CONTENT_LENGTH);
            for (name, value) in &styled.headers {
                response.headers_mut().insert(name, value.clone());
            }
            *response.status_mut() = styled.status;
            *response.body_mut() = body;
        }
        Poll::Ready(Ok(response))
    }
}

fn refusal_of(error: impl Into<BoxError>) -> Refusal {
    let error: BoxError = error.into();
    let error: &(dyn Error + 'static) = &*error;
    refusal_for(error)
}

/// The refusal for a caught panic; its message is for the log alone.
fn panicked(panic: &(dyn std::any::Any + Send)) -> Refusal {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(target: "gateway", message, "a layer panicked; the request got a 500");
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "the request failed inside the gateway")
        .because(format!("panic: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{UpstreamError, error::ErrorKind};
    use tower::{ServiceExt, service_fn};
    use tower_layer::Layer;

    fn get() -> Request<Body> {
        Request::new(Body::empty())
    }

    #[tokio::test]
    async fn a_failure_becomes_the_answer_that_names_it() {
        let failing = service_fn(|_: Request<Body>| async {
            Err::<Response<Body>, _>(UpstreamError::new(ErrorKind::Timeout))
        });
        let response = RescueLayer::default().layer(failing).oneshot(get()).await.unwrap();
        assert_eq!(response.status(), 504);
        assert_eq!(response.extensions().get::<Refusal>().unwrap().code(), "upstream_timeout");
    }

    #[tokio::test]
    async fn a_panic_costs_one_request_a_500() {
        let service = service_fn(|request: Request<Body>| async move {
            assert!(request.uri() != "/panic", "boom");
            Ok::<_, BoxError>(Response::new(Body::empty()))
        });
        let service = RescueLayer::default().layer(service);
        let panicking = Request::get("/panic").body(Body::empty()).unwrap();
        assert_eq!(service.clone().oneshot(panicking).await.unwrap().status(), 500);
        assert_eq!(service.oneshot(get()).await.unwrap().status(), 200);
    }

    #[tokio::test]
    async fn one_hook_restyles_refusals_and_leaves_answers_alone() {
        let refusing = service_fn(|request: Request<Body>| async move {
            if request.uri() == "/ok" {
                return Ok::<_, BoxError>(Response::new(Body::from("ok")));
            }
            let (head, _) = request.into_parts();
            Ok(Refusal::new(StatusCode::FORBIDDEN, "no", "no").into_response(&Asked::of(&head)))
        });
        let layer = RescueLayer::default()
            .style(|refusal, _| Response::builder().status(418).body(Body::from(refusal.code())).unwrap());
        let service = layer.layer(refusing);
        let ok = Request::get("/ok").body(Body::empty()).unwrap();
        assert_eq!(service.clone().oneshot(ok).await.unwrap().status(), 200);
        let styled = service.oneshot(get()).await.unwrap();
        assert_eq!(styled.status(), 418);
        assert_eq!(Body::collect_limited(styled.into_body(), 9).await.unwrap(), "no");
    }
}
