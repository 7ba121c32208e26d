use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use tokio::sync::mpsc;

use crate::{Body, BoxError};

/// A body and the hand that fills it. One frame waits at most.
#[must_use]
pub fn channel() -> (BodySender, Body) {
    let (sender, frames) = mpsc::channel(1);
    let dropped = Arc::new(AtomicBool::new(false));
    let body = ChannelBody { frames, dropped: Dropped(Arc::clone(&dropped)) };
    (BodySender { sender, dropped }, Body::new(body))
}

/// The hand that fills a body made by [`channel`]; dropping it ends the body.
#[derive(Debug)]
pub struct BodySender {
    sender: mpsc::Sender<Result<Frame<Bytes>, BoxError>>,
    dropped: Arc<AtomicBool>,
}

impl BodySender {
    /// Sends bytes. `false` if nobody wants them any more.
    pub async fn data(&self, data: &'static str) -> bool {
        self.frame(Ok(Frame::data(Bytes::from_static(data.as_bytes())))).await
    }

    /// Sends trailers.
    pub async fn trailers(&self, trailers: HeaderMap) -> bool {
        self.frame(Ok(Frame::trailers(trailers))).await
    }

    /// Breaks the body off.
    pub async fn fail(&self, error: impl Into<BoxError>) -> bool {
        self.frame(Err(error.into())).await
    }

    /// Whether the body was dropped.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::SeqCst)
    }

    async fn frame(&self, frame: Result<Frame<Bytes>, BoxError>) -> bool {
        self.sender.send(frame).await.is_ok()
    }
}

struct ChannelBody {
    frames: mpsc::Receiver<Result<Frame<Bytes>, BoxError>>,
    #[expect(dead_code, reason = "it speaks when it is dropped")]
    dropped: Dropped,
}

struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl HttpBody for ChannelBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.frames.poll_recv(cx)
    }
}
