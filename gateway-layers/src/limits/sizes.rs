use gateway_core::{Admit, Explanation, Refusal, Stamp, Verdict, meter::Decisions};
use http::{StatusCode, header::CONTENT_LENGTH, request::Parts};

/// The rule about heads.
#[derive(Clone, Debug)]
pub struct Sizes {
    pub(super) target: usize,
    pub(super) header_count: usize,
    pub(super) header_bytes: usize,
    pub(super) body: u64,
    pub(super) decisions: Decisions,
}

impl Sizes {
    /// Everything passes.
    pub(super) fn unlimited() -> Self {
        Self {
            target: usize::MAX,
            header_count: usize::MAX,
            header_bytes: usize::MAX,
            body: u64::MAX,
            decisions: Decisions::default(),
        }
    }

    /// Whether this head is within the limits.
    ///
    /// # Errors
    /// The refusal for the first limit that it breaks.
    pub fn check(&self, head: &Parts) -> Result<(), Refusal> {
        let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
        if target > self.target {
            let detail = format!("the request target is longer than {} bytes", self.target);
            return Err(Refusal::new(StatusCode::URI_TOO_LONG, "target_too_long", detail));
        }
        if head.headers.len() > self.header_count {
            return Err(too_large(format!("the request has more than {} header fields", self.header_count)));
        }
        if self.header_bytes < usize::MAX {
            let bytes: usize =
                head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
            if bytes > self.header_bytes {
                return Err(too_large(format!("the header is longer than {} bytes", self.header_bytes)));
            }
        }
        let length =
            head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > self.body) {
            return Err(body_too_large(self.body));
        }
        Ok(())
    }
}

impl Admit for Sizes {
    fn admit(&self, head: &mut Parts, _: &mut Stamp) -> Result<(), Refusal> {
        let outcome = self.check(head);
        self.decisions.count(if outcome.is_ok() { Verdict::Pass } else { Verdict::Refuse });
        outcome
    }

    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        say.push(match self.check(head) {
            Ok(()) => Explanation::new("limits", Verdict::Pass, "the head is within the limits"),
            Err(refusal) => Explanation::new("limits", Verdict::Refuse, refusal.to_string()),
        });
    }
}

pub(super) fn body_too_large(max: u64) -> Refusal {
    let detail = format!("the body is longer than {max} bytes");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

fn too_large(detail: String) -> Refusal {
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
            target in 1_usize..40, count in 0_usize..8, length in prop::option::of(0_u64..20),
            max_target in 1_usize..40, max_count in 0_usize..9, max_bytes in 0_usize..100, max_body in 0_u64..20,
        ) {
            let sizes = Sizes {
                target: max_target, header_count: max_count, header_bytes: max_bytes, body: max_body,
                ..Sizes::unlimited()
            };
            let length_field = length.map_or(0, |length| "content-length".len() + length.to_string().len());
            let fields = count + usize::from(length.is_some());
            let expected = if target > max_target {
                Some(414)
            } else if fields > max_count || count * 10 + length_field > max_bytes {
                Some(431)
            } else {
                length.filter(|&length| length > max_body).map(|_| 413)
            };
            let found = sizes.check(&head(target, count, length)).err().map(|refusal| refusal.status().as_u16());
            prop_assert_eq!(found, expected);
        }
    }
}
