//! What a correct intermediary does to the headers of a message (RFC 9110 section 7.6, RFC 7239).
//!
//! Everything here is a pure function on headers. The order in the forwarder is: remove what belongs to one hop,
//! remove what only we may say, then say it.

mod forwarded;
mod hop_by_hop;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

pub use forwarded::{is_forwarded_name, remove_forwarded, write_forwarded};
pub use hop_by_hop::remove_hop_by_hop;

use crate::Refusal;

/// The name under which the gateway shows itself in `Via`; never a host name of the inside.
pub const PSEUDONYM: &str = "gateway";

/// `X-Request-Id`, under which the request id travels to upstreams and back to clients.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Appends our entry to `Via` (RFC 9110 section 7.6.3).
///
/// # Errors
/// 508 `loop_detected` if our pseudonym is in it already: the request came back to us.
pub fn append_via(headers: &mut HeaderMap, pseudonym: &str) -> Result<(), Refusal> {
    let is_ours = |entry: &str| entry.split_whitespace().nth(1) == Some(pseudonym);
    let passed_before = headers
        .get_all(header::VIA)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .any(|line| line.split(',').any(is_ours));
    if passed_before {
        return Err(Refusal::new(
            StatusCode::LOOP_DETECTED,
            "loop_detected",
            "the request passed this gateway before",
        ));
    }
    let entry = match pseudonym {
        PSEUDONYM => HeaderValue::from_static("1.1 gateway"),
        other => match HeaderValue::try_from(format!("1.1 {other}")) {
            Ok(entry) => entry,
            Err(_) => HeaderValue::from_static("1.1 gateway"),
        },
    };
    headers.append(header::VIA, entry);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_comes_back_is_a_loop() {
        let mut headers = HeaderMap::new();
        headers.insert("via", HeaderValue::from_static("1.0 fred, 1.1 gateways"));
        append_via(&mut headers, PSEUDONYM).unwrap();
        assert_eq!(headers.get_all("via").iter().count(), 2);
        assert_eq!(append_via(&mut headers, PSEUDONYM).unwrap_err().status(), 508);
    }
}
