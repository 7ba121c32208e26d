//! [`Watch`]: something that follows a request from its arrival to the last byte of its answer.
//!
//! An access log and metrics want the same: see the head of the answer, count its bytes, and be told once how it all
//! ended, also when the client leaves before there is an answer. A [`Watch`] is a [`Guard`] that also sees the head.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;

use crate::{End, Guard, Guarded};

/// What follows a request to its end.
pub trait Watch: Guard {
    /// The head of the answer is there. Not called for a request that fails or is dropped before.
    fn head<B>(&mut self, response: &Response<B>);
}

impl<W: Watch> Watch for Option<W> {
    fn head<B>(&mut self, response: &Response<B>) {
        if let Some(watch) = self {
            watch.head(response);
        }
    }
}

pin_project_lite::pin_project! {
    /// Makes a service's future tell a [`Watch`] what becomes of its request.
    #[derive(Debug)]
    pub struct WatchFuture<F, W: Watch> {
        #[pin]
        future: F,
        watch: Option<W>,
    }

    impl<F, W: Watch> PinnedDrop for WatchFuture<F, W> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(watch) = this.project().watch.take() {
                watch.end(End::Dropped);
            }
        }
    }
}

impl<F, W: Watch> WatchFuture<F, W> {
    /// `watch` follows what `future` answers.
    pub fn new(future: F, watch: W) -> Self {
        Self { future, watch: Some(watch) }
    }
}

impl<F, B, E, W> Future for WatchFuture<F, W>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    W: Watch,
{
    type Output = Result<Response<Guarded<B, W>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.future.poll(cx));
        let mut watch = this.watch.take().expect("a future is not polled after it is ready");
        Poll::Ready(match outcome {
            Ok(response) => {
                watch.head(&response);
                Ok(response.map(|body| Guarded::new(body, watch)))
            }
            Err(error) => {
                watch.end(End::Failed);
                Err(error)
            }
        })
    }
}
