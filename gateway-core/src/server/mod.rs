//! [`serve()`]: any tower service on listeners, HTTP/1.1 and HTTP/2 on one port, in plain text or over TLS.
//!
//! Every connection has deadlines from its first byte on, requests carry [`Facts`](crate::Facts) with their arrival
//! and their peer, and a shutdown lets what is in flight finish, for a bounded time.
//!
//! ```
//! use gateway_core::{Body, server::serve};
//! use http::{Request, Response};
//! use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::{TcpListener, TcpStream}, sync::oneshot};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let hello = tower::service_fn(|_: Request<hyper::body::Incoming>| async {
//!     Ok::<_, std::convert::Infallible>(Response::new(Body::from("hello")))
//! });
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let mut client = TcpStream::connect(listener.local_addr()?).await?;
//! let (stop, stopped) = oneshot::channel::<()>();
//! let server = tokio::spawn(serve(listener, hello).shutdown(async { drop(stopped.await) }).into_future());
//!
//! client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer).await?;
//! assert!(answer.ends_with("hello"));
//!
//! drop(stop);
//! assert_eq!(server.await??.cut, 0);
//! # Ok(())
//! # }
//! ```
//!
//! | limit | value | past it |
//! | --- | --- | --- |
//! | connections | 10,000 | 503 with `Retry-After`, closed |
//! | handshake of TLS, from the first moment on | 10 s | closed |
//! | header of the PROXY protocol | 10 s; 107 bytes in version 1, 4 KiB in version 2 | closed |
//! | first bytes, until the protocol is known | 10 s | closed |
//! | HTTP/1.1 head, from its first byte to its last | 15 s | closed |
//! | silence between requests | 60 s | HTTP/1.1: closed; HTTP/2: `GOAWAY`, closed |
//! | a client that takes no bytes of its answers | 60 s | closed |
//! | bytes and fields of an HTTP/1.1 head | 64 KiB, 100 | 431, closed |
//! | HTTP/2 streams, header list, windows | 100, 16 KiB, 64 KiB of 1 MiB | refused by the protocol |
//! | HTTP/2 ping unanswered | 20 s after 30 s of silence | closed |
//! | drain | 30 s | cut |
//!
//! A peer that vanished without a word is found out by TCP: keep-alive after 60 s of silence, and bytes that its system
//! does not confirm for 120 s or the time for a client that takes none, if that is longer.
//!
//! **Threads**: by default everything happens in the runtime that awaits the server, of any kind.
//! [`Server::threads`] starts threads with a runtime each. Either way the caps, the counts and the drain are one.
//!
//! A request that switches protocols becomes a [`tunnel`](crate::tunnel). Its connection is open, and counted, until
//! the tunnel is closed; a drain waits for it.
//!
//! How long a request's body or its answer may take is the business of layers (`limits`, `timeout`); they can say
//! so in a friendlier way.

mod accept;
mod connection;
mod counts;
mod drain;
#[cfg(feature = "tls")]
mod handshake;
mod io;
mod length;
mod listener;
mod origin;
mod patience;
mod per_request;
mod place;
mod proxy_protocol;
mod refuse;
mod run;
mod serve;
mod settings;
mod sniff;
mod tunnels;

pub use drain::Drained;
pub use listener::Listener;
pub use proxy_protocol::ProxyProtocol;
pub use serve::{Server, serve};
