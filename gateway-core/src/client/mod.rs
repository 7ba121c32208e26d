//! To be written.
use bytes::Bytes;
use http_body::Frame;
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// To be written.
#[derive(Debug)]
pub struct ResponseBody(hyper::body::Incoming);

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = crate::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, crate::BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx).map_err(Into::into)
    }
}
