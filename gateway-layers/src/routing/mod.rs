//! Which rule serves a request: by host, path and method; 404 or 405 for the rest.
//!
//! Rules are compiled into an immutable [`Table`]; finding one costs the same among ten and among ten thousand,
//! and allocates nothing. Each rule leads to a stack of its own, behind the one boxed seam of a gateway.
//!
//! ```
//! use gateway_core::Body;
//! use gateway_layers::routing::{NotFound, RoutingLayer, Rule, Stack};
//! use http::{Method, Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let order = service_fn(|_: Request<Body>| async { Ok::<_, std::convert::Infallible>(Response::new(Body::from("tea"))) });
//! let rule = Rule::path("/orders/{id}").host("*.example.com").method(Method::GET);
//! let service = RoutingLayer::new([(rule, Stack::new(order))])?.layer(NotFound);
//!
//! let ask = async |method, path| {
//!     let request = Request::builder().method(method).uri(path).header("host", "shop.example.com");
//!     service.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
//! };
//! assert_eq!(ask("HEAD", "/orders/7").await.status(), 200);
//! assert_eq!(ask("GET", "/baskets").await.status(), 404);
//! let refused = ask("DELETE", "/orders/7").await;
//! assert_eq!((refused.status().as_u16(), &refused.headers()["allow"]), (405, &"GET, HEAD".parse()?));
//! # Ok(())
//! # }
//! ```
//!
//! **Precedence**: an exact host before the longest wildcard before any host; within a host a fixed segment before a
//! parameter, both before `{*rest}`, and that before a prefix, segment by segment; within a path a named method
//! before any method. The most specific rule of which *every* part matches serves; `HEAD` is served by rules for
//! `GET`.
//! **Answers** 405 `method_not_allowed` with `Allow`; requests without a rule go to the wrapped service, and
//! [`NotFound`] answers 404 `no_route`. **Order**: phase [`Choose`](gateway_core::phase::Choose), behind
//! [`canonical`](gateway_core::canonical). **Writes** the fact route. **Buffers** nothing. **Costs** one boxed future
//! and, where a layer changed the request's body, one box for it. **Bounds** a pattern to [`Rule::MAX_SEGMENTS`].
//! **Errors**: those of the route's stack, boxed; [`rescue`](gateway_core::rescue) answers them.

mod builder;
mod candidate;
mod condition;
#[cfg(feature = "config")]
pub(crate) mod config;
mod conflict;
mod error;
mod fields;
mod hosts;
mod layer;
mod listeners;
mod live;
mod media;
mod methods;
mod not_found;
mod pattern;
mod place;
#[cfg(feature = "regex")]
mod regex;
#[cfg(not(feature = "regex"))]
#[path = "no_regex.rs"]
mod regex;
mod rule;
mod service;
mod stack;
mod table;
mod text;
mod tree;
mod witness;

pub(crate) use builder::TableBuilder;
#[cfg(feature = "config")]
pub(crate) use error::Part;
pub use error::RuleError;
pub use layer::{RoutingLayer, RulesError};
pub use listeners::{Listeners, hosts_behind};
pub use live::LiveTable;
pub use not_found::NotFound;
#[cfg(feature = "aggregate")]
pub(crate) use pattern::Segments;
pub use rule::Rule;
pub use service::{Routing, RoutingFuture};
pub use stack::{Stack, StackFuture};
pub use table::{Found, Hit, Table};
pub use text::Text;
pub use witness::Witness;
