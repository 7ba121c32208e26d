//! [`Forward`]: the leaf that forwards a request to an upstream and streams the answer back.
//!
//! It speaks HTTP/1.1 and HTTP/2 (over `http` by prior knowledge, h2c), in plain or inside TLS, as
//! [`Protocol`](crate::upstream::Protocol) and [`Upstream::tls`](crate::upstream::Upstream::tls) say. Both bodies
//! stream; dropping the future or the answer's body cancels the exchange. Over HTTP/1.1 its connection is closed then,
//! unless what is left is short and there already; over HTTP/2 its stream alone is reset.
//!
//! **Connections** are kept for the next request, the one used last first, and each is busy until the body of its
//! answer ended. An HTTP/2 connection carries as many requests as its peer allows; when its streams run out, another
//! is opened. Past the cap requests stand in line, first come, first served. The upstream's own word, the `timeout` in
//! a `Keep-Alive` field, shortens how long a connection is kept. One sweep closes what is over its time, without
//! traffic too; it runs only while there is something to close.
//!
//! **Sent again** is only what provably was never sent, or what an endpoint refused or a used connection closed under
//! a request that changes nothing and has no body: over another connection once, and then at other endpoints while
//! it is known to be unsent. What `retry` sends again begins at another endpoint.
//!
//! **Interim answers** (1xx) are read and passed over, `103 Early Hints` too: hyper's server, which answers the client,
//! cannot send one. They are bounded in time, not in number: they do not move the end of the wait for the answer, none
//! is kept, and counting them would cost each request allocations.
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
//! | connect, name look-up and TLS included | 1 s | [`Connect`](crate::error::ErrorKind::Connect) |
//! | connections per endpoint, used and unused | 1,024 | requests wait in line |
//! | requests in line per endpoint | 1,024, each within its deadline | another endpoint, or 503 `upstream_busy`; [`Timeout`](crate::error::ErrorKind::Timeout) |
//! | response head, after the last byte of the request was taken; interim answers do not count | 30 s, or the request's deadline | [`Timeout`](crate::error::ErrorKind::Timeout) |
//! | size of the response head | 64 KiB; over HTTP/1.1 100 fields | [`Protocol`](crate::error::ErrorKind::Protocol) |
//! | silence inside a response body | 60 s | the transfer breaks off |
//! | unused HTTP/1.1 connections per endpoint | 64, for 30 s | closed |
//! | age of a connection | 10 min | takes no more requests |
//! | requests per connection | no limit | takes no more requests |
//! | streams of an HTTP/2 connection | what the peer allows, at most 100 | another connection |
//! | window of an HTTP/2 stream, and of its connection | 256 KiB, and 100 times that | the upstream waits |
//! | silence of an HTTP/2 connection in use | 20 s, then 20 s for its answer to a ping | its requests fail with [`Reset`](crate::error::ErrorKind::Reset) |

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
