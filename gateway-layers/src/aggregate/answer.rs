//! The whole as an answer.

use std::io;

use bytes::Bytes;
use gateway_core::{
    Facts, Refusal,
    body::AnswerBody,
    budget::{Buffers, Lease},
};
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, VARY},
};

use super::{checked::Checked, merge::Whole};

/// The answer of a whole; to a `HEAD` without its body.
pub(super) fn answer<B: AnswerBody>(
    plan: &Checked,
    whole: &Whole,
    buffers: &Buffers,
    facts: &Facts,
    is_head: bool,
) -> Result<Response<B>, Refusal> {
    let mut text = Text { bytes: Vec::new(), max: plan.max_answer, lease: buffers.lease(Some(facts)) };
    if let Err(error) = serde_json::to_writer(&mut text, &whole.value) {
        return Err(match text.bytes.len() {
            0 => out_of_memory(),
            _ if error.io_error_kind() == Some(io::ErrorKind::OutOfMemory) => out_of_memory(),
            _ => Refusal::new(
                StatusCode::BAD_GATEWAY,
                "aggregate_too_large",
                "the parts of the answer are too large together",
            ),
        });
    }
    let length = text.bytes.len();
    let body = match is_head {
        true => Bytes::new(),
        // The memory is given back when the last of these bytes is written.
        false => Bytes::from_owner(text),
    };
    let mut response = Response::new(B::whole(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if is_head {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    headers.insert(CACHE_CONTROL, whole.freshness.to_header());
    if let Some(vary) = &plan.vary {
        headers.insert(VARY, vary.clone());
    }
    let completeness = if whole.is_complete { "complete" } else { "partial" };
    headers.insert(X_AGGREGATE, HeaderValue::from_static(completeness));
    Ok(response)
}

/// Whether all parts are there: `complete` or `partial`.
pub(super) const X_AGGREGATE: HeaderName = HeaderName::from_static("x-aggregate");

/// What is written so far, and the memory that it takes.
struct Text {
    bytes: Vec<u8>,
    max: usize,
    lease: Lease,
}

impl io::Write for Text {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if more.len() > self.max - self.bytes.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.lease.grow(more.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn out_of_memory() -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "aggregate_no_memory",
        "there is no memory for the answer now",
    )
}
