//! What a correct intermediary does to the headers of a message (RFC 9110 section 7.6, RFC 7239).
//!
//! Everything here is a pure function on headers. The order in the forwarder is: remove what belongs to one hop,
//! remove what only we may say, then say it.

mod answer;
mod cookies;
mod forwarded;
mod hop_by_hop;
mod max_forwards;
mod owned;
mod trailers;
mod via;

use http::HeaderName;

pub use answer::check_answer_framing;
pub use cookies::join_cookies;
pub use forwarded::{is_forwarded_name, remove_forwarded, write_forwarded};
pub use hop_by_hop::remove_hop_by_hop;
pub(crate) use hop_by_hop::{nominates_essential, stands_for_another_hops_field};
pub use max_forwards::spend_max_forwards;
pub(crate) use max_forwards::{options_answered, trace_refused};
pub use owned::OwnedHeaders;
pub(crate) use trailers::takes_trailers;
pub use trailers::{remove_from_trailer_list, remove_from_trailers};
pub use via::{Pseudonym, append_via};

/// `X-Request-Id`, under which the request id travels to upstreams and back to clients.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
