use http::{HeaderMap, header};

/// Leaves an answer's head with at most one length, and only where a reader and a relay agree on the body's end
/// (RFC 9112 section 6.3). Allocates nothing.
///
/// # Errors
/// What is wrong, for the log: codings other than one `chunked`, a length beside one, a length that is no number, or
/// two of them. Such an answer must not be passed on.
pub fn check_answer_framing(headers: &mut HeaderMap) -> Result<(), &'static str> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        // Its other codings would go with the field, and leave the client with bytes that it cannot read.
        if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err("the answer has a transfer coding other than `chunked`");
        }
        if headers.contains_key(header::CONTENT_LENGTH) {
            return Err("the answer has a length and is chunked");
        }
        return Ok(());
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(()) };
    if length.is_empty() || !length.as_bytes().iter().all(u8::is_ascii_digit) {
        return Err("the answer's length is not a number");
    }
    match lengths.next() {
        None => Ok(()),
        Some(other) if other == length && lengths.all(|other| other == length) => {
            let length = length.clone();
            headers.insert(header::CONTENT_LENGTH, length);
            Ok(())
        }
        Some(_) => Err("the answer has two lengths"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn check(lines: &[(&'static str, &'static str)]) -> Result<usize, &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        check_answer_framing(&mut headers).map(|()| headers.len())
    }

    #[test]
    fn one_framing_passes_and_what_can_be_read_in_two_ways_does_not() {
        const TE: &str = "transfer-encoding";
        const CL: &str = "content-length";
        assert_eq!(check(&[]), Ok(0));
        assert_eq!(check(&[(TE, "Chunked")]), Ok(1));
        assert_eq!(check(&[(CL, "5"), (CL, "5"), (CL, "5")]), Ok(1));
        for lines in [
            &[(TE, "gzip, chunked")] as &[_],
            &[(TE, "gzip")],
            &[(TE, "chunked"), (TE, "chunked")],
            &[(TE, "chunked"), (CL, "5")],
            &[(CL, "5"), (CL, "6")],
            &[(CL, "5"), (CL, "5"), (CL, "6")],
            &[(CL, "+5")],
            &[(CL, "")],
            &[(CL, "5, 5")],
        ] {
            assert!(check(lines).is_err(), "{lines:?}");
        }
    }
}
