//! [`Body`]: the one body type that stands at seams.
//!
//! Layers are generic over the body. A concrete type is needed only where services of different types meet: at
//! the route table, at the edge and at the leaf. There a body becomes a [`Body`]. Bodies that no layer changed
//! keep their own variant, so the way through costs no allocation; everything else is boxed once.

use std::{
    any::Any,
    error::Error,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

/// An error of any type, as tower and hyper pass it on.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A request or response body at a seam: empty, whole, straight from a connection, or boxed.
///
/// Implements [`http_body::Body`] with [`Bytes`] and [`BoxError`]. Trailers pass through untouched. A boxed body
/// that panics breaks off with an error, so that it costs one transfer and not a worker.
#[derive(Default)]
pub struct Body {
    kind: Kind,
    /// Told of every frame, so that the forwarder knows that an upload moves.
    #[cfg(feature = "client")]
    progress: Option<std::sync::Arc<crate::client::Progress>>,
}

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Full(Bytes),
    #[cfg(any(feature = "client", feature = "server"))]
    Incoming(hyper::body::Incoming),
    #[cfg(feature = "client")]
    Upstream(Box<crate::client::ResponseBody>),
    Replay(crate::replay::ReplayBody),
    Boxed(Pin<Box<dyn HttpBody<Data = Bytes, Error = BoxError> + Send>>),
}

impl Body {
    /// A body without bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Takes any body. A [`Body`] stays itself, one that has already ended becomes empty, hyper's incoming body
    /// keeps its own variant; the rest costs one allocation.
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        if body.is_end_stream() {
            return Self::empty();
        }
        let body = match downcast::<B, Self>(body) {
            Ok(body) => return body,
            Err(body) => body,
        };
        #[cfg(any(feature = "client", feature = "server"))]
        let body = match downcast::<B, hyper::body::Incoming>(body) {
            Ok(body) => return Kind::Incoming(body).into(),
            Err(body) => body,
        };
        Kind::Boxed(Box::pin(ErrorsBoxed { body })).into()
    }

    /// The body of an upstream's answer.
    #[cfg(feature = "client")]
    pub(crate) fn from_upstream(body: Box<crate::client::ResponseBody>) -> Self {
        Kind::Upstream(body).into()
    }

    /// The same body, whose frames are reported to `progress`.
    #[cfg(feature = "client")]
    pub(crate) fn reporting_to(mut self, progress: std::sync::Arc<crate::client::Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// The reading of a body that can be given again, if it is one.
    pub(crate) fn into_replayed(mut self) -> Result<crate::replay::ReplayBody, Self> {
        match std::mem::take(&mut self.kind) {
            Kind::Replay(body) => Ok(body),
            kind => {
                self.kind = kind;
                Err(self)
            }
        }
    }

    /// Reads the whole body into memory, at most `max` bytes of it. Trailers are dropped.
    ///
    /// # Errors
    /// [`CollectError::TooLarge`] as soon as the body is known to be longer than `max`, without reading on;
    /// [`CollectError::Failed`] when the body breaks off.
    pub async fn collect_limited<B>(body: B, max: usize) -> Result<Bytes, CollectError>
    where
        B: HttpBody,
        B::Error: Into<BoxError>,
    {
        let mut body = std::pin::pin!(body);
        if body.size_hint().lower() > max as u64 {
            return Err(CollectError::TooLarge { max });
        }
        let mut whole = BytesMut::new();
        while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            let frame = frame.map_err(|error| CollectError::Failed(error.into()))?;
            if let Ok(mut data) = frame.into_data() {
                if data.remaining() > max - whole.len() {
                    return Err(CollectError::TooLarge { max });
                }
                whole.extend_from_slice(&data.copy_to_bytes(data.remaining()));
            }
        }
        Ok(whole.freeze())
    }
}

impl Kind {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Empty => Poll::Ready(None),
            Self::Full(_) => match std::mem::take(self) {
                Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                _ => Poll::Ready(None),
            },
            #[cfg(any(feature = "client", feature = "server"))]
            Self::Incoming(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            #[cfg(feature = "client")]
            Self::Upstream(body) => Pin::new(body).poll_frame(cx),
            Self::Replay(body) => body.poll_frame(cx),
            Self::Boxed(body) => match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll_frame(cx))) {
                Ok(poll) => poll,
                Err(_) => {
                    // Never polled again: whatever panicked may be half-way through a change.
                    *self = Self::Empty;
                    Poll::Ready(Some(Err("a response body panicked".into())))
                }
            },
        }
    }
}

impl From<Kind> for Body {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            #[cfg(feature = "client")]
            progress: None,
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = self.kind.poll_frame(cx);
        #[cfg(feature = "client")]
        if let (Poll::Ready(_), Some(progress)) = (&frame, &self.progress) {
            progress.moved();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Full(bytes) => bytes.is_empty(),
            #[cfg(any(feature = "client", feature = "server"))]
            Kind::Incoming(body) => body.is_end_stream(),
            #[cfg(feature = "client")]
            Kind::Upstream(body) => body.is_end_stream(),
            Kind::Replay(body) => body.is_end_stream(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            #[cfg(any(feature = "client", feature = "server"))]
            Kind::Incoming(body) => body.size_hint(),
            #[cfg(feature = "client")]
            Kind::Upstream(body) => body.size_hint(),
            Kind::Replay(body) => body.size_hint(),
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::empty() } else { Kind::Full(bytes).into() }
    }
}

impl From<crate::replay::ReplayBody> for Body {
    fn from(body: crate::replay::ReplayBody) -> Self {
        Kind::Replay(body).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Empty => "empty",
            Kind::Full(_) => "full",
            #[cfg(any(feature = "client", feature = "server"))]
            Kind::Incoming(_) => "incoming",
            #[cfg(feature = "client")]
            Kind::Upstream(_) => "upstream",
            Kind::Replay(_) => "replay",
            Kind::Boxed(_) => "boxed",
        };
        f.debug_tuple("Body").field(&kind).finish()
    }
}

/// A response body that a layer can make itself, to refuse a request.
///
/// Every body that can be made of [`Bytes`] is one: [`Body`], axum's body, `http_body_util::Full<Bytes>`. It is
/// the only thing that a refusing layer asks of the service it wraps.
#[diagnostic::on_unimplemented(
    message = "a layer that can refuse needs a response body that can be made from `Bytes`, and `{Self}` cannot",
    label = "this response body has no `From<Bytes>`",
    note = "put `gateway_core::body::BoxedBodyLayer` between the two layers: it turns the body into `gateway_core::Body`"
)]
pub trait AnswerBody: Sized {
    /// The body that holds these bytes and nothing else.
    fn whole(bytes: Bytes) -> Self;
}

impl<B: From<Bytes>> AnswerBody for B {
    fn whole(bytes: Bytes) -> Self {
        bytes.into()
    }
}

/// Why [`Body::collect_limited`] gave up.
#[derive(Debug)]
pub enum CollectError {
    /// The body is longer than the limit.
    TooLarge {
        /// The limit, in bytes.
        max: usize,
    },
    /// The body broke off; the cause as the body told it.
    Failed(BoxError),
}

impl fmt::Display for CollectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { max } => write!(f, "the body is longer than {max} bytes"),
            Self::Failed(_) => f.write_str("the body broke off"),
        }
    }
}

impl Error for CollectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::TooLarge { .. } => None,
            Self::Failed(cause) => Some(&**cause),
        }
    }
}

/// Turns the response body of the wrapped service into [`Body`]; for foreign layers whose body is their own type.
#[derive(Clone, Copy, Debug, Default)]
pub struct BoxedBodyLayer;

impl<S> tower_layer::Layer<S> for BoxedBodyLayer {
    type Service = BoxedBody<S>;

    fn layer(&self, inner: S) -> BoxedBody<S> {
        BoxedBody { inner }
    }
}

/// The service of [`BoxedBodyLayer`].
#[derive(Clone, Copy, Debug)]
pub struct BoxedBody<S> {
    inner: S,
}

impl<S, Request, B> tower_service::Service<Request> for BoxedBody<S>
where
    S: tower_service::Service<Request, Response = http::Response<B>>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxedBodyFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        BoxedBodyFuture { future: self.inner.call(request) }
    }
}

pin_project_lite::pin_project! {
    /// The future of [`BoxedBody`].
    #[derive(Debug)]
    pub struct BoxedBodyFuture<F> {
        #[pin]
        future: F,
    }
}

impl<F, B, E> Future for BoxedBodyFuture<F>
where
    F: Future<Output = Result<http::Response<B>, E>>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<http::Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().future.poll(cx))?;
        Poll::Ready(Ok(response.map(Body::new)))
    }
}

pin_project_lite::pin_project! {
    struct ErrorsBoxed<B> {
        #[pin]
        body: B,
    }
}

impl<B> HttpBody for ErrorsBoxed<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.project().body.poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Removes what no longer holds once a body was changed: its length, its validators and digests, and the promise
/// of byte ranges (RFC 9110 sections 8.6, 8.8.3, 14.3; RFC 9530).
pub fn forget_length_and_digests(headers: &mut HeaderMap) {
    use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, ETAG};
    for name in [CONTENT_LENGTH, ETAG, ACCEPT_RANGES] {
        headers.remove(name);
    }
    for name in ["content-md5", "digest", "repr-digest", "content-digest"] {
        headers.remove(name);
    }
}

fn downcast<From: 'static, To: 'static>(value: From) -> Result<To, From> {
    let mut value = Some(value);
    match (&mut value as &mut dyn Any).downcast_mut::<Option<To>>().and_then(Option::take) {
        Some(value) => Ok(value),
        None => Err(value.expect("nothing was taken from a value of another type")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn collects_up_to_the_limit_and_not_a_byte_more() {
        let body = || Body::from("12345");
        assert_eq!(Body::collect_limited(body(), 5).await.unwrap(), "12345");
        assert!(matches!(Body::collect_limited(body(), 4).await, Err(CollectError::TooLarge { max: 4 })));
    }

    #[test]
    fn a_body_is_never_boxed_twice_and_an_ended_one_never() {
        assert!(matches!(Body::new(Body::from("x")).kind, Kind::Full(_)));
        assert!(matches!(Body::new(http_body_util::Empty::new()).kind, Kind::Empty));
        assert!(matches!(Body::new(http_body_util::Full::new(Bytes::from("x"))).kind, Kind::Boxed(_)));
    }
}
