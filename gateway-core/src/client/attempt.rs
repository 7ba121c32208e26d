use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Poll, ready},
    time::{Duration, Instant},
};

use http::{StatusCode, response::Parts};

use super::{connection::Unanswered, line::Line, progress::Progress, timer::Timer};
use crate::{
    Clock, UpstreamError,
    error::ErrorKind,
    upstream::{Admitted, EndpointGuard, TryEnd, set::Visit},
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

/// A try at an endpoint. Its guard and whoever looks at its health are told how it ended, also when it is dropped.
pub(super) struct Attempt<'a> {
    admitted: Option<Admitted>,
    visit: Option<Visit<Line>>,
    patience: &'a Patience,
    clock: &'a Clock,
}

impl<'a> Attempt<'a> {
    pub(super) fn of(
        guard: Option<&Arc<dyn EndpointGuard>>,
        visit: impl FnOnce() -> Option<Visit<Line>>,
        patience: &'a Patience,
        clock: &'a Clock,
    ) -> Result<Self, Duration> {
        let admitted = guard.map(Admitted::ask).transpose()?;
        Ok(Self { admitted, visit: visit(), patience, clock })
    }

    pub(super) fn failed(&mut self, error: &UpstreamError) {
        if let Some(admitted) = self.admitted.take() {
            admitted.settle(TryEnd::Failed(error));
        }
        if let Some(visit) = self.visit.take()
            // That is the client's fault.
            && error.kind() != ErrorKind::RequestBody
        {
            visit.failed();
        }
    }

    /// What is returned watches over the answer's body.
    pub(super) fn answered(&mut self, head: &Parts) -> (Option<Admitted>, Option<Visit<Line>>) {
        let visit = self.visit.take();
        if let Some(visit) = &visit {
            visit.answered(speaks_against_it(head.status));
        }
        (self.admitted.take().and_then(|admitted| admitted.answered(head)), visit)
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.admitted.is_none() && self.visit.is_none() {
            return;
        }
        let now = self.clock.now();
        if now >= self.patience.end() || self.patience.try_end.is_some_and(|end| now >= end) {
            return self.failed(&UpstreamError::new(ErrorKind::Timeout));
        }
        if let Some(admitted) = self.admitted.take() {
            admitted.settle(TryEnd::Abandoned);
        }
    }
}

/// Whether an answer says that the endpoint is not well, and not that the request was not.
fn speaks_against_it(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}
