use http::{HeaderValue, Method, StatusCode, header, request::Parts};

use crate::Refusal;

/// Counts a `TRACE` or an `OPTIONS` request down by one hop, if it says how far it may go (RFC 9110 section 7.6.2).
/// Other methods ignore `Max-Forwards`.
///
/// # Errors
/// The answer where the count ends here: 204 `options` for `OPTIONS`, 405 `trace` for `TRACE`. 400 `bad_max_forwards`
/// for what is no count.
pub fn spend_max_forwards(head: &mut Parts) -> Result<(), Refusal> {
    if !matches!(head.method, Method::OPTIONS | Method::TRACE) {
        return Ok(());
    }
    let mut counts = head.headers.get_all(header::MAX_FORWARDS).iter();
    let Some(count) = counts.next() else { return Ok(()) };
    let is_one = counts.next().is_none();
    let digits = count.to_str().ok().filter(|text| is_one && text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse::<u64>().ok()) {
        None => {
            Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_max_forwards", "`Max-Forwards` is one number"))
        }
        Some(0) if head.method == Method::TRACE => Err(trace_refused()),
        Some(0) => Err(options_answered()),
        Some(count) => {
            head.headers.insert(header::MAX_FORWARDS, (count - 1).into());
            Ok(())
        }
    }
}

/// `TRACE` would show a script what its browser hides from it, such as cookies.
pub(crate) fn trace_refused() -> Refusal {
    let detail = "this gateway sends no request back to its client";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "trace", detail)
        .header(header::ALLOW, HeaderValue::from_static(""))
}

/// `OPTIONS` that is about this hop: yes, there is somebody here, and no more is said.
pub(crate) fn options_answered() -> Refusal {
    Refusal::new(StatusCode::NO_CONTENT, "options", "the gateway answers this itself")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn spend(method: Method, counts: &[&str]) -> Result<Option<String>, u16> {
        let mut request = Request::builder().method(method).uri("/");
        for count in counts {
            request = request.header("max-forwards", *count);
        }
        let mut head = request.body(()).unwrap().into_parts().0;
        spend_max_forwards(&mut head).map_err(|refusal| refusal.status().as_u16())?;
        Ok(head.headers.get("max-forwards").map(|count| count.to_str().unwrap().to_owned()))
    }

    #[test]
    fn a_hop_costs_one_and_the_last_answers() {
        assert_eq!(spend(Method::OPTIONS, &["10"]), Ok(Some("9".to_owned())));
        assert_eq!(spend(Method::TRACE, &["1"]), Ok(Some("0".to_owned())));
        assert_eq!(spend(Method::OPTIONS, &["0"]), Err(204));
        assert_eq!(spend(Method::TRACE, &["0"]), Err(405));
        assert_eq!(spend(Method::OPTIONS, &[]), Ok(None));
        assert_eq!(spend(Method::GET, &["0"]), Ok(Some("0".to_owned())));
        for wrong in [&["-1"] as &[_], &[""], &["1", "1"], &["99999999999999999999"], &["+1"]] {
            assert_eq!(spend(Method::OPTIONS, wrong), Err(400), "{wrong:?}");
        }
    }
}
