//! What a correct intermediary does to the headers of a message (RFC 9110 section 7.6, RFC 7239).
//!
//! Everything here is a pure function on headers. The order in the forwarder is: remove what belongs to one hop,
//! remove what only we may say, then say it.

mod forwarded;
mod hop_by_hop;
mod owned;
mod trailers;
mod via;

use http::HeaderName;

pub use forwarded::{is_forwarded_name, remove_forwarded, write_forwarded};
pub use hop_by_hop::remove_hop_by_hop;
pub use owned::OwnedHeaders;
pub use trailers::{remove_from_trailer_list, remove_from_trailers};
pub use via::{Pseudonym, append_via};

/// `X-Request-Id`, under which the request id travels to upstreams and back to clients.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
