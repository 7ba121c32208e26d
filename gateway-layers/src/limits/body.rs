use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use gateway_core::{BoxError, Refusal, Verdict, clock::Sleep};
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};

use super::{layer::Bounds, sizes::body_too_large};

pin_project_lite::pin_project! {
    /// A request body that is counted and may not be silent for long. Past a limit it breaks off with the
    /// [`Refusal`] as its error. Trailers pass.
    pub struct LimitedBody<B> {
        #[pin]
        body: B,
        bounds: Option<Arc<Bounds>>,
        left: u64,
        is_waiting: bool,
        is_broken: bool,
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl<B: Body> LimitedBody<B> {
    pub(super) fn new(body: B, bounds: Option<&Arc<Bounds>>) -> Self {
        let bounds = bounds.filter(|_| !body.is_end_stream()).cloned();
        let left = bounds.as_ref().map_or(u64::MAX, |bounds| bounds.sizes.body);
        Self { body, bounds, left, is_waiting: false, is_broken: false, sleep: None }
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
        if *this.is_broken {
            return Poll::Ready(None);
        }
        let polled = this.body.poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(Into::into)));
        let Some(bounds) = this.bounds else { return polled };
        let refusal = match polled {
            Poll::Ready(Some(Ok(frame))) => {
                *this.is_waiting = false;
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                if let Some(left) = this.left.checked_sub(bytes) {
                    *this.left = left;
                    return Poll::Ready(Some(Ok(frame)));
                }
                body_too_large(bounds.sizes.body)
            }
            Poll::Ready(end) => return Poll::Ready(end),
            Poll::Pending => {
                let Some(idle) = bounds.body_idle else { return Poll::Pending };
                if !*this.is_waiting {
                    *this.is_waiting = true;
                    let until = bounds.clock.now() + idle;
                    match this.sleep.as_mut().as_pin_mut() {
                        Some(sleep) => sleep.reset(until),
                        None => this.sleep.set(Some(bounds.clock.sleep_until(until))),
                    }
                }
                ready!(this.sleep.as_pin_mut().expect("a body that waits has a timer").poll(cx));
                silent(idle)
            }
        };
        *this.is_broken = true;
        bounds.decisions.count(Verdict::Refuse);
        Poll::Ready(Some(Err(refusal.into())))
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
        f.debug_struct("LimitedBody").field("left", &self.left).finish_non_exhaustive()
    }
}

fn silent(idle: Duration) -> Refusal {
    let detail = format!("no byte of the body came for {idle:?}");
    Refusal::new(StatusCode::REQUEST_TIMEOUT, "body_idle", detail)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use gateway_core::{Clock, body::CollectError, error::refusal_for, meter::Decisions, testing::channel};

    use super::*;
    use crate::limits::sizes::Sizes;

    fn bounds(max: u64, body_idle: Option<Duration>, clock: Clock) -> Arc<Bounds> {
        let sizes = Sizes { body: max, ..Sizes::UNLIMITED };
        Arc::new(Bounds { sizes, body_idle, clock, decisions: Decisions::default() })
    }

    async fn outcome(body: gateway_core::Body, bounds: &Arc<Bounds>) -> Result<Bytes, &'static str> {
        let body = LimitedBody::new(body, Some(bounds));
        gateway_core::Body::collect_limited(body, 100).await.map_err(|error| match error {
            CollectError::Failed(error) => refusal_for(&*error).code(),
            CollectError::TooLarge { .. } => "collect",
        })
    }

    #[tokio::test]
    async fn counts_what_streams_and_breaks_off_past_the_limit() {
        let ten_bytes = || {
            let (sender, body) = channel();
            tokio::spawn(async move { sender.data("12345").await && sender.data("67890").await });
            body
        };
        let ten = bounds(10, None, Clock::default());
        assert_eq!(outcome(ten_bytes(), &ten).await, Ok(Bytes::from("1234567890")));
        assert_eq!(ten.decisions.value(Verdict::Refuse), 0);
        let nine = bounds(9, None, Clock::default());
        assert_eq!(outcome(ten_bytes(), &nine).await, Err("body_too_large"));
        assert_eq!(nine.decisions.value(Verdict::Refuse), 1);
    }

    #[tokio::test]
    async fn a_broken_body_stays_broken() {
        let (sender, body) = channel();
        tokio::spawn(async move { sender.data("12345").await && sender.data("1").await });
        let mut body = pin!(LimitedBody::new(body, Some(&bounds(3, None, Clock::default()))));
        let mut next = async || std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
        assert!(next().await.unwrap().is_err());
        assert!(next().await.is_none(), "what would fit after the break is not let through");
    }

    #[tokio::test(start_paused = true)]
    async fn only_silence_ends_a_slow_body() {
        let ten_seconds = bounds(100, Some(Duration::from_secs(10)), Clock::default());
        let (sender, body) = channel();
        tokio::spawn(async move {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(9)).await;
                sender.data("x").await;
            }
        });
        assert_eq!(outcome(body, &ten_seconds).await, Ok(Bytes::from("xxxxx")));

        let (_sender, body) = channel();
        assert_eq!(outcome(body, &ten_seconds).await, Err("body_idle"));
        assert_eq!(ten_seconds.decisions.value(Verdict::Refuse), 1);
    }

    #[tokio::test]
    async fn a_reader_that_pauses_is_not_a_client_that_is_silent() {
        let (clock, hands) = Clock::manual();
        let (sender, body) = channel();
        let mut body = pin!(LimitedBody::new(body, Some(&bounds(100, Some(Duration::from_secs(10)), clock))));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(body.as_mut().poll_frame(&mut cx).is_pending());
        sender.data("x").await;
        hands.advance(Duration::from_secs(60));
        assert!(matches!(body.as_mut().poll_frame(&mut cx), Poll::Ready(Some(Ok(_)))));
        assert!(body.as_mut().poll_frame(&mut cx).is_pending(), "the time starts again with every frame");
        hands.advance(Duration::from_secs(10));
        assert!(matches!(body.as_mut().poll_frame(&mut cx), Poll::Ready(Some(Err(_)))));
    }

    #[test]
    fn a_body_at_its_end_is_not_watched_and_frames_that_are_there_cost_nothing() {
        let bounds = bounds(100, Some(Duration::from_secs(10)), Clock::default());
        assert!(LimitedBody::new(gateway_core::Body::empty(), Some(&bounds)).bounds.is_none());
        let whole = gateway_core::Body::from("12345");
        let counted = allocation_counter::measure(|| {
            let mut body = pin!(LimitedBody::new(whole, Some(&bounds)));
            let mut cx = Context::from_waker(std::task::Waker::noop());
            while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
                drop(frame.unwrap());
            }
        });
        assert_eq!(counted.count_total, 0);
    }
}
