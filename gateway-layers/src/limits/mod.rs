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
//! let long = Request::builder().header("content-length", "6").body(Body::from("123456")).unwrap();
//! assert_eq!(service.oneshot(long).await.unwrap().status(), 413);
//! # }
//! ```
//!
//! | limit | default | past it |
//! | --- | --- | --- |
//! | request target | 8 KiB | 414 `target_too_long` |
//! | header fields | 100 | 431 `headers_too_large` |
//! | header bytes, names and values | 32 KiB | 431 `headers_too_large` |
//! | body | none: it streams through | 413 `body_too_large` |
//! | silence inside a body | 30 s | 408 `body_idle` |
//!
//! **Answers** at once where the head tells. A body of unknown length is counted as it streams; it then breaks off
//! with an error that holds the [`Refusal`](gateway_core::Refusal), and [`rescue`](gateway_core::rescue) answers with
//! it if the answer's head is not out yet. (Bare in axum, a handler's extractor sees the broken body and answers 400.)
//! A request that is refused with its body unread costs its HTTP/1.1 connection: the server closes it.
//! **Order**: phase [`Arrive`](gateway_core::phase::Arrive). **Buffers** nothing. **Costs** no allocation, and a timer
//! only once a body is silent.

mod body;
#[cfg(feature = "config")]
pub(crate) mod config;
mod layer;
mod sizes;

pub use body::LimitedBody;
pub use layer::{LimitBody, Limits, LimitsLayer};
pub use sizes::Sizes;
