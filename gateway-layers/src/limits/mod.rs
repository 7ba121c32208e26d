//! How large a request may be and how long it may be silent: 414, 431, 413, 408.
//!
//! ```
//! use gateway_core::Body;
//! use gateway_layers::limits::LimitsLayer;
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let count = service_fn(|request: Request<_>| async move {
//!     let bytes = Body::collect_limited(request.into_body(), 1 << 20).await?;
//!     Ok::<_, gateway_core::BoxError>(Response::new(Body::from(bytes.len().to_string())))
//! });
//! let service = LimitsLayer::default().body(5).layer(count);
//!
//! let fits = service.clone().oneshot(Request::new(Body::from("12345"))).await.unwrap();
//! assert_eq!(fits.status(), 200);
//! let too_long = Request::new(Body::from("123456"));
//! assert_eq!(service.oneshot(too_long).await.unwrap().status(), 413);
//! # }
//! ```
//!
//! | limit | default | past it |
//! | --- | --- | --- |
//! | request target | 8 KiB | 414 `target_too_long` |
//! | header fields | 100 | 431 `headers_too_large` |
//! | header bytes, names and values | 32 KiB | 431 `headers_too_large` |
//! | body | none: it streams through | 413 `body_too_large` |
//! | silence inside a body | 25 s | 408 `body_idle` |
//!
//! **Answers** at once where the head tells, or where the body itself is surely too long; nothing inside is called
//! then, and a client that waits for `100 Continue` is not asked for its body. With a body that will not be read an
//! HTTP/1.1 answer says `Connection: close` (RFC 9112, 9.6); the server drops the rest or the connection.
//!
//! A body of unknown length is counted as it streams. Past its limit, or silent for too long, it breaks off with an
//! error that holds the [`Refusal`](gateway_core::Refusal), and [`rescue`](gateway_core::rescue) answers with it if the
//! answer's head is not out yet; if it is, the transfer breaks. Bare in axum, an extractor that reads such a body
//! answers 400, and a handler that reads it itself finds the refusal with
//! [`refusal_for`](gateway_core::error::refusal_for).
//!
//! **Silence** is time in which somebody waited for a frame and none came; a reader that pauses is not held against
//! the client. Set [`body_idle(None)`](LimitsLayer::body_idle) where clients stream and may have nothing to say for
//! long, as in gRPC. A body that trickles is bounded by the feature `timeout` alone, and not at all once the answer's
//! head is out.
//!
//! **Order**: phase [`Arrive`](gateway_core::phase::Arrive). **Buffers** nothing. **Costs** no allocation, and a timer
//! only once a body is silent. **Counts** `gateway_decisions_total`.

mod body;
#[cfg(feature = "config")]
pub(crate) mod config;
mod layer;
mod service;
mod sizes;

pub use body::LimitedBody;
pub use layer::LimitsLayer;
pub use service::{Limits, LimitsFuture};
