//! One JSON line for every request, when the last byte of its answer is out.
//!
//! ```
//! use gateway_core::Body;
//! use gateway_layers::access_log::{AccessLogLayer, Sink};
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let (sink, lines) = Sink::memory();
//! let hello = service_fn(|_: Request<Body>| async { Ok::<_, std::convert::Infallible>(Response::new(Body::from("hello"))) });
//! let request = Request::get("/greet?secret=1").body(Body::empty())?;
//! let answer = AccessLogLayer::new(sink.clone()).layer(hello).oneshot(request).await?;
//! assert_eq!(lines.text(), "");
//! Body::collect_limited(answer.into_body(), 100).await?;
//!
//! sink.flush(std::time::Duration::from_secs(1));
//! let line: serde_json::Value = serde_json::from_str(&lines.text())?;
//! assert_eq!((&line["path"], &line["status"], &line["bytes_out"]), (&"/greet".into(), &200.into(), &5.into()));
//! assert_eq!(line["end"], "complete");
//! # Ok(())
//! # }
//! ```
//!
//! | field | what | left out |
//! | --- | --- | --- |
//! | `time` | when the answer ended, RFC 3339, UTC, milliseconds | |
//! | `request_id` | the fact | if there is none |
//! | `client`, `peer` | the client behind trusted proxies; the other end of the connection | if unknown |
//! | `method`, `host`, `path`, `protocol` | of the request; the canonical path, never the query, which may hold secrets | `host` if there is none |
//! | `route` | the name of the rule | if no rule served it |
//! | `upstream` | the endpoint of the last try | if none was tried |
//! | `tries` | how many there were | if there was one |
//! | `status` | of the answer | if there was none: the client left or the failure went on outwards |
//! | `code`, `cause` | who refused, or what failed; the cause is not told to the client | if nobody refused |
//! | `end` | `complete`, `failed` (the answer broke off), `dropped` (the client left) | |
//! | `head_ms`, `duration_ms` | from arrival to the answer's head, and to its end | `head_ms` if there was no answer |
//! | `bytes_in` | of the request's body, if its length was said | if it was not |
//! | `bytes_out` | of the answer's body that were taken | |
//!
//! Lines go to a [`Sink`]: a bounded buffer that one thread writes out. A slow, full or stuck sink never holds up a
//! request; past the bound lines are dropped and counted.
//! **Answers** nothing. **Order**: phase [`Arrive`](gateway_core::phase::Arrive), with rescue inside, so that failures
//! are answers already (the builder does that). **Reads** all facts. **Buffers** lines, 1 MiB by default. **Costs** no
//! allocation per request beyond what the buffer grows.

#[cfg(feature = "config")]
pub(crate) mod config;
mod date;
mod layer;
mod line;
mod sink;
mod writer;

pub use layer::{AccessLog, AccessLogLayer};
pub use line::LogWatch;
pub use sink::{Lines, Sink};
