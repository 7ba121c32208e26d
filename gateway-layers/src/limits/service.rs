use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use gateway_core::{Explanation, Refusal, Verdict, body::AnswerBody, explain::Explain, refusal::Asked};
use http::{HeaderValue, Request, Response, Version, header::CONNECTION, request::Parts};
use http_body::Body;
use tower_service::Service;

use super::{LimitedBody, layer::Bounds};

/// The service of [`LimitsLayer`](super::LimitsLayer).
#[derive(Clone, Debug)]
pub struct Limits<S> {
    bounds: Option<Arc<Bounds>>,
    inner: S,
}

impl<S> Limits<S> {
    pub(super) fn new(bounds: Option<Arc<Bounds>>, inner: S) -> Self {
        Self { bounds, inner }
    }
}

impl<S, B, AB> Service<Request<B>> for Limits<S>
where
    S: Service<Request<LimitedBody<B>>, Response = Response<AB>>,
    B: Body,
    AB: AnswerBody,
{
    type Response = Response<AB>;
    type Error = S::Error;
    type Future = LimitsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        if let Some(bounds) = &self.bounds {
            let checked = bounds.sizes.check(&head, body.size_hint().lower());
            bounds.decisions.count(if checked.is_ok() { Verdict::Pass } else { Verdict::Refuse });
            if let Err(refusal) = checked {
                let refusal = closing(refusal, head.version, &body);
                return LimitsFuture {
                    kind: Kind::Refused { answer: Some(Box::new((refusal, Asked::of(&head)))) },
                };
            }
        }
        let body = LimitedBody::new(body, self.bounds.as_ref());
        LimitsFuture { kind: Kind::Passed { future: self.inner.call(Request::from_parts(head, body)) } }
    }
}

/// Nobody will read the rest of this body, so an HTTP/1 connection cannot be used again, and its client should know
/// (RFC 9112, 9.6). HTTP/2 ends the one stream.
fn closing<B: Body>(refusal: Refusal, version: Version, body: &B) -> Refusal {
    if version > Version::HTTP_11 || body.is_end_stream() {
        return refusal;
    }
    refusal.header(CONNECTION, HeaderValue::from_static("close"))
}

impl<S: Explain> Explain for Limits<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        say.push(match self.bounds.as_ref().map(|bounds| bounds.sizes.check(head, 0)) {
            None => Explanation::new("limits", Verdict::Skip, "no limits"),
            Some(Ok(())) => Explanation::new("limits", Verdict::Pass, "the head is within the limits"),
            Some(Err(refusal)) => Explanation::new("limits", Verdict::Refuse, refusal.to_string()),
        });
        self.inner.explain(head, say);
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Limits`].
    #[derive(Debug)]
    pub struct LimitsFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project_lite::pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<F> {
        Passed { #[pin] future: F },
        Refused { answer: Option<Box<(Refusal, Asked)>> },
    }
}

impl<F, AB, E> Future for LimitsFuture<F>
where
    F: Future<Output = Result<Response<AB>, E>>,
    AB: AnswerBody,
{
    type Output = Result<Response<AB>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Passed { future } => future.poll(cx),
            KindProjection::Refused { answer } => {
                let (refusal, asked) = *answer.take().expect("a future is not polled after it is ready");
                Poll::Ready(Ok(refusal.into_response(&asked)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use gateway_core::{
        Body, BoxError, RescueLayer, UpstreamError,
        error::{ErrorKind, refusal_for},
        meter::Meter,
        testing::{MemoryServer, channel, contract},
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::limits::LimitsLayer;

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::check(LimitsLayer::default()).await;
        contract::check(LimitsLayer::off()).await;
    }

    #[tokio::test]
    async fn a_body_that_is_surely_too_long_is_refused_before_anything_is_called() {
        let meter = Meter::default();
        let never = service_fn(|_: Request<LimitedBody<Body>>| async {
            Err::<Response<Body>, _>(BoxError::from("it was called"))
        });
        let layer = LimitsLayer::default().body(5).meter(&meter, "orders");
        let mut request = Request::new(Body::from("123456"));
        let answer = layer.layer(never).oneshot(request).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[CONNECTION]),
            (413, &"close".parse().unwrap())
        );
        let counted = "gateway_decisions_total{layer=\"limits\",place=\"orders\",verdict=\"refuse\"} 1";
        assert!(meter.render().contains(counted), "{}", meter.render());

        request = Request::new(Body::from("123456"));
        *request.version_mut() = Version::HTTP_2;
        let answer = layer.layer(never).oneshot(request).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers().get(CONNECTION)), (413, None));
    }

    #[tokio::test]
    async fn a_refusal_without_a_body_to_read_keeps_the_connection() {
        let request = Request::get("/too/long").body(Body::empty()).unwrap();
        let answer = LimitsLayer::off().target(5).layer(service_fn(collect)).oneshot(request).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers().get(CONNECTION)), (414, None));
    }

    #[tokio::test(start_paused = true)]
    async fn what_breaks_off_inside_is_answered_by_rescue() {
        let layer = LimitsLayer::default().body(5);
        let service = RescueLayer::default().layer(layer.layer(service_fn(collect)));
        let (sender, body) = channel();
        tokio::spawn(async move { sender.data("123456").await });
        assert_eq!(service.clone().oneshot(Request::new(body)).await.unwrap().status(), 413);
        let (_sender, body) = channel();
        assert_eq!(service.oneshot(Request::new(body)).await.unwrap().status(), 408);
    }

    #[tokio::test]
    async fn bare_in_axum_a_head_gets_413_and_a_body_that_breaks_off_gets_400() {
        let extractor = axum::routing::post(async |body: Bytes| body.len().to_string());
        let by_hand = axum::routing::post(async |body: axum::body::Body| {
            let broken = axum::body::to_bytes(body, 1 << 20).await.unwrap_err();
            (refusal_for(&broken).status(), "")
        });
        let router = axum::Router::new().route("/", extractor).route("/by-hand", by_hand);
        let router = router.layer(LimitsLayer::default().body(5));
        let status = async |path: &str, body: axum::body::Body| {
            let request = Request::post(path).body(body).unwrap();
            router.clone().oneshot(request).await.unwrap().status().as_u16()
        };
        let streamed = || {
            let (sender, body) = channel();
            tokio::spawn(async move { sender.data("123456").await });
            axum::body::Body::new(body)
        };
        assert_eq!(status("/", "12345".into()).await, 200);
        assert_eq!(status("/", "123456".into()).await, 413);
        assert_eq!(status("/", streamed()).await, 400);
        assert_eq!(status("/by-hand", streamed()).await, 413);
    }

    #[tokio::test]
    async fn a_refused_upload_is_not_asked_for() {
        let service = RescueLayer::default().layer(LimitsLayer::default().body(5).layer(service_fn(collect)));
        let mut connection = MemoryServer::new(service).raw();
        let head = "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 6\r\n\r\n";
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("connection: close"), "{answer}");
    }

    #[test]
    fn says_what_it_would_do() {
        struct End;
        impl Explain for End {
            fn explain(&self, _: &Parts, _: &mut Vec<Explanation>) {}
        }
        let said = |layer: LimitsLayer| {
            let (head, ()) = Request::get("/orders").body(()).unwrap().into_parts();
            let mut say = Vec::new();
            layer.layer(End).explain(&head, &mut say);
            say.remove(0).verdict
        };
        assert_eq!(said(LimitsLayer::off()), Verdict::Skip);
        assert_eq!(said(LimitsLayer::default()), Verdict::Pass);
        assert_eq!(said(LimitsLayer::default().target(6)), Verdict::Refuse);
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_time_there_is_overflows_nothing() {
        let layer = LimitsLayer::off().body_idle(Duration::MAX);
        let (sender, body) = channel();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            sender.data("12345").await
        });
        assert_eq!(layer.layer(service_fn(collect)).oneshot(Request::new(body)).await.unwrap().status(), 200);
    }

    async fn collect<B>(request: Request<LimitedBody<B>>) -> Result<Response<Body>, UpstreamError>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        match Body::collect_limited(request.into_body(), 1 << 20).await {
            Ok(bytes) => Ok(Response::new(bytes.into())),
            Err(error) => Err(UpstreamError::because(ErrorKind::RequestBody, error)),
        }
    }
}
