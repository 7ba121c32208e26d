use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::{connection::Connection, line::Line, pool::Pool, timer::Timer};
use crate::{
    Body, BoxError, Clock, UpstreamError,
    error::ErrorKind,
    forwarding::remove_from_trailers,
    upstream::{Admitted, TryEnd, set::Visit},
};

/// The body of an upstream's answer. Its connection is busy until the body ended; dropping it before closes the
/// connection (over HTTP/2: resets its stream), unless the rest of it is short and there already. It breaks off with an [`UpstreamError`] when the upstream does, or is silent for too long.
pub(crate) struct ResponseBody {
    body: Incoming,
    /// And the pool that it came from.
    lease: Option<(Connection, Arc<Pool>)>,
    /// Told when the body breaks off.
    admitted: Option<Admitted>,
    /// Under way until the body ended.
    visit: Option<Visit<Line>>,
    idle_timeout: Duration,
    clock: Clock,
    /// The connection's, until it is free.
    timer: Timer,
    /// When the body was silent for too long, if it is silent.
    silent_at: Option<Instant>,
}

impl ResponseBody {
    /// Tells the endpoint's guard if the body breaks off, and the visit when it ends.
    pub(super) fn leased(
        body: Incoming,
        mut connection: Connection,
        pool: &Arc<Pool>,
        (admitted, visit): (Option<Admitted>, Option<Visit<Line>>),
        idle_timeout: Duration,
        clock: Clock,
    ) -> Body {
        if body.is_end_stream() {
            pool.take_back(connection);
            return Body::empty();
        }
        let timer = connection.take_timer();
        let lease = Some((connection, Arc::clone(pool)));
        // Boxed, so that an answer is small: it moves through every layer.
        let body = Self { body, lease, admitted, visit, idle_timeout, clock, timer, silent_at: None };
        Body::from_upstream(Box::new(body))
    }

    fn break_off(&mut self) {
        self.lease = None;
        if let Some(admitted) = self.admitted.take() {
            admitted.settle(TryEnd::BrokeOff);
        }
        if let Some(visit) = self.visit.take() {
            visit.failed();
        }
    }

    fn release(&mut self) {
        self.visit = None;
        if let Some((mut connection, pool)) = self.lease.take() {
            connection.give_timer(std::mem::take(&mut self.timer));
            pool.take_back(connection);
        }
    }

    /// Whether the body was silent for too long.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = *self.silent_at.get_or_insert_with(|| self.clock.now() + self.idle_timeout);
        self.timer.poll(until, &self.clock, cx)
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending if self.poll_idle(cx).is_pending() => return Poll::Pending,
            Poll::Pending => {
                self.break_off();
                let silent = format!("no byte for {:?}", self.idle_timeout);
                let error = UpstreamError::because(ErrorKind::Truncated, silent);
                return Poll::Ready(Some(Err(error.into())));
            }
        };
        self.silent_at = None;
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                if self.body.is_end_stream() {
                    self.release();
                }
                Some(Ok(clean(frame)))
            }
            Some(Err(error)) => {
                self.break_off();
                Some(Err(UpstreamError::because(ErrorKind::Truncated, error).into()))
            }
            None => {
                self.release();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    /// hyper takes in what has arrived of a body that nobody wants, and closes the connection if that was not all of it.
    /// So the error pages that a retry or a fallback drops do not cost a connection each.
    fn drop(&mut self) {
        if self.body.size_hint().upper().is_some_and(|rest| rest <= SHORT) {
            self.release();
        }
    }
}

/// The longest rest of a body that is worth a moment, in bytes.
const SHORT: u64 = 16 * 1024;

/// Trailers must not say what only a head may say, nor what belongs to the hop behind us.
fn clean(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            remove_from_trailers(&mut trailers);
            Frame::trailers(trailers)
        }
        Err(data) => data,
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("body", &self.body).finish_non_exhaustive()
    }
}
