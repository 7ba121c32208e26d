//! How many requests may be under way at once: `503 Service Unavailable` for those that find no room.
//!
//! ```
//! use std::convert::Infallible;
//! use gateway_core::Body;
//! use gateway_layers::bulkhead::BulkheadLayer;
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Infallible> {
//! let report = service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::from("a report"))) });
//! let service = BulkheadLayer::new(1).layer(report);
//!
//! let first = service.clone().oneshot(Request::new(Body::empty())).await?;
//! let second = service.clone().oneshot(Request::new(Body::empty())).await?;
//! assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 503));
//! drop(first); // The place is free once the first answer's body ended, or nobody wants it any more.
//! assert_eq!(service.oneshot(Request::new(Body::empty())).await?.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! **A place** is held from the call until the answer's *body* ends or is dropped, so that downloads and event streams
//! count for as long as they last. A client that leaves frees its place at once, whether it waited, was being served or
//! was reading.
//!
//! **The queue** is bounded, and first come, first served; nobody overtakes. A request waits for [`wait`] at most, and
//! never beyond its deadline. One that gives up makes room for the next.
//!
//! **Answers** 503 `bulkhead_full` when there is no room in the queue either, and 503 `bulkhead_timeout` after the wait,
//! both with `Retry-After: 1`. [`by`](BulkheadLayer::by) gives each key, such as a tenant, bounds of its own; a key is
//! remembered only while it has requests under way, and past the bound on keys new ones share spare places.
//!
//! **Order**: phase [`Limit`](gateway_core::phase::Limit), behind `rate_limit`, so that what is refused there takes no
//! place here. **Reads** the fact deadline. **Buffers** nothing; a request in the queue is held with its unread body,
//! and with the service inside that was made ready for it. **Costs** one atomic exchange on the way in, one subtraction
//! on the way out and no allocation; with keys a lock, and an allocation for a key that was not there; in the queue a
//! box and a timer. **Counts** `gateway_bulkhead_in_flight`, `gateway_bulkhead_queued`,
//! `gateway_bulkhead_rejected_total`. **Reach**: one process.
//!
//! [`wait`]: BulkheadLayer::wait

#[cfg(feature = "config")]
pub(crate) mod config;
mod gate;
mod gates;
mod layer;
mod service;
mod stay;
#[cfg(test)]
mod tests;

pub use gate::{Bounds, Entry, Gate};
pub use gates::Gates;
pub use layer::BulkheadLayer;
pub use service::{Bulkhead, BulkheadFuture};
pub use stay::Stay;
