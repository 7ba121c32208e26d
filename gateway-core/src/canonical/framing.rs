//! Framing that others read differently than we do (RFC 9112 section 6).

use http::{HeaderMap, StatusCode, header};

use super::bad;
use crate::Refusal;

/// hyper decodes several codings and lengths that others read differently; those are refused here.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::new(
                StatusCode::NOT_IMPLEMENTED,
                "transfer_coding",
                "the only transfer coding this gateway reads is `chunked`",
            ));
        }
        if headers.contains_key(header::CONTENT_LENGTH) {
            return Err(bad("bad_framing", "a body has a length or is chunked, not both"));
        }
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    if let Some(length) = lengths.next() {
        let digits = !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit);
        if !digits || lengths.any(|other| other != length) {
            return Err(bad("bad_framing", "Content-Length is one number"));
        }
    }
    Ok(())
}
