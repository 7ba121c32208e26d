use http::{HeaderMap, HeaderValue, header::COOKIE};

/// Makes one `Cookie` line of several, as HTTP/2 may send them and HTTP/1.1 may not (RFC 9113 section 8.2.3).
/// Allocates nothing when there is at most one.
pub fn join_cookies(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return };
    let mut joined = first.as_bytes().to_vec();
    for line in std::iter::once(second).chain(lines) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(line.as_bytes());
    }
    // Parts of valid values make a valid one.
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_lines_become_one() {
        let mut headers = HeaderMap::new();
        for line in ["a=1", "b=\u{e4}", "c=3; d=4"] {
            headers.append(COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        join_cookies(&mut headers);
        let lines: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(lines, ["a=1; b=\u{e4}; c=3; d=4".as_bytes()]);
    }
}
