//! What is answered instead of a failure: something fixed, or what another upstream says.
//!
//! ```
//! use gateway_core::{Body, UpstreamError, error::ErrorKind};
//! use gateway_layers::fallback::{FallbackLayer, Instead};
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let gone = service_fn(|_: Request<Body>| async {
//!     Err::<Response<Body>, _>(UpstreamError::new(ErrorKind::Connect))
//! });
//! let service = FallbackLayer::answer(Instead::json(r#"{"items":[]}"#)).layer(gone);
//!
//! let answer = service.oneshot(Request::new(Body::empty())).await.unwrap();
//! assert_eq!(answer.status(), 200);
//! assert_eq!(answer.headers()["x-fallback"], "upstream_connect");
//! assert_eq!(answer.headers()["cache-control"], "no-store");
//! # }
//! ```
//!
//! **Steps in** for an answer with status 502, 503 or 504, whoever made it (the upstream, or a layer inside that
//! refuses with `circuit_open` or ran out of time), and for a failure that would be answered so. Never for a client's
//! mistake: statuses below 500 and a request body that broke off are passed on.
//! **Answers** what it was told, or what the other service says, with `x-fallback: REASON` (the code of the failure or
//! refusal, or `status_503`) and `Cache-Control: no-store`, so that nobody takes it for the real thing later. If the
//! other service fails, too, the first failure is the request's.
//! **Sends** a request to the other service only if that does nothing twice: nothing of it was sent, or its method is
//! idempotent (RFC 9110 section 9.2.2); and only if its body is whole. A fixed answer is given to every request.
//! The client's credentials go along only if that is said: [`Credentials`].
//! **Order**: phase [`Recover`](gateway_core::phase::Recover), around `retry`. The deadline of the request bounds it
//! as everything: an upstream that takes all the time leaves none for another one, unless `timeout.per_try` is shorter.
//! **Buffers** nothing for a fixed answer; for another service up to 64 KiB of a body, together with `retry`.
//! **Costs** no allocation for a fixed answer; for another service a [copy of the head](gateway_core::replay::Head)
//! (2 allocations) and the shared place of a body.
//! The body of every answer becomes a [`Body`](gateway_core::Body).
//! **Counts** `gateway_fallbacks_total{place, reason}`.

#[cfg(feature = "config")]
pub(crate) mod config;
mod future;
mod instead;
mod layer;
mod reason;
mod service;

pub use future::FallbackFuture;
pub use instead::{Instead, Nobody};
pub use layer::{Credentials, FallbackLayer};
pub use reason::{Reason, Trigger};
pub use service::Fallback;
