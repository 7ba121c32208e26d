//! Headers set, added, removed and renamed, on the way in and on the way out.
//!
//! ```
//! use gateway_core::Body;
//! use gateway_layers::headers::{HeadersLayer, Rules};
//! use http::{HeaderName, HeaderValue, Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let name = HeaderName::from_static;
//! let request = Rules::new().set(name("x-tenant"), HeaderValue::from_static("blue"));
//! let response = Rules::new().remove(name("x-internal"));
//! let layer = HeadersLayer::new(request, response)?;
//!
//! let tenant = service_fn(|request: Request<Body>| async move {
//!     let tenant = request.headers()["x-tenant"].clone();
//!     Ok::<_, std::convert::Infallible>(Response::builder().header("x-internal", tenant).body(Body::empty()).unwrap())
//! });
//! let answer = layer.layer(tenant).oneshot(Request::new(Body::empty())).await?;
//! assert!(answer.headers().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! Each header name has at most one action in each direction; two would depend on an order that nobody sees. Names
//! that frame a message or belong to one hop cannot be named: their owner is the server and the forwarder. Neither can
//! `Host`: the upstream's host policy chooses it. [`HeadersLayer::new`] says which name it refuses and why.
//!
//! A value may be made of [facts](Template), such as `{principal}`, which are known once the request reaches this layer.
//! If a fact is missing, the header is not there at all, and neither is a copy that the client sent: an upstream that
//! reads `x-user` must be able to believe it. Headers about the caller are
//! [owned](gateway_core::phase::Staged::owned_headers): a gateway strips the client's copies on every route, also on
//! those without this layer. `Authorization` and `Cookie` are stripped only here, because whoever authenticates reads them.
//!
//! Rules for answers also apply to refusals made inside, not to errors; put the layer outside of whatever turns errors
//! into answers if those should have them. Trailers are left alone. Values may be secrets: neither `Debug` nor
//! `explain` shows them.
//!
//! **Order**: phase [`Shape`](gateway_core::phase::Shape). **Buffers** nothing. **Costs** nothing without rules, and no
//! allocation with them: a value that is set is shared, so only the header map itself may grow. Renaming a header of
//! several values allocates their list; values of facts allocate a list, and two times each.

#[cfg(feature = "config")]
pub(crate) mod config;
mod rules;
mod service;
mod template;

pub use rules::{HeaderRuleError, Rules};
pub use service::{Headers, HeadersFuture, HeadersLayer};
pub use template::{Template, TemplateError};
