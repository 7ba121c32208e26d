//! [`Forward`]: the leaf that forwards a request to an upstream and streams the answer back.
//!
//! It speaks HTTP/1.1 over connections that it keeps, tries another endpoint when one cannot be reached, and sends
//! a request again only if it provably was never sent. What `retry` sends again begins at another endpoint. Both bodies stream; dropping the future or the answer's body
//! cancels the exchange and closes its connection, unless what is left is short and there already.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use gateway_core::{Body, upstream::Upstream};
//! use http::Request;
//! use tower::ServiceExt;
//!
//! let forward = Upstream::new(["http://127.0.0.1:9001"]).build()?;
//! let response = forward.oneshot(Request::get("/orders").body(Body::empty())?).await?;
//! assert_eq!(response.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! | limit | value | past it |
//! | --- | --- | --- |
//! | connect | 1 s | [`Connect`](crate::error::ErrorKind::Connect) |
//! | response head, after the last byte of the request was taken | 30 s, or the request's deadline | [`Timeout`](crate::error::ErrorKind::Timeout) |
//! | size of the response head | 64 KiB, 100 fields | [`Protocol`](crate::error::ErrorKind::Protocol) |
//! | silence inside a response body | 60 s | the transfer breaks off |
//! | idle connections per endpoint | 64, for 30 s | closed |

mod address;
mod attempt;
mod body;
mod checker;
mod connect;
mod connection;
mod counts;
mod explain;
mod forward;
mod h1;
mod h2;
mod head;
mod idle;
mod line;
mod places;
mod pool;
mod progress;
mod shard;
mod socket;
mod timer;
mod upgrade;

pub(crate) use body::ResponseBody;
pub use forward::{Forward, ForwardFuture};
pub(crate) use progress::Progress;
