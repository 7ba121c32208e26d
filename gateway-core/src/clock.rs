//! [`Clock`]: the only source of time in the layers, so that a test can set it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime},
};

/// Monotonic time, wall time and sleep.
///
/// `Clock::default()` is the system's clock; it follows tokio's paused time in tests. [`Clock::manual`] stands
/// still until it is told to [`advance`](ManualClock::advance).
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<ManualClock>);

impl Clock {
    /// A clock that moves only when the returned handle says so.
    #[must_use]
    pub fn manual() -> (Self, ManualClock) {
        let handle = ManualClock(Arc::new(Mutex::new(Hands {
            now: tokio::time::Instant::now().into_std(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000),
            sleepers: Vec::new(),
        })));
        (Self(Some(handle.clone())), handle)
    }

    /// The monotonic time: for durations and deadlines.
    #[must_use]
    pub fn now(&self) -> Instant {
        match &self.0 {
            None => tokio::time::Instant::now().into_std(),
            Some(manual) => manual.hands(|hands| hands.now),
        }
    }

    /// The wall time: for dates that people or other machines read.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    pub fn wall(&self) -> SystemTime {
        match &self.0 {
            None => SystemTime::now(),
            Some(manual) => manual.hands(|hands| hands.wall),
        }
    }

    /// A future that is ready at `until`. It costs a timer only once it is polled.
    ///
    /// With the system's clock it must be polled on a tokio runtime that has its timers enabled.
    #[must_use]
    pub fn sleep_until(&self, until: Instant) -> Sleep {
        Sleep {
            kind: match &self.0 {
                None => SleepKind::System { sleep: tokio::time::sleep_until(until.into()) },
                Some(manual) => SleepKind::Manual { until, clock: manual.clone() },
            },
        }
    }

    /// The outcome of `future`, or `None` if it is not there by `until`. The future is polled first, so a timer
    /// is only made for one that waits; it is dropped when the time is over.
    pub async fn timeout<F: Future>(&self, until: Instant, future: F) -> Option<F::Output> {
        let mut future = std::pin::pin!(future);
        let mut sleep = std::pin::pin!(self.sleep_until(until));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            sleep.as_mut().poll(cx).map(|()| None)
        })
        .await
    }
}

/// The hands of a clock made by [`Clock::manual`].
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Hands>>);

#[derive(Debug)]
struct Hands {
    now: Instant,
    wall: SystemTime,
    sleepers: Vec<Waker>,
}

impl ManualClock {
    /// Moves both times forward and wakes every sleeper, so that it looks at the clock again.
    pub fn advance(&self, by: Duration) {
        let sleepers = self.hands(|hands| {
            hands.now += by;
            hands.wall += by;
            std::mem::take(&mut hands.sleepers)
        });
        sleepers.into_iter().for_each(Waker::wake);
    }

    /// Sets the wall time alone, as an administrator or NTP does.
    pub fn set_wall(&self, wall: SystemTime) {
        self.hands(|hands| hands.wall = wall);
    }

    fn hands<T>(&self, read: impl FnOnce(&mut Hands) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Clock::sleep_until`].
    #[derive(Debug)]
    pub struct Sleep {
        #[pin]
        kind: SleepKind,
    }
}

pin_project_lite::pin_project! {
    #[project = SleepProjection]
    #[derive(Debug)]
    enum SleepKind {
        System { #[pin] sleep: tokio::time::Sleep },
        Manual { until: Instant, clock: ManualClock },
    }
}

impl Sleep {
    /// Sets a new end without a new timer; for idle times that start again with every byte.
    pub fn reset(self: Pin<&mut Self>, new: Instant) {
        match self.project().kind.project() {
            SleepProjection::System { sleep } => sleep.reset(new.into()),
            SleepProjection::Manual { until, .. } => *until = new,
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.project().kind.project() {
            SleepProjection::System { sleep } => sleep.poll(cx),
            SleepProjection::Manual { until, clock } => clock.hands(|hands| {
                if hands.now >= *until {
                    return Poll::Ready(());
                }
                if !hands.sleepers.iter().any(|waker| waker.will_wake(cx.waker())) {
                    hands.sleepers.push(cx.waker().clone());
                }
                Poll::Pending
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_hands_pass_its_hour() {
        let (clock, hands) = Clock::manual();
        let sleeper = tokio::spawn(clock.sleep_until(clock.now() + Duration::from_secs(5)));
        tokio::task::yield_now().await;
        hands.advance(Duration::from_secs(4));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        hands.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
    }
}
