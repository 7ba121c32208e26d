//! Who the client is, behind trusted proxies.
//!
//! The peer of a connection may be a proxy that forwards for others and says for whom, in `X-Forwarded-For` or
//! `Forwarded`. Anybody can write these headers, so they count only from peers that are trusted by name; by default
//! nobody is. Limits, logs and the upstream then all see the same address.
//!
//! ```
//! use gateway_core::{Body, Facts};
//! use gateway_layers::client_addr::ClientAddrLayer;
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let who = service_fn(|request: Request<Body>| async move {
//!     let address = Facts::get(request.extensions()).and_then(Facts::client_addr);
//!     Ok::<_, std::convert::Infallible>(Response::new(Body::from(format!("{address:?}"))))
//! });
//! // Our own server writes the peer into the facts; a closure reads it from wherever another server leaves it.
//! let layer = ClientAddrLayer::new(["10.0.0.0/8".parse()?]).peer(|_| Some(([10, 0, 0, 1], 4000).into()));
//!
//! let request = Request::get("/").header("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.0.0.7").body(Body::empty())?;
//! let answer = layer.layer(who).oneshot(request).await?;
//! assert_eq!(Body::collect_limited(answer.into_body(), 100).await?, "Some(203.0.113.9)");
//! # Ok(())
//! # }
//! ```
//!
//! The list is walked from its end: trusted addresses are skipped, the first other one is the client. An element that
//! is no address ends the walk at the last good one.
//! **Answers** nothing itself. **Order**: phase [`Arrive`](gateway_core::phase::Arrive). **Reads** the fact peer, axum's
//! `ConnectInfo` or your closure; **writes** the facts client address and peer trusted, and removes every forwarded
//! header of a peer that is not trusted. A request without a known peer gets no address. **Buffers** nothing.
//! **Costs** no allocation. **Trusts** only the networks that you name.

#[cfg(feature = "config")]
pub(crate) mod config;
mod layer;
mod walk;

pub use gateway_core::{Network, NetworkError};
pub use layer::{ClientAddr, ClientAddrLayer, Resolver};
pub use walk::ForwardedHeader;
