use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Poll, ready},
    time::{Duration, Instant},
};

use super::{connection::Unanswered, progress::Progress, timer::Timer};
use crate::{
    Clock, UpstreamError,
    error::ErrorKind,
    upstream::{Admitted, EndpointGuard, TryEnd},
};

/// How long an answer is waited for.
pub(super) struct Patience {
    pub(super) start: Instant,
    pub(super) progress: Option<Arc<Progress>>,
    /// The request's own deadline.
    pub(super) own: Option<Instant>,
    /// When somebody around us gives up this try.
    pub(super) try_end: Option<Instant>,
    pub(super) response_timeout: Duration,
}

impl Patience {
    /// It moves on with the upload.
    pub(super) fn end(&self) -> Instant {
        let moved = self.progress.as_ref().map_or(self.start, |progress| progress.last());
        let patience = moved + self.response_timeout;
        self.own.map_or(patience, |own| own.min(patience))
    }

    /// The answer, unless patience ends first.
    pub(super) async fn wait<F: Future>(
        &self,
        answer: F,
        timer: &mut Timer,
        clock: &Clock,
    ) -> Result<F::Output, Unanswered> {
        let mut answer = pin!(answer);
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(Ok(answer));
            }
            loop {
                let until = self.end();
                ready!(timer.poll(until, clock, cx));
                if self.end() <= until {
                    return Poll::Ready(Err(Unanswered::Failed(UpstreamError::new(ErrorKind::Timeout))));
                }
            }
        })
        .await
    }
}

/// A try at an endpoint. Its guard, if there is one, is told how it ended, also when it is dropped.
pub(super) struct Attempt<'a> {
    admitted: Option<Admitted>,
    patience: &'a Patience,
    clock: &'a Clock,
}

impl<'a> Attempt<'a> {
    pub(super) fn of(
        guard: Option<&Arc<dyn EndpointGuard>>,
        patience: &'a Patience,
        clock: &'a Clock,
    ) -> Result<Self, Duration> {
        let admitted = guard.map(Admitted::ask).transpose()?;
        Ok(Self { admitted, patience, clock })
    }

    pub(super) fn failed(&mut self, error: &UpstreamError) {
        if let Some(admitted) = self.admitted.take() {
            admitted.settle(TryEnd::Failed(error));
        }
    }

    /// What is returned watches over the answer's body.
    pub(super) fn answered(&mut self, head: &http::response::Parts) -> Option<Admitted> {
        self.admitted.take()?.answered(head)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let Some(admitted) = self.admitted.take() else { return };
        let now = self.clock.now();
        let is_late = now >= self.patience.end() || self.patience.try_end.is_some_and(|end| now >= end);
        match is_late {
            true => admitted.settle(TryEnd::Failed(&UpstreamError::new(ErrorKind::Timeout))),
            false => admitted.settle(TryEnd::Abandoned),
        }
    }
}
