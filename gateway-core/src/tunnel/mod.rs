//! Tunnels: connections that leave HTTP behind by `Upgrade`, such as WebSocket (RFC 9110 section 7.8, RFC 6455), or
//! by the extended `CONNECT` of HTTP/2 (RFC 8441).
//!
//! The handshake is a request like any other: [`canonical`](crate::canonical) notes what it [wants](Wanted) and
//! removes the fields of the hop, so routing, authentication, limits and the log see a plain `GET`. An upstream
//! switches only to what its [`Upgrades`] allow, and only after a `101` of its own that fits. Without leave the wish
//! is ignored over HTTP/1.1, and refused over HTTP/2, where it cannot be ignored. Every layer sees a `101`; the server
//! makes a `200` of it where the client came by HTTP/2.
//!
//! **The tunnel is the body of the answer.** It lasts as long as that body, so whatever a layer lets go when the body
//! ends (a bulkhead's place, the line of the log, a gauge) stays until the tunnel is closed. Behind our server its
//! connection counts against the cap meanwhile, and a drain waits for it.
//!
//! | limit | value | past it |
//! | --- | --- | --- |
//! | silence in both directions | 5 min | closed |
//! | duration | none | closed |
//! | bytes on their way | 8 KiB each way, and only while the other side does not take them | read no further |
//! | drain | the server's | a WebSocket is told `1001`, whatever remains at the end is cut |

#[cfg(feature = "client")]
mod accept;
#[cfg(feature = "client")]
mod copy;
#[cfg(feature = "client")]
mod counts;
#[cfg(feature = "client")]
mod frames;
#[cfg(feature = "client")]
mod handshake;
mod hold;
#[cfg(feature = "client")]
mod open;
#[cfg(feature = "client")]
mod upgrades;
mod wanted;
#[cfg(feature = "client")]
mod way;

#[cfg(feature = "client")]
pub(crate) use handshake::{Answer, Handshake};
pub use hold::{Extended, Hold, Switched};
#[cfg(feature = "client")]
pub(crate) use open::Opening;
#[cfg(feature = "client")]
pub use upgrades::Upgrades;
pub use wanted::Wanted;
