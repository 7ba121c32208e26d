//! The builder: layers put together in an order that the compiler checks.
//!
//! It is thin. Whatever it makes can be made with [`tower::ServiceBuilder`](https://docs.rs/tower) of the same
//! public parts: [`RescueLayer`](gateway_core::RescueLayer) outermost, then
//! [`CanonicalLayer`](gateway_core::canonical::CanonicalLayer), then the gateway's layers, then
//! [`RoutingLayer`](crate::routing::RoutingLayer) with a stack for every rule.
//!
//! ```
//! use gateway_core::{Body, phase};
//! use gateway_layers::{gateway::Gateway, routing::Rule};
//! use http::{Request, Response};
//! use tower::{ServiceExt, service_fn, util::MapResponseLayer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hello = service_fn(|_: Request<Body>| async { Ok::<_, std::convert::Infallible>(Response::new(Body::from("hello"))) });
//! let polite = MapResponseLayer::new(|mut response: Response<Body>| {
//!     response.headers_mut().insert("x-greeting", "please".parse().expect("a header value"));
//!     response
//! });
//! let gateway = Gateway::builder()
//!     .route(Rule::path("/hello"), |route| route.layer_at(phase::Shape, polite).service(hello))
//!     .build()?;
//!
//! let request = Request::get("/hello").header("host", "example.com").body(Body::empty())?;
//! let response = gateway.oneshot(request).await?;
//! assert_eq!(response.headers()["x-greeting"], "please");
//! # Ok(())
//! # }
//! ```
//!
//! A layer that belongs before the one already added does not compile:
//!
//! ```compile_fail,E0277
//! # #[cfg(all(feature = "rate_limit", feature = "request_id"))] {
//! use gateway_layers::{gateway::Gateway, rate_limit::{Quota, RateLimitLayer}, request_id::RequestIdLayer};
//!
//! // error: a layer of phase `Arrive` cannot come after one of phase `Limit`
//! let builder = Gateway::builder().layer(RateLimitLayer::new(Quota::per_second(1))).layer(RequestIdLayer::default());
//! # }
//! # #[cfg(not(all(feature = "rate_limit", feature = "request_id")))] const _: () = missing();
//! ```

mod build_error;
mod builder;
mod route;
mod service;
#[cfg(test)]
mod tests;

pub use build_error::{BuildError, Problem};
pub use builder::{Builder, Routes};
pub use route::{Route, RouteBuilder};
pub use service::Gateway;
