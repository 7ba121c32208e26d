//! How many requests a caller may make: `429 Too Many Requests` for the rest.
//!
//! Each key (a client address, an API key, a route ...) has a token bucket: it holds up to `burst` tokens, every
//! request takes one, and tokens come back at a steady rate. In any span of time `t` a key passes at most
//! `burst + rate x t` requests, exactly, through one connection or a thousand.
//!
//! ```
//! use gateway_core::{Body, Key};
//! use gateway_layers::rate_limit::{Quota, RateLimitLayer};
//! use http::{Request, Response};
//! use tower::{Layer, Service, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let hello = service_fn(|_: Request<Body>| async { Ok::<_, std::convert::Infallible>(Response::new(Body::from("hello"))) });
//! let mut service = RateLimitLayer::new(Quota::per_minute(60).burst(2)).by(Key::everyone()).layer(hello);
//!
//! let mut ask = async || service.ready().await.unwrap().call(Request::new(Body::empty())).await.unwrap();
//! assert_eq!(ask().await.status(), 200);
//! assert_eq!(ask().await.status(), 200);
//! let refused = ask().await;
//! assert_eq!(refused.status(), 429);
//! assert_eq!(refused.headers()["retry-after"], "1");
//! # }
//! ```
//!
//! **Answers** 429 with code `rate_limited` and `Retry-After` in whole seconds.
//! **Order**: phase [`Limit`](gateway_core::phase::Limit), behind authentication, so that a key can be a principal.
//! An address limit in front of authentication is placed with `.layer_at(phase::Arrive, ...)`.
//! **Reads** the facts that its [`Key`](gateway_core::Key) names. **Buffers** nothing.
//! **Costs** no allocation; one short lock of one of 64 shards.
//! **Trusts** the key's facts, not the client. **Bounds**: `max_keys` buckets of 32 bytes; see [`Table`].
//! **Fails** neither open nor closed: it depends on nothing outside the process, so N instances allow N times the
//! quota.

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
