//! [`Guarded`]: a body with something that lives until its last byte.
//!
//! A permit, a gauge, a log line: what belongs to a request must be let go when the response *body* ended, not
//! when its head was there. [`Guarded`] tells its [`Guard`] how many bytes passed and how the body ended, once,
//! whether it was read to its end, broke off, or was dropped because the client left.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All of it passed.
    Complete,
    /// The body itself broke off with an error.
    Failed,
    /// Nobody wanted the rest: the client left, or the server gave up.
    Dropped,
}

impl End {
    /// The same, seen by the client: an answer to `HEAD` is complete without its body, which no server takes.
    #[must_use]
    pub fn of_answer_to(self, method: &http::Method) -> Self {
        match self {
            Self::Dropped if method == http::Method::HEAD => Self::Complete,
            end => end,
        }
    }

    /// The word in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// What lives as long as a body.
pub trait Guard {
    /// This many bytes passed.
    fn data(&mut self, bytes: usize) {
        let _ = bytes;
    }

    /// The body ended, after `data` was told of all bytes that passed.
    fn end(self, end: End);

    /// Whether it is there only by its type, so that nothing is lost without it.
    fn is_absent(&self) -> bool {
        false
    }
}

/// A guard that may be absent.
impl<G: Guard> Guard for Option<G> {
    fn data(&mut self, bytes: usize) {
        if let Some(guard) = self {
            guard.data(bytes);
        }
    }

    fn end(self, end: End) {
        if let Some(guard) = self {
            guard.end(end);
        }
    }

    fn is_absent(&self) -> bool {
        self.as_ref().is_none_or(Guard::is_absent)
    }
}

/// A permit that only has to be held until the body ends.
impl<T> Guard for Held<T> {
    fn end(self, _: End) {}
}

/// Holds a value until the body ends; the value's drop does the rest.
#[derive(Debug)]
pub struct Held<T>(pub T);

pin_project_lite::pin_project! {
    /// A body with a [`Guard`]. Frames, trailers and the size hint pass through unchanged.
    #[derive(Debug)]
    pub struct Guarded<B, G>
    where
        B: Body,
        G: Guard,
    {
        #[pin]
        body: B,
        // Behind the body: a permit is not given back before what the body held is gone.
        guard: Armed<G>,
    }

    impl<B, G> PinnedDrop for Guarded<B, G>
    where
        B: Body,
        G: Guard,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // A server stops polling once Content-Length is reached, so the end may never be polled.
            if this.body.is_end_stream() {
                this.guard.end = End::Complete;
            }
        }
    }
}

/// A guard that is told of the end when it is dropped, if it was not told before.
#[derive(Debug)]
struct Armed<G: Guard> {
    guard: Option<G>,
    end: End,
}

impl<G: Guard> Armed<G> {
    fn new(guard: Option<G>) -> Self {
        Self { guard, end: End::Dropped }
    }

    fn end(&mut self, end: End) {
        if let Some(guard) = self.guard.take() {
            guard.end(end);
        }
    }
}

impl<G: Guard> Drop for Armed<G> {
    fn drop(&mut self) {
        self.end(self.end);
    }
}

impl<B: Body, G: Guard> Guarded<B, G> {
    /// `guard` lives until `body` ends.
    pub fn new(body: B, guard: G) -> Self {
        Self { body, guard: Armed::new(Some(guard)) }
    }

    /// The body alone, if nothing guards it; an empty one stays behind.
    pub(crate) fn take_unguarded(&mut self) -> Option<B>
    where
        B: From<Bytes>,
    {
        self.guard.guard.is_absent().then(|| std::mem::replace(&mut self.body, Bytes::new().into()))
    }
}

/// A body that a layer outside made itself; nothing waits for its end.
impl<B: Body + From<Bytes>, G: Guard> From<Bytes> for Guarded<B, G> {
    fn from(bytes: Bytes) -> Self {
        Self { body: bytes.into(), guard: Armed::new(None) }
    }
}

impl<B: Body, G: Guard> Body for Guarded<B, G> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(data), Some(guard)) = (frame.data_ref(), this.guard.guard.as_mut()) {
                    guard.data(data.remaining());
                }
            }
            Some(Err(_)) => this.guard.end(End::Failed),
            None => this.guard.end(End::Complete),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<(usize, Vec<End>)>>);

    impl Guard for Log {
        fn data(&mut self, bytes: usize) {
            self.0.lock().unwrap().0 += bytes;
        }
        fn end(self, end: End) {
            self.0.lock().unwrap().1.push(end);
        }
    }

    #[tokio::test]
    async fn the_guard_ends_once_with_the_body() {
        let log = Log::default();
        let body = Guarded::new(crate::Body::from("hello"), log.clone());
        crate::Body::collect_limited(body, 10).await.unwrap();
        assert_eq!(*log.0.lock().unwrap(), (5, vec![End::Complete]));
    }

    #[test]
    fn what_a_body_holds_is_gone_before_the_guard_is_told() {
        struct Holding(Arc<Mutex<Vec<&'static str>>>);
        impl Body for Holding {
            type Data = Bytes;
            type Error = std::convert::Infallible;
            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
                Poll::Pending
            }
        }
        impl Drop for Holding {
            fn drop(&mut self) {
                self.0.lock().unwrap().push("body");
            }
        }
        struct Told(Arc<Mutex<Vec<&'static str>>>);
        impl Guard for Told {
            fn end(self, _: End) {
                self.0.lock().unwrap().push("guard");
            }
        }
        let order = Arc::default();
        drop(Guarded::new(Holding(Arc::clone(&order)), Told(Arc::clone(&order))));
        assert_eq!(*order.lock().unwrap(), ["body", "guard"]);
    }

    #[test]
    fn a_dropped_body_tells_whether_anything_was_missing() {
        let (unread, empty) = (Log::default(), Log::default());
        drop(Guarded::new(crate::Body::from("hello"), unread.clone()));
        drop(Guarded::new(crate::Body::empty(), empty.clone()));
        assert_eq!(unread.0.lock().unwrap().1, [End::Dropped]);
        assert_eq!(empty.0.lock().unwrap().1, [End::Complete]);
    }
}
