//! How many requests a caller may make: `429 Too Many Requests` for the rest.
//!
//! A limit is a [`Quota`] per [`Key`](gateway_core::Key) (a client address, a principal, a route ...), counted by an
//! [`Algorithm`]: a token bucket, in which no span of time `t` passes more than `burst + rate x t` requests, or a sliding
//! window, in which no span of a period passes more than `2 x requests - 2` and each window at most `requests`. Both
//! hold exactly, through one connection or a thousand. Several limits at once are charged all or not at all.
//!
//! ```
//! use gateway_core::{Body, Key};
//! use gateway_layers::rate_limit::{Algorithm, Fields, Limit, Quota, RateLimitLayer};
//! use http::{Request, Response};
//! use std::time::Duration;
//! use tower::{Layer, Service, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let hello = service_fn(|_: Request<Body>| async { Ok::<_, std::convert::Infallible>(Response::new(Body::from("hello"))) });
//! let daily = Quota::per(1_000, Duration::from_secs(86_400));
//! let layer = RateLimitLayer::limits([
//!     Limit::new("burst", Quota::per_minute(60).burst(2)).by(Key::everyone()),
//!     Limit::new("daily", daily).algorithm(Algorithm::SlidingWindow).by(Key::everyone()),
//! ]);
//! let mut service = layer.fields(Fields::Draft10).layer(hello);
//!
//! let mut ask = async || service.ready().await.unwrap().call(Request::new(Body::empty())).await.unwrap();
//! let passed = ask().await;
//! assert_eq!(passed.headers()["ratelimit-policy"], r#""burst";q=60;w=60, "daily";q=1000;w=86400"#);
//! assert_eq!(passed.headers()["ratelimit"], r#""burst";r=1;t=1"#);
//! assert_eq!(ask().await.status(), 200);
//! let refused = ask().await;
//! assert_eq!(refused.status(), 429);
//! assert_eq!(refused.headers()["retry-after"], "1");
//! # }
//! ```
//!
//! **Answers** 429 with code `rate_limited` and `Retry-After` in whole seconds, rounded up, for the limit that is the
//! last to have room; [`Fields`] says what else answers tell.
//! **Order**: phase [`Limit`](gateway_core::phase::Limit), behind authentication, so that a key can be a principal.
//! An address limit in front of authentication is placed with `.layer_at(phase::Arrive, ...)`.
//! **Reads** the facts that its keys name. **Buffers** nothing.
//! **Costs** no allocation with up to eight limits and without fields; one short lock of one of 64 shards for each limit.
//! **Trusts** the key's facts, not the client. **Bounds**: `max_keys` buckets of 32 bytes; see [`Table`].
//! **Fails** neither open nor closed: it depends on nothing outside the process, so N instances allow N times the
//! quota. Where they should count together, [`shared`](RateLimitLayer::shared) keeps the counts in Redis (feature
//! `redis`), and asks what happens when it is away.

mod bucket;
#[cfg(feature = "config")]
pub(crate) mod config;
mod fields;
mod layer;
mod limit;
mod quota;
mod rate;
mod rule;
#[cfg(feature = "redis")]
pub mod shared;
mod table;
#[cfg(test)]
mod tests;
mod ticks;
mod window;

pub use bucket::{Bucket, Refill};
pub use fields::Fields;
pub use layer::{RateLimit, RateLimitLayer};
pub use limit::{Algorithm, Limit, MissingKey};
pub use quota::Quota;
pub use rate::Left;
pub use rule::Limiter;
pub use table::Table;
pub use ticks::Ticks;
pub use window::{Span, Window};
