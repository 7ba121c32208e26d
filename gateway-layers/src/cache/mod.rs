//! Answers from a store what the origin said may be answered so: a shared cache by RFC 9111, without guesses.
//!
//! ```
//! use std::convert::Infallible;
//! use gateway_core::Body;
//! use gateway_layers::cache::CacheLayer;
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let origin = service_fn(|_: Request<Body>| async {
//!     let response = Response::builder().header("cache-control", "max-age=60");
//!     Ok::<_, Infallible>(response.body(Body::from("hello")).unwrap())
//! });
//! // Time stands still here, so that the example always says the same.
//! let (clock, _) = gateway_core::Clock::manual();
//! let service = CacheLayer::default().clock(clock).layer(origin);
//! for expected in ["gateway; fwd=uri-miss; stored; ttl=60", "gateway; hit; ttl=60"] {
//!     let response = service.clone().oneshot(Request::new(Body::empty())).await.unwrap();
//!     assert_eq!(response.headers()["cache-status"], expected);
//!     // What is read to its end is stored.
//!     assert_eq!(Body::collect_limited(response.into_body(), 9).await.unwrap(), "hello");
//! }
//! # }
//! ```
//!
//! | what | where | by |
//! | --- | --- | --- |
//! | may it be stored | `storable` | RFC 9111, 3 |
//! | how old is it, how old may it get | `freshness` | 4.2: explicit lifetimes alone |
//! | is it for this request | `key`, `vary` | 2, 4.1 |
//! | does the client take it | `request`, `reuse` | 4, 5.2.1 |
//! | is it still current | `conditional` | 4.3 |
//! | was it changed meanwhile | `change`, `targets` | 4.4 |
//!
//! Those are functions of heads and moments; `fetch`, `flight` and `filling` do what they say.
//!
//! **Answers** hits; 304 to a client that has the answer already; 504 `only_if_cached`. A 304 of the upstream about
//! something that was not asked for is 502 `upstream_protocol`. Every answer that passes has `Cache-Status` (RFC 9211).
//!
//! **Who shares** is a [`Partition`]; nobody does unless told. In each of them RFC 9111, 3.5 holds, for a principal
//! found by any layer as for `Authorization`.
//!
//! **One fetch**: requests for the same wait for the head of the first, at most [`lock_wait`](CacheLayer::lock_wait)
//! and never past their deadline, each with the service that was made ready for it. If the answer is for all, they read
//! it as it comes; whoever reads next asks the upstream for more, so neither a slow reader nor one that leaves harms
//! the others. If its length is unknown they wait for its end, because it may turn out to be too long to be kept. If it
//! is not for all, they go on at once, and the next 10 s nobody waits for it. Core's `single_flight` tells an outcome
//! once; here one can still join while the body is on its way.
//!
//! **Order**: phase [`Answer`](gateway_core::phase::Answer): behind what decides who may ask, in front of whatever
//! sends requests twice. **Reads** the facts principal and deadline. **Buffers** bodies that are being stored, up to
//! [`max_object`](CacheLayer::max_object) each, from [`Buffers`](gateway_core::budget::Buffers); where that is used up
//! answers pass and are not stored. **Trusts** the origin's `Cache-Control`. **Costs** on a hit the copy of the head,
//! on the way of what passes by only the header. **Counts** `gateway_cache_requests_total` and `gateway_cache_bytes`.
//!
//! The body becomes [`Body`](gateway_core::Body), which costs nothing where it is one already.

mod change;
mod conditional;
#[cfg(feature = "config")]
pub(crate) mod config;
mod directives;
mod entry;
mod fetch;
mod filling;
mod flight;
mod freshness;
mod future;
mod key;
mod layer;
mod marks;
#[cfg(test)]
mod oracle;
mod request;
mod reuse;
mod said;
mod service;
mod status;
mod storable;
mod store;
mod targets;
#[cfg(test)]
mod tests;
mod vary;
mod wakers;

pub use future::CacheFuture;
pub use key::Partition;
pub use layer::CacheLayer;
pub use service::Cache;
pub use store::Store;
