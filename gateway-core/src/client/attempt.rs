use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::progress::Progress;
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
