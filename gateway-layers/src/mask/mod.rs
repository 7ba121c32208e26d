//! Fields of JSON answers hidden or taken out while the answer streams, in constant memory.
//!
//! ```
//! use gateway_core::Body;
//! use gateway_layers::mask::{MaskLayer, Rules};
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let rules = Rules::new().replace("**.password", "***").keep_last("card.number", "***", 4).remove("debug");
//! let layer = MaskLayer::new(rules)?;
//!
//! let user = service_fn(|_: Request<Body>| async {
//!     let json = r#"{"password": "hush", "debug": [1], "card": {"number": "4111 1111 1111 1234"}}"#;
//!     let answer = Response::builder().header("content-type", "application/json").body(Body::from(json));
//!     Ok::<_, std::convert::Infallible>(answer.unwrap())
//! });
//! let answer = layer.layer(user).oneshot(Request::new(Body::empty())).await?;
//! let text = Body::collect_limited(answer.into_body(), 1 << 10).await?;
//! assert_eq!(text, r#"{"password": "***", "card": {"number": "***1234"}}"#);
//! # Ok(())
//! # }
//! ```
//!
//! A [`Field`](crate::json::Field) says which members are meant: `card.number`, `card.*`, `**.password`. A value that
//! is hidden is replaced as a whole, whatever it is: a text, a number, `null`, an object, an array. Of a text or a
//! number the last characters may stay readable, if at least as many are hidden. If several rules mean a value, the one
//! that shows less holds.
//!
//! Which answers are rewritten, what is refused with 502, and what happens to `ETag`, ranges and compression says
//! [`json`](crate::json). Requests, URLs and headers are not masked, and neither are event streams.
//!
//! **Order**: phase [`Shape`](gateway_core::phase::Shape), inside of `json_body`, so that fields have the names that
//! the upstream gave them. Log lines hold no bodies. **Buffers** one name of a member, one piece of what waits for it,
//! and the state of at most 128 levels: about 10 KiB. **Costs** without rules nothing; with rules no allocation for an
//! answer that is no JSON, and for JSON those of the state, and one for each piece in which something changes.
//! **Counts** `gateway_decisions_total{layer="mask"}`: rewritten answers as passed, those left alone as skipped; one that
//! breaks off later is counted once more as refused.

#[cfg(feature = "config")]
pub(crate) mod config;
mod layer;
#[cfg(test)]
mod tests;

pub use layer::{Mask, MaskFuture, MaskLayer, Rules};
