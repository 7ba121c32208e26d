use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gateway_core::{BoxError, Refusal, Verdict, body::forget_length_and_digests, seam::IntoBody};
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};

use super::{
    rewriter::{Broken, Form, Rewriter},
    service::Policy,
};

pin_project_lite::pin_project! {
    /// An answer's body whose JSON is rewritten while it passes, or one that passes as it is.
    ///
    /// It breaks off with a [`Refusal`] of the code `broken_json` where the JSON is broken. Trailers pass without the
    /// digests among them.
    pub struct JsonBody<B> {
        #[pin]
        body: B,
        work: Option<Box<Work>>,
        is_broken: bool,
    }
}

struct Work {
    rewriter: Rewriter,
    policy: Arc<Policy>,
}

impl<B> JsonBody<B> {
    /// This body as it is.
    pub(super) fn unchanged(body: B) -> Self {
        Self { body, work: None, is_broken: false }
    }

    /// This body with its JSON rewritten.
    pub(super) fn rewritten(body: B, policy: &Arc<Policy>, form: Form) -> Self {
        let rewriter = Rewriter::new(Arc::clone(&policy.plan), form);
        Self { body, work: Some(Box::new(Work { rewriter, policy: Arc::clone(policy) })), is_broken: false }
    }
}

impl<B> IntoBody for JsonBody<B>
where
    B: IntoBody + Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    fn into_body(self) -> gateway_core::Body {
        match (&self.work, self.is_broken) {
            (None, false) => self.body.into_body(),
            _ => gateway_core::Body::new(self),
        }
    }
}

/// A body that a layer outside made itself.
impl<B: From<Bytes>> From<Bytes> for JsonBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self::unchanged(bytes.into())
    }
}

impl<B> Body for JsonBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        if *this.is_broken {
            return Poll::Ready(None);
        }
        let mut empty = 0;
        let rewritten = loop {
            if empty == MAX_EMPTY {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let polled = ready!(this.body.as_mut().poll_frame(cx));
            let Some(Work { rewriter, .. }) = this.work.as_deref_mut() else {
                return Poll::Ready(polled.map(|frame| frame.map_err(Into::into)));
            };
            match polled {
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => match rewriter.push(&piece) {
                        // An empty frame says nothing, and some servers take it for the end.
                        Ok(bytes) if bytes.is_empty() => empty += 1,
                        outcome => break outcome.map(|bytes| Some(Frame::data(bytes))),
                    },
                    Err(frame) => {
                        break rewriter.finish().map(|()| Some(frame.map_data(|_: Bytes| Bytes::new())));
                    }
                },
                None => break rewriter.finish().map(|()| None),
            }
        };
        match rewritten {
            Ok(Some(frame)) => {
                let is_over = this.body.is_end_stream();
                if this.work.as_deref().is_some_and(|work| is_over && work.rewriter.finish().is_ok()) {
                    *this.work = None;
                }
                Poll::Ready(Some(Ok(without_digests(frame))))
            }
            Ok(None) => {
                *this.work = None;
                Poll::Ready(None)
            }
            Err(broken) => {
                *this.is_broken = true;
                let policy = this.work.take().map(|work| work.policy);
                Poll::Ready(Some(Err(refusal(&broken, policy.as_deref()).into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_broken || (self.work.is_none() && self.body.is_end_stream())
    }

    /// How long a rewritten body will be is not known.
    fn size_hint(&self) -> SizeHint {
        if self.work.is_some() { SizeHint::default() } else { self.body.size_hint() }
    }
}

impl<B> fmt::Debug for JsonBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonBody")
            .field("rewriter", &self.work.as_deref().map(|work| &work.rewriter))
            .finish_non_exhaustive()
    }
}

/// So many pieces of a value that is left out are read before others have their turn.
const MAX_EMPTY: usize = 32;

/// Digests of other bytes would only mislead (RFC 9530, 2).
fn without_digests(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        forget_length_and_digests(trailers);
    }
    frame
}

fn refusal(broken: &Broken, policy: Option<&Policy>) -> Refusal {
    if let Some(policy) = policy {
        policy.decisions.count(Verdict::Refuse);
    }
    let detail = "the upstream's answer is not the JSON that it should be";
    Refusal::new(StatusCode::BAD_GATEWAY, "broken_json", detail).because(broken.to_string())
}
