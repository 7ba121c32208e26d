use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use gateway_core::{
    Admitted, Clock, Explanation,
    explain::Explain,
    meter::{Decisions, Meter},
    phase::{self, Staged},
};
use http::{Request, request::Parts};
use tower_service::Service;

use super::{LimitedBody, Sizes};

/// Bounds the size and the silence of requests. See the [module](super) for the limits and their defaults.
#[derive(Clone, Debug)]
pub struct LimitsLayer {
    sizes: Sizes,
    body_idle: Option<Duration>,
    clock: Clock,
}

impl Default for LimitsLayer {
    fn default() -> Self {
        let sizes =
            Sizes { target: 8 * 1024, header_count: 100, header_bytes: 32 * 1024, ..Sizes::unlimited() };
        Self { sizes, body_idle: Some(Duration::from_secs(30)), clock: Clock::default() }
    }
}

impl LimitsLayer {
    /// Passes everything on: the same type for stacks that may do without.
    #[must_use]
    pub fn off() -> Self {
        Self { sizes: Sizes::unlimited(), body_idle: None, clock: Clock::default() }
    }

    /// The longest path and query, in bytes. 8 KiB: what browsers and servers commonly agree on.
    #[must_use]
    pub fn target(mut self, bytes: usize) -> Self {
        self.sizes.target = bytes;
        self
    }

    /// The most header fields. 100.
    #[must_use]
    pub fn header_count(mut self, fields: usize) -> Self {
        self.sizes.header_count = fields;
        self
    }

    /// The most bytes of all names and values of the header. 32 KiB: large cookies fit.
    #[must_use]
    pub fn header_bytes(mut self, bytes: usize) -> Self {
        self.sizes.header_bytes = bytes;
        self
    }

    /// The longest body, in bytes. None by default: bodies stream through and fill no memory here.
    #[must_use]
    pub fn body(mut self, bytes: u64) -> Self {
        self.sizes.body = bytes;
        self
    }

    /// How long a body may be silent before it counts as abandoned. 30 s.
    #[must_use]
    pub fn body_idle(mut self, time: Duration) -> Self {
        self.body_idle = Some(time);
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Counts decisions about heads in this meter as `gateway_decisions_total{layer="limits", place, verdict}`.
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        self.sizes.decisions = Decisions::new(meter, "limits", place);
        self
    }
}

impl<S> tower_layer::Layer<S> for LimitsLayer {
    type Service = Limits<S>;

    fn layer(&self, inner: S) -> Limits<S> {
        let max = self.sizes.body;
        let inner = LimitBody { max, idle: self.body_idle, clock: self.clock.clone(), inner };
        Admitted::new(Arc::new(self.sizes.clone()), inner)
    }
}

impl Staged for LimitsLayer {
    type Phase = phase::Arrive;
}

/// The service of [`LimitsLayer`]: the rule about heads, then the wrapper of bodies.
pub type Limits<S> = Admitted<Sizes, LimitBody<S>>;

/// Wraps the body of every request into a [`LimitedBody`].
#[derive(Clone, Debug)]
pub struct LimitBody<S> {
    max: u64,
    idle: Option<Duration>,
    clock: Clock,
    inner: S,
}

impl<S, B> Service<Request<B>> for LimitBody<S>
where
    S: Service<Request<LimitedBody<B>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let limited = |body| LimitedBody::new(body, self.max, self.idle, self.clock.clone());
        self.inner.call(request.map(limited))
    }
}

impl<S: Explain> Explain for LimitBody<S> {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        self.inner.explain(head, say);
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::testing::contract;

    use super::*;

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::check(LimitsLayer::default()).await;
        contract::check(LimitsLayer::off()).await;
    }
}
