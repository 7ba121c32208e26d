//! Who is calling, by an API key: `401 Unauthorized` without a good one.
//!
//! Keys are kept as SHA-256 digests: who reads the configuration cannot call with it. That is safe for keys that are
//! random, at least 128 bits of it, and for those alone; it is no way to keep passwords, which can be guessed.
//!
//! ```
//! use gateway_core::{Body, Facts};
//! use gateway_layers::api_key::{ApiKey, ApiKeyLayer, KeyDigest};
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hello = service_fn(|request: Request<Body>| async move {
//!     let caller = Facts::get(request.extensions()).and_then(Facts::principal).map(|caller| caller.id().to_owned());
//!     assert!(!request.headers().contains_key("x-api-key"), "the upstream does not get the key");
//!     Ok::<_, std::convert::Infallible>(Response::new(Body::from(caller.unwrap_or_default())))
//! });
//! // What `printf %s "$KEY" | sha256sum` prints.
//! let digest: KeyDigest = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683".parse()?;
//! let service = ApiKeyLayer::new([ApiKey::new("billing", digest).scopes(["orders:read"])]).layer(hello);
//!
//! let call = |key: &str| service.clone().oneshot(Request::get("/").header("x-api-key", key).body(Body::empty()).unwrap());
//! assert_eq!(call("key").await?.status(), 200);
//! let refused = call("another").await?;
//! assert_eq!(refused.status(), 401);
//! assert_eq!(refused.headers()["www-authenticate"], "ApiKey realm=\"gateway\"");
//! # Ok(())
//! # }
//! ```
//!
//! **Answers** 401 `api_key_missing` and `api_key_invalid`, 400 `invalid_request` for two keys. HTTP demands a
//! `WWW-Authenticate` with every 401 and knows no scheme for API keys; it gets `ApiKey`, which clients that know
//! schemes will not take for one of theirs.
//! **Order**: phase [`Allow`](gateway_core::phase::Allow). What this caller may do is decided by `authorize` behind it.
//! **Writes** the fact [`principal`](gateway_core::Facts::principal), with `api_key` as its realm; **removes** the key
//! from what the upstream gets. **Buffers** nothing.
//! **Costs** one SHA-256 of the key, no allocation.
//! **Trusts** nothing but the digest. **Bounds**: 512 bytes of key. **Fails** closed; it depends on nothing outside.
//!
//! A key is looked up by its digest. How long that takes tells at most something about the digest of a guess, which
//! nobody can choose, and nothing about a key; the digests themselves are compared in constant time.

#[cfg(feature = "config")]
pub(crate) mod config;
mod digest;
mod layer;
mod store;

pub use digest::{KeyDigest, NoDigest};
pub use layer::{ApiKeyAuth, ApiKeyLayer, KeyCheck};
pub use store::{ApiKey, Lookup, Store};
