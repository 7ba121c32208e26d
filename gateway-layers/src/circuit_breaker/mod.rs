//! Stops asking an upstream that keeps failing: `503 Service Unavailable` with `Retry-After` until it is back.
//!
//! ```
//! use gateway_core::{Body, BoxError};
//! use gateway_layers::circuit_breaker::{CircuitBreakerLayer, Settings};
//! use http::{Request, Response, StatusCode};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let broken = service_fn(|_: Request<Body>| async {
//!     let answer = Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR);
//!     Ok::<_, BoxError>(answer.body(Body::empty())?)
//! });
//! let service = CircuitBreakerLayer::new(Settings::default().minimum(2)).layer(broken);
//!
//! for _ in 0..2 {
//!     assert_eq!(service.clone().oneshot(Request::new(Body::empty())).await?.status(), 500);
//! }
//! let spared = service.oneshot(Request::new(Body::empty())).await?;
//! assert_eq!((spared.status().as_u16(), &spared.headers()["retry-after"]), (503, &"5".parse()?));
//! # Ok(())
//! # }
//! ```
//!
//! **Closed**, it counts how calls end in a rolling window; it opens when enough of them failed, or were slow if
//! [`Settings::slow`] says so. **Open**, it calls nobody. After the open time it is **half open**: a few calls try
//! whether the upstream is back, and either all succeed and it closes, or one fails and it is open again.
//!
//! | setting | default |
//! | --- | --- |
//! | [`window`](Settings::window) | 10 s, in tenths |
//! | [`minimum`](Settings::minimum) | 20 calls |
//! | [`failure_rate`](Settings::failure_rate) | 0.5 |
//! | [`slow`](Settings::slow) | off |
//! | [`open`](Settings::open), [`open_max`](Settings::open_max) | 5 s, not growing |
//! | [`probes`](Settings::probes) | 3 |
//!
//! **A call** ends with its answer's head, as [`Classify`] judges it ([`HttpFailures`] by default); a body that breaks
//! off later turns that success into a failure. A call that is dropped because the client left counts neither way,
//! and its place as a probe is free again; dropped after its deadline, it is a failure. Results that come after the
//! circuit has changed its state change nothing. Only a call that failed or was slow can open a circuit.
//!
//! **Answers** 503 `circuit_open` with `Retry-After`: the time until probes are let through, in whole seconds, rounded
//! up; 1 s while probes are on their way. **Where**: [`CircuitBreakerLayer`] around any service has one circuit, or one
//! for each key. [`EndpointBreakers`] has one for each endpoint of an [`Upstream`](gateway_core::upstream::Upstream):
//! the forwarder then passes over the endpoints that are open and refuses only when all are. The declared form is of
//! this kind.
//!
//! **Order**: phase [`Endpoint`](gateway_core::phase::Endpoint), outside of `timeout`, so that slow calls are failures
//! here. **Reads** the fact deadline. **Buffers** nothing. **Costs** no allocation; one look at the clock for each call,
//! two with `slow`; a closed circuit is one atomic load on the way in and a load and an addition on the way out.
//! **Bounds** a circuit has 300 bytes; with keys at most `max_keys` of them. **Counts** `gateway_circuit_state`,
//! `gateway_circuit_transitions_total`, `gateway_circuit_rejected_total`, and logs every change of state.

mod breaker;
mod circuit;
mod circuits;
mod classify;
#[cfg(feature = "config")]
pub(crate) mod config;
#[cfg(feature = "client")]
mod endpoints;
mod layer;
mod service;
mod settings;
#[cfg(test)]
mod tests;
mod window;

pub use breaker::Breaker;
pub use circuit::{Change, Circuit, Outcome, State, Ticket};
pub use classify::{Classify, Head, HttpFailures};
#[cfg(feature = "client")]
pub use endpoints::EndpointBreakers;
pub use layer::CircuitBreakerLayer;
pub use service::{CircuitBreaker, CircuitBreakerFuture, Delivery};
pub use settings::{Reason, Settings};
pub use window::Totals;
