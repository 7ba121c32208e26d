//! What a client may not ask of a hop: expectations that nobody knows, and fields that a message cannot lose.

use http::{StatusCode, Version, header, request::Parts};

use super::bad;
use crate::{Refusal, forwarding};

/// 417 for an expectation other than `100-continue` (RFC 9110 section 10.1.1), 400 for a `Connection` line that names
/// a field the message cannot do without (section 7.6.1): one reader would honour it, the next would not.
pub(super) fn check(head: &mut Parts) -> Result<(), Refusal> {
    if head.version < Version::HTTP_11 {
        // HTTP/1.0 knows no expectations; its clients wait for nothing.
        head.headers.remove(header::EXPECT);
    }
    let mut expectations = head.headers.get_all(header::EXPECT).iter();
    if expectations.any(|expectation| !expectation.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        let detail = "the only expectation this gateway meets is `100-continue`";
        return Err(Refusal::new(StatusCode::EXPECTATION_FAILED, "expectation", detail));
    }
    if forwarding::nominates_essential(&head.headers) {
        return Err(bad("bad_connection", "`Connection` names a field that belongs to the whole way"));
    }
    Ok(())
}
