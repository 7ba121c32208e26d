use gateway_core::Refusal;
use http::{StatusCode, header::CONTENT_LENGTH, request::Parts};

/// How large a request may be; the largest numbers mean no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) target: usize,
    pub(super) header_count: usize,
    pub(super) header_bytes: usize,
    pub(super) body: u64,
}

impl Sizes {
    /// Everything passes.
    pub(super) const UNLIMITED: Self =
        Self { target: usize::MAX, header_count: usize::MAX, header_bytes: usize::MAX, body: u64::MAX };

    /// Whether this head, and a body of which so many bytes are certain, are within the limits; or the refusal
    /// for the first limit that they break.
    pub(super) fn check(&self, head: &Parts, body: u64) -> Result<(), Refusal> {
        let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
        if target > self.target {
            let detail = format!("the request target is longer than {} bytes", self.target);
            return Err(Refusal::new(StatusCode::URI_TOO_LONG, "target_too_long", detail));
        }
        if head.headers.len() > self.header_count {
            return Err(headers_too_large(format!(
                "the request has more than {} header fields",
                self.header_count
            )));
        }
        if self.header_bytes < usize::MAX {
            let bytes: usize =
                head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
            if bytes > self.header_bytes {
                return Err(headers_too_large(format!(
                    "the header is longer than {} bytes",
                    self.header_bytes
                )));
            }
        }
        if body > self.body || (self.body < u64::MAX && announced(head) > self.body) {
            return Err(body_too_large(self.body));
        }
        Ok(())
    }
}

/// The bytes that the client announced. A value that is no number is the server's business, and no reason to
/// trust the body: it is counted all the same.
fn announced(head: &Parts) -> u64 {
    let length = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    length.unwrap_or(0)
}

pub(super) fn body_too_large(max: u64) -> Refusal {
    let detail = format!("the body is longer than {max} bytes");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

fn headers_too_large(detail: String) -> Refusal {
    Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(target: usize, count: usize, length: Option<u64>) -> Parts {
        let mut request = http::Request::get(format!("/{}", "x".repeat(target - 1)));
        for number in 0..count {
            request = request.header(format!("h-{number:03}"), "12345");
        }
        if let Some(length) = length {
            request = request.header(CONTENT_LENGTH, length);
        }
        request.body(()).unwrap().into_parts().0
    }

    proptest! {
        #[test]
        fn refuses_exactly_what_is_over_a_limit(
            target in 1_usize..40, count in 0_usize..8, length in prop::option::of(0_u64..20), certain in 0_u64..20,
            max_target in 1_usize..40, max_count in 0_usize..9, max_bytes in 0_usize..100, max_body in 0_u64..20,
        ) {
            let sizes =
                Sizes { target: max_target, header_count: max_count, header_bytes: max_bytes, body: max_body };
            let length_field = length.map_or(0, |length| "content-length".len() + length.to_string().len());
            let fields = count + usize::from(length.is_some());
            let expected = if target > max_target {
                Some(414)
            } else if fields > max_count || count * 10 + length_field > max_bytes {
                Some(431)
            } else {
                (length.unwrap_or(0).max(certain) > max_body).then_some(413)
            };
            let outcome = sizes.check(&head(target, count, length), certain);
            prop_assert_eq!(outcome.err().map(|refusal| refusal.status().as_u16()), expected);
        }

        #[test]
        fn without_limits_everything_passes(target in 1_usize..40, count in 0_usize..8, length: u64, certain: u64) {
            prop_assert!(Sizes::UNLIMITED.check(&head(target, count, Some(length)), certain).is_ok());
        }
    }

    #[test]
    fn a_length_that_is_no_number_proves_nothing() {
        let mut head = head(1, 0, None);
        head.headers.insert(CONTENT_LENGTH, http::HeaderValue::from_static("-1"));
        let sizes = Sizes { body: 0, ..Sizes::UNLIMITED };
        assert!(sizes.check(&head, 0).is_ok());
        assert_eq!(sizes.check(&head, 1).unwrap_err().code(), "body_too_large");
    }
}
