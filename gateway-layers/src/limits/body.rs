use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use gateway_core::{BoxError, Clock, Refusal, clock::Sleep};
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};

use super::sizes::body_too_large;

pin_project_lite::pin_project! {
    /// A request body that is counted and may not be silent for long. Past a limit it breaks off with the
    /// [`Refusal`] as its error. Trailers pass.
    pub struct LimitedBody<B> {
        #[pin]
        body: B,
        max: u64,
        left: u64,
        idle: Option<Duration>,
        clock: Clock,
        waiting: bool,
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl<B> LimitedBody<B> {
    pub(super) fn new(body: B, max: u64, idle: Option<Duration>, clock: Clock) -> Self {
        Self { body, max, left: max, idle, clock, waiting: false, sleep: None }
    }
}

impl<B> Body for LimitedBody<B>
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
        if let Poll::Ready(frame) = this.body.poll_frame(cx) {
            *this.waiting = false;
            let Some(Ok(frame)) = frame else {
                return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
            };
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            return Poll::Ready(Some(match this.left.checked_sub(bytes) {
                Some(left) => {
                    *this.left = left;
                    Ok(frame)
                }
                None => Err(body_too_large(*this.max).into()),
            }));
        }
        let Some(idle) = *this.idle else { return Poll::Pending };
        if !*this.waiting {
            *this.waiting = true;
            let until = this.clock.now() + idle;
            match this.sleep.as_mut().as_pin_mut() {
                Some(sleep) => sleep.reset(until),
                None => this.sleep.set(Some(this.clock.sleep_until(until))),
            }
        }
        let sleep = this.sleep.as_pin_mut().expect("a body that waits has a timer");
        sleep.poll(cx).map(|()| Some(Err(silent(idle).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> fmt::Debug for LimitedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitedBody")
            .field("max", &self.max)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

fn silent(idle: Duration) -> Refusal {
    let detail = format!("no byte of the body came for {idle:?}");
    Refusal::new(StatusCode::REQUEST_TIMEOUT, "body_idle", detail)
}

#[cfg(test)]
mod tests {
    use gateway_core::{body::CollectError, error::refusal_for, testing::channel};

    use super::*;

    async fn outcome(body: LimitedBody<gateway_core::Body>) -> Result<Bytes, &'static str> {
        gateway_core::Body::collect_limited(body, 100).await.map_err(|error| match error {
            CollectError::Failed(error) => refusal_for(&*error).code(),
            CollectError::TooLarge { .. } => "collect",
        })
    }

    #[tokio::test]
    async fn counts_what_streams_and_breaks_off_past_the_limit() {
        let limited = |max| {
            let (sender, body) = channel();
            tokio::spawn(async move { sender.data("12345").await && sender.data("67890").await });
            LimitedBody::new(body, max, None, Clock::default())
        };
        assert_eq!(outcome(limited(10)).await, Ok(Bytes::from("1234567890")));
        assert_eq!(outcome(limited(9)).await, Err("body_too_large"));
    }

    #[tokio::test(start_paused = true)]
    async fn only_silence_ends_a_slow_body() {
        let idle = Some(Duration::from_secs(10));
        let (sender, body) = channel();
        let slow = LimitedBody::new(body, 100, idle, Clock::default());
        tokio::spawn(async move {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(9)).await;
                sender.data("x").await;
            }
        });
        assert_eq!(outcome(slow).await, Ok(Bytes::from("xxxxx")));

        let (_sender, body) = channel();
        assert_eq!(outcome(LimitedBody::new(body, 100, idle, Clock::default())).await, Err("body_idle"));
    }
}
