//! Which rule serves a request: by host, path and method; 404 or 405 for the rest.
//!
//! Rules are compiled into an immutable [`Table`]; finding one costs the same among ten and among a hundred thousand,
//! and allocates nothing. With the feature `live_table` it can be replaced while requests are in flight. Each rule leads
//! to a stack of its own, behind the one boxed seam of a gateway.
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
//! **Precedence**, which is the Gateway API's: an exact host before the longest wildcard before any host; then segment
//! by segment a literal before a regular expression that may go on from here, that before a parameter, that before
//! `{*rest}`, and that before a prefix; then a named method, the most header matches, query matches, cookies, other
//! conditions, and the first in the list. The most specific rule of which *every* part matches serves; `HEAD` is served
//! by rules for `GET`. Two rules that can never be told apart, and a rule that never serves because another goes first,
//! are errors of the table.
//! **Answers** 405 `method_not_allowed` with `Allow`, and 421 `misdirected` if asked for; requests without a rule go to
//! the wrapped service, and [`NotFound`] answers 404 `no_route`. **Order**: phase
//! [`Choose`](gateway_core::phase::Choose), behind [`canonical`](gateway_core::canonical). **Reads** the facts client
//! address and TLS session. **Writes** the facts route and path params. **Buffers** nothing. **Costs** one boxed future
//! and, where a layer changed the request's body, one box for it. **Bounds** a pattern to [`Rule::MAX_SEGMENTS`] and a
//! match to [`Rule::MAX_CONDITIONS`]. **Errors**: those of the route's stack, boxed; [`rescue`](gateway_core::rescue)
//! answers them.

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
#[cfg(feature = "live_table")]
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
#[cfg(feature = "live_table")]
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
