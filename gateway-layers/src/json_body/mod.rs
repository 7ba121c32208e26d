//! Fields of JSON answers dropped, renamed, or kept alone, while the answer streams, in constant memory.
//!
//! ```
//! use gateway_core::Body;
//! use gateway_layers::json_body::{JsonBodyLayer, Rules};
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let rules = Rules::new().allow("id").allow("items").drop("items.cost").rename("items.sku", "article");
//! let layer = JsonBodyLayer::new(rules)?;
//!
//! let order = service_fn(|_: Request<Body>| async {
//!     let json = r#"{"id": 7, "margin": 0.3, "items": [{"sku": "a", "cost": 1}, {"sku": "b"}]}"#;
//!     let answer = Response::builder().header("content-type", "application/json").body(Body::from(json));
//!     Ok::<_, std::convert::Infallible>(answer.unwrap())
//! });
//! let answer = layer.layer(order).oneshot(Request::new(Body::empty())).await?;
//! let text = Body::collect_limited(answer.into_body(), 1 << 10).await?;
//! assert_eq!(text, r#"{"id": 7, "items": [{"article": "a"}, {"article": "b"}]}"#);
//! # Ok(())
//! # }
//! ```
//!
//! A [`Field`](crate::json::Field) says which members are meant: `a.b`, `a.*`, `**.b`.
//!
//! - `drop` takes a member out. It wins over the others.
//! - `rename` gives a member another name in the same object. Rules name fields as they come from the upstream. If the
//!   object has the new name already, the first of the two members stays, so that no name is there twice.
//! - `allow` keeps what it names, with everything in it, and takes out all the rest. Objects and arrays on the way to
//!   something that is allowed stay, if only as `{}` and `[]`; a document that is neither becomes `null`.
//!
//! Which answers are rewritten, what is refused with 502, and what happens to `ETag`, ranges and compression says
//! [`json`](crate::json). Bodies of requests are not edited.
//!
//! **Order**: phase [`Shape`](gateway_core::phase::Shape), outside of `mask`, which so sees the upstream's names.
//! **Buffers** one name of a member, one piece of what waits for it, and the state of at most 128 levels: about 10 KiB.
//! **Costs** without rules nothing; with rules no allocation for an answer that is no JSON, and for JSON those of the
//! state, and one for each piece in which something changes. **Counts** `gateway_decisions_total{layer="json_body"}`:
//! rewritten answers as passed, those left alone as skipped; one that breaks off later is counted once more as refused.

#[cfg(feature = "config")]
pub(crate) mod config;
mod layer;
#[cfg(test)]
mod tests;

pub use layer::{JsonBody, JsonBodyFuture, JsonBodyLayer, Rules};
