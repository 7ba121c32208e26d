//! Who is calling, by a signed bearer token: `401 Unauthorized` without a good one.
//!
//! A token (JWT, RFC 7519) passes if its form is strict, one of the issuer's keys signed it with an algorithm that the
//! configuration names, and it claims this issuer, one of these audiences and a time that is now. What it says about
//! the caller becomes the fact [`principal`](gateway_core::Facts::principal) and, if wished, headers for the upstream.
//!
//! ```
//! use gateway_core::{Body, Facts};
//! use gateway_layers::jwt::{Algorithm, JwtLayer, VerifyingKey};
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hello = service_fn(|request: Request<Body>| async move {
//!     let caller = Facts::get(request.extensions()).and_then(Facts::principal).map(|caller| caller.id().to_owned());
//!     Ok::<_, std::convert::Infallible>(Response::new(Body::from(caller.unwrap_or_default())))
//! });
//! let key = VerifyingKey::secret(Algorithm::Hs256, b"a secret that is as long as a hash")?;
//! let service = JwtLayer::new("https://login.example.com", ["orders"], [key]).layer(hello);
//!
//! let refused = service.oneshot(Request::new(Body::empty())).await?;
//! assert_eq!(refused.status(), 401);
//! assert_eq!(refused.headers()["www-authenticate"], "Bearer realm=\"gateway\"");
//! # Ok(())
//! # }
//! ```
//!
//! **Answers** 401 `token_missing` and `token_invalid` and 400 `invalid_request` (two tokens) with `WWW-Authenticate`
//! as RFC 6750 says; 503 `keys_unavailable` with `Retry-After` while the issuer's keys cannot be had. What exactly is
//! wrong with a token is told to the log alone.
//! **Order**: phase [`Allow`](gateway_core::phase::Allow). What this caller may do is decided by `authorize` behind it.
//! **Writes** the fact `principal`, unless somebody in front did already, and the headers that [`JwtLayer::header`] names; **removes** those from every
//! request, and the token from what the upstream gets. **Buffers** nothing.
//! **Costs** a SHA-256 of the token and no allocation for a token that was good before; a signature check, 20 us for
//! RS256, for a new one.
//! **Waits** only for keys: at most 5 s, and never beyond the request's deadline.
//! **Trusts** the configuration for algorithms and keys, never the token's header: `jku`, `jwk`, `x5u` and `x5c` are
//! not read, and what changes the meaning of a token (`crit`, `b64`, `zip`, encryption) is refused.
//! **Bounds**: 8 KiB of token, 8 keys tried for one, [`JwtLayer::CACHE`] remembered tokens, 64 keys of a set, one
//! fetch in [`RemoteKeys::REFETCH`] however many unknown keys are named.
//! **Fails** closed. While a key source fails, the last good set is used for [`RemoteKeys::MAX_STALE`].
//!
//! A token that was good is good until it expires or the key set changes; there is no way to withdraw a single one.

mod algorithm;
mod backend;
mod cache;
mod challenge;
mod claims;
#[cfg(feature = "config")]
pub(crate) mod config;
mod flaw;
mod gate;
mod json;
mod key;
mod key_set;
mod layer;
mod pem;
mod place;
mod remote;
mod source;
#[cfg(test)]
mod tests;
mod token;
mod verified;

pub use algorithm::Algorithm;
pub use gate::Authenticate;
pub use key::{KeyError, VerifyingKey};
pub use layer::{JwtLayer, Keys};
pub use place::TokenPlace;
pub use remote::RemoteKeys;
pub use source::{KeyDocument, KeySource};
