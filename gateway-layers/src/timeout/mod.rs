//! The one deadline of a request: `504 Gateway Timeout` when the answer's head is not there in time.
//!
//! [`TimeoutLayer`] sets the deadline, first in a route. It is a fact that everything inside may read: a connection
//! attempt, a queue, a key server or another try does not wait longer than this. It bounds the wait for the response
//! *head*. Once the head has arrived the body may take as long as bytes keep coming (idle times bound that), so that
//! event streams and large downloads are not cut.
//!
//! [`TryTimeoutLayer`] bounds one try, behind `retry`: it ends with the same failure while there is time for another
//! one, and leaves the deadline as it is. An upload counts: a try that is still sending after this time ends, too.
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//! use gateway_core::Body;
//! use gateway_layers::timeout::TimeoutLayer;
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let silent = service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
//! let service = TimeoutLayer::new(Duration::from_millis(10)).layer(silent);
//! let response = service.oneshot(Request::new(Body::empty())).await.unwrap();
//! assert_eq!(response.status(), 504);
//! # }
//! ```
//!
//! **Fails** with [`ErrorKind::Timeout`](gateway_core::error::ErrorKind::Timeout) where the service's error type can
//! carry it; over [`Infallible`](std::convert::Infallible), as in axum, it answers 504 `upstream_timeout` itself. The
//! future inside is dropped first, which cancels what it does and frees what it holds.
//! **Order**: phase [`Choose`](gateway_core::phase::Choose), in front of all that waits; one try: phase
//! [`Endpoint`](gateway_core::phase::Endpoint). **Reads and writes** the fact deadline, only ever closer; the limit of
//! a try does neither. The time counts from when the request reaches the layer.
//! **Buffers** nothing. **Costs** no allocation; a timer only once the service inside is pending. **Counts**
//! `gateway_timeouts_total{place, limit}`, where `limit` is `request` or `try`.

#[cfg(feature = "config")]
pub(crate) mod config;
mod layer;
mod service;

pub use layer::{TimeoutLayer, TryTimeoutLayer};
pub use service::{Timeout, TimeoutFuture};
