//! Another try, where it is safe: the first answer is not the last word.
//!
//! ```
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use gateway_core::Body;
//! use gateway_layers::retry::RetryLayer;
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! static CALLS: AtomicU32 = AtomicU32::new(0);
//! let shaky = service_fn(|_: Request<Body>| async {
//!     let status = if CALLS.fetch_add(1, Ordering::Relaxed) == 0 { 503 } else { 200 };
//!     Response::builder().status(status).body(Body::empty()).map_err(gateway_core::BoxError::from)
//! });
//! let service = RetryLayer::default().layer(shaky);
//!
//! let get = Request::get("/orders").body(Body::empty()).unwrap();
//! assert_eq!(service.clone().oneshot(get).await.unwrap().status(), 200);
//! assert_eq!(CALLS.load(Ordering::Relaxed), 2);
//!
//! CALLS.store(0, Ordering::Relaxed);
//! let post = Request::post("/orders").body(Body::empty()).unwrap();
//! assert_eq!(service.oneshot(post).await.unwrap().status(), 503, "it may have been processed");
//! assert_eq!(CALLS.load(Ordering::Relaxed), 1);
//! # }
//! ```
//!
//! | how a try ended | another one |
//! | --- | --- |
//! | provably nothing was sent: no connection, or one that closed before | with any method |
//! | reset, not HTTP, no answer in the time of one try or of the upstream; 502, 503, 504 | GET, HEAD, OPTIONS, TRACE, PUT, DELETE (RFC 9110 section 9.2.2) |
//! | a refusal of a layer inside, such as `circuit_open`; no endpoint; the client's body broke off | never |
//!
//! | bound | default |
//! | --- | --- |
//! | tries in all | 3 |
//! | retries of an upstream, whoever asks | 20 % of its requests and 10 a second: [`Budget`] |
//! | wait before one | up to 25 ms, doubling, at most 250 ms, by chance |
//! | `Retry-After` that is kept; an answer that asks for more is passed on | 1 s |
//! | body that is kept for another try | 64 KiB; a longer one streams and is sent once |
//! | all of it | the fact deadline: no wait passes it |
//!
//! Layers written by hand for one upstream share its budget with [`RetryLayer::budget`]; in a document all routes to the
//! same endpoints do.
//!
//! **Never** after the head of an answer was passed on: a transfer that breaks off stays broken. The head is looked at
//! before; the body of an answer that is tried again is dropped unread.
//! **Answers** nothing itself; the last outcome is the request's. **Fails** as the service inside.
//! **Order**: phase [`Retry`](gateway_core::phase::Retry), inside authentication, limits and cache, so that none of
//! them counts or works twice. **Reads** the fact deadline; **writes** the fact attempt.
//! **Buffers** the body while it streams, up to the limit and only until the answer's head: see
//! [`replay`](gateway_core::replay). The service inside gets a [`Body`](gateway_core::Body).
//! **Costs** a [copy of the head](gateway_core::replay::Head) for every request (2 allocations), and for a body the
//! place that the tries share. A request that asks for an upgrade is passed on and costs nothing.
//! **Counts** `gateway_retries_total{place}` and, where another try would have been good,
//! `gateway_retries_abandoned_total{place, reason}` with the reason `tries`, `method`, `body`, `retry_after`,
//! `deadline` or `budget`; the log says the same.

mod budget;
#[cfg(feature = "config")]
pub(crate) mod config;
mod future;
mod layer;
mod policy;
mod retry_after;
mod service;

pub use budget::{Budget, Terms};
pub use future::RetryFuture;
pub use layer::RetryLayer;
pub use policy::{Decision, Outcome, Policy, Reason, Try};
pub use service::Retry;
