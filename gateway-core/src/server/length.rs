//! The length that an answer states.

use http::{HeaderMap, StatusCode, header::CONTENT_LENGTH};

/// Makes an answer state the length that its body has, whatever a layer that changed the body left in the header:
/// hyper believes the header, and would cut the body or break off. A length that the body does not tell is the
/// header's to say. Answers to `HEAD` and 304 may say what `GET` would get (RFC 9110 section 8.6); 204 says nothing.
pub(super) fn state(headers: &mut HeaderMap, status: StatusCode, is_head: bool, body: Option<u64>) {
    let Some(stated) = headers.get(CONTENT_LENGTH) else { return };
    if status == StatusCode::NO_CONTENT {
        headers.remove(CONTENT_LENGTH);
        return;
    }
    let Some(body) = body else { return };
    let may_differ = body == 0 && (is_head || status == StatusCode::NOT_MODIFIED);
    let stated = stated.to_str().ok().and_then(|text| text.parse::<u64>().ok());
    if !may_differ && stated != Some(body) {
        headers.insert(CONTENT_LENGTH, body.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn after(stated: &'static str, status: u16, is_head: bool, body: Option<u64>) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static(stated));
        state(&mut headers, StatusCode::from_u16(status).unwrap(), is_head, body);
        headers.get(CONTENT_LENGTH).map(|length| length.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_body_knows_better_than_the_header() {
        for (stated, status, is_head, body, expected) in [
            ("5", 200, false, Some(5), Some("5")),
            ("5", 200, false, Some(9), Some("9")),
            ("x", 200, false, Some(9), Some("9")),
            ("5", 200, false, None, Some("5")),
            ("5", 200, true, Some(0), Some("5")),
            ("5", 200, true, Some(9), Some("9")),
            ("5", 304, false, Some(0), Some("5")),
            ("5", 200, false, Some(0), Some("0")),
            ("5", 204, false, Some(0), None),
        ] {
            assert_eq!(
                after(stated, status, is_head, body).as_deref(),
                expected,
                "{stated} {status} {body:?}"
            );
        }
    }
}
