//! JSON that is rewritten while it passes: what `json_body` and `mask` share.
//!
//! A document is read byte by byte and never kept. Whatever the pieces are that it comes in, the same comes out, as
//! early as it is certain: the memory for one answer is a few kilobytes, and does not grow with the document.
//!
//! **Which answers.** Those whose `Content-Type` is `application/json`, `text/json`, ends in `+json`, or is one of the
//! types for several documents behind each other (NDJSON, JSON lines, `json-seq`, RFC 7464). If there is no
//! `Content-Type`, those that begin with `{` or `[`. Answers of every status. Everything else passes untouched, event
//! streams and gRPC too, unless a layer is told to let nothing but JSON pass; so do refusals of layers inside.
//!
//! **Nothing slips out.** What cannot be read cannot be rewritten, so it does not pass:
//!
//! | answer | outcome |
//! | --- | --- |
//! | compressed, although the request asked for `identity` | 502 `encoded_body` |
//! | a part of the whole (206), although the request did not ask for one | 502 `partial_body` |
//! | in another charset than UTF-8 | 502 `unknown_charset` |
//! | no JSON, where nothing else may pass | 502 `not_json` |
//! | no JSON, or no JSON any more: the head is gone by then | the transfer is broken visibly, cause `broken_json` |
//!
//! JSON is read strictly as in RFC 8259. Comments, trailing commas, `NaN`, single quotes, invalid UTF-8, or a document
//! that ends in its middle are broken: some client would read another document in them than we do. So is one that is
//! nested more than 128 levels deep.
//!
//! **What is kept.** Everything that no rule is about, byte for byte: numbers, escapes, space, the order of members. Of
//! several members with the same name each is treated. The space in front of a member that is taken out goes with it.
//!
//! **The message.** The upstream is asked for the whole representation without compression: `Accept-Encoding` becomes
//! `identity`, `Range` and `If-Range` go. A rewritten answer loses `Content-Length`, `ETag`, digests, in trailers too, and
//! `Accept-Ranges`, for they tell of other bytes (RFC 9110, 8.6, 8.8.3, 14.3; RFC 9530). So does the answer to `HEAD`.
//! `Last-Modified` stays, and `304 Not Modified` passes: when rules become stricter, clients and caches still hold
//! what they got before.

#![cfg_attr(
    all(not(test), not(all(feature = "json_body", feature = "mask"))),
    expect(dead_code, reason = "each of the two concerns has rules of its own")
)]

mod body;
mod cover;
mod fate;
mod field;
mod head;
mod output;
mod plan;
mod plan_builder;
mod rewriter;
mod scan;
mod service;
#[cfg(test)]
mod tests;
mod text;

pub use body::JsonBody;
pub use field::{Field, FieldError};
pub use service::{Rewriting, RewritingFuture};

#[cfg(feature = "mask")]
pub(crate) use cover::Cover;
#[cfg(feature = "config")]
pub(crate) use head::Others;
pub(crate) use plan_builder::PlanBuilder;
pub(crate) use service::Policy;
