use std::{sync::Arc, time::Duration};

use http::response::Parts;

use crate::{Explanation, UpstreamError};

/// Decides whether an endpoint may be tried, and is told how every try ended; a circuit breaker, for one.
///
/// The forwarder passes over an endpoint that is not admitted, and refuses with 503 `circuit_open` only when it was
/// left with none. Neither call may wait or allocate: they stand on every request's way.
pub trait EndpointGuard: Send + Sync {
    /// The right to one try, which is settled in any case.
    ///
    /// # Errors
    /// When it makes sense to come back.
    fn admit(&self) -> Result<Ticket, Duration>;

    /// The head of an answer is there. Says whether to [`settle`](Self::settle) the try once more if its body breaks
    /// off.
    fn answered(&self, ticket: Ticket, head: &Parts) -> bool;

    /// The try ended without an answer, or without the whole of it.
    fn settle(&self, ticket: Ticket, end: TryEnd<'_>);

    /// What [`admit`](Self::admit) would say, in words and without any side effect: `Pass`, or `Skip` for an endpoint
    /// that would be passed over.
    fn explain(&self) -> Explanation;
}

/// Whatever a guard wants to remember of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub u64);

/// How a try ended.
#[derive(Debug)]
pub enum TryEnd<'a> {
    /// There is no answer, and this is why. Perhaps nothing was sent.
    Failed(&'a UpstreamError),
    /// Nobody wants the answer any more.
    Abandoned,
    /// The body of the answer broke off.
    BrokeOff,
}

/// A try that is under way at a guarded endpoint.
pub(crate) struct Admitted {
    guard: Arc<dyn EndpointGuard>,
    ticket: Ticket,
}

impl Admitted {
    pub(crate) fn ask(guard: &Arc<dyn EndpointGuard>) -> Result<Self, Duration> {
        Ok(Self { ticket: guard.admit()?, guard: Arc::clone(guard) })
    }

    /// What is returned watches over the answer's body.
    pub(crate) fn answered(self, head: &Parts) -> Option<Self> {
        self.guard.answered(self.ticket, head).then_some(self)
    }

    pub(crate) fn settle(&self, end: TryEnd<'_>) {
        self.guard.settle(self.ticket, end);
    }
}
