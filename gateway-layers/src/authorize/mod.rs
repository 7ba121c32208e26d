//! What the caller may do, by scope, role and group: `403 Forbidden` for the rest.
//!
//! ```
//! use gateway_core::{Body, Facts, facts::Principal};
//! use gateway_layers::authorize::AuthorizeLayer;
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let hello = service_fn(|_: Request<Body>| async { Ok::<_, std::convert::Infallible>(Response::new(Body::from("hello"))) });
//! let service = AuthorizeLayer::default().scopes(["orders:write"]).layer(hello);
//!
//! let mut request = Request::new(Body::empty());
//! // An authentication layer in front writes this.
//! let caller = Principal::new("https://login.example.com", "ada").with_scopes(["orders:read"]);
//! Facts::of(request.extensions_mut(), &Default::default()).set_principal(&caller);
//! let refused = service.oneshot(request).await.unwrap();
//! assert_eq!(refused.status(), 403);
//! let challenge = &refused.headers()["www-authenticate"];
//! assert_eq!(challenge, "Bearer realm=\"gateway\", error=\"insufficient_scope\", scope=\"orders:write\"");
//! # }
//! ```
//!
//! **Answers** 401 `not_authenticated` where nobody said who the caller is; 403 `insufficient_scope` with the scopes
//! that are needed (RFC 6750, 3.1); 403 `forbidden` for roles and groups, without a word about which.
//! **Order**: phase [`Allow`](gateway_core::phase::Allow), behind what authenticates.
//! **Reads** the fact [`principal`](gateway_core::Facts::principal). **Buffers** nothing. **Costs** no allocation.
//! **Trusts** the principal and nothing of the request itself.
//! **Fails** closed: without a rule it still demands a caller.

#[cfg(feature = "config")]
pub(crate) mod config;
mod layer;
mod policy;

pub use layer::{Authorize, AuthorizeLayer, Authorizer};
pub use policy::{Lack, Policy};
