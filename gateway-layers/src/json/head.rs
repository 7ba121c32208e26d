use gateway_core::Refusal;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, IF_RANGE, RANGE},
};

use super::rewriter::Form;

/// Asks for the whole representation as it is. A part of it could not be read, and nothing that is compressed. To
/// leave `Accept-Encoding` out would allow every coding (RFC 9110, 12.5.3).
pub(super) fn ask_for_plain_and_whole(headers: &mut HeaderMap) {
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.remove(RANGE);
    headers.remove(IF_RANGE);
}

/// What becomes of answers that are no JSON.
#[cfg(feature = "config")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    Pass,
    Refuse,
}

#[cfg(feature = "config")]
impl crate::config::Words for Others {
    const WORDS: &'static [(&'static str, Self)] = &[("pass", Self::Pass), ("refuse", Self::Refuse)];
}

/// What to do with an answer, by its head: `None` leaves it alone.
pub(super) fn form_of(
    status: StatusCode,
    headers: &HeaderMap,
    json_only: bool,
) -> Result<Option<Form>, Refusal> {
    if status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(None);
    }
    if matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::IM_USED) {
        return Err(refusal("partial_body", "the upstream answered with a part that nobody had asked for"));
    }
    let form = match announced(headers) {
        None if json_only => return Err(refusal("not_json", "the upstream's answer is not JSON")),
        None => return Ok(None),
        Some(_) if json_only => Form::Json,
        Some(form) => form,
    };
    if headers.get_all(CONTENT_ENCODING).iter().any(|coding| !is_identity(coding)) {
        return Err(refusal(
            "encoded_body",
            "the upstream compressed its answer although it was asked not to",
        ));
    }
    if headers.get_all(CONTENT_TYPE).iter().any(|kind| !is_utf8(kind)) {
        return Err(refusal("unknown_charset", "the upstream's JSON is not in UTF-8"));
    }
    Ok(Some(form))
}

/// What the body is said to be. If several types are told, it may be any of them.
fn announced(headers: &HeaderMap) -> Option<Form> {
    let mut types = headers.get_all(CONTENT_TYPE).iter().peekable();
    if types.peek().is_none() {
        return Some(Form::Unknown);
    }
    types.any(|kind| kind.as_bytes().split(|&byte| byte == b',').any(is_json)).then_some(Form::Json)
}

fn is_json(kind: &[u8]) -> bool {
    let essence = kind.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let is = |name: &&str| essence.eq_ignore_ascii_case(name.as_bytes());
    let ends_in = |suffix: &str| {
        let from = essence.len().checked_sub(suffix.len());
        from.is_some_and(|from| essence[from..].eq_ignore_ascii_case(suffix.as_bytes()))
    };
    TYPES.iter().any(is) || ends_in("+json") || ends_in("+json-seq")
}

fn is_identity(coding: &HeaderValue) -> bool {
    let mut codings = coding.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    codings.all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity"))
}

/// JSON has no charset but UTF-8 (RFC 8259, 8.1); whoever names another may mean it.
fn is_utf8(kind: &HeaderValue) -> bool {
    let mut parameters = kind.as_bytes().split(|&byte| matches!(byte, b';' | b',')).skip(1);
    parameters.all(|parameter| {
        let mut parts = parameter.splitn(2, |&byte| byte == b'=').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        let value = parts.next().unwrap_or_default();
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        let is_known = |known: &&[u8]| value.eq_ignore_ascii_case(known);
        !name.eq_ignore_ascii_case(b"charset")
            || [b"utf-8".as_slice(), b"utf8", b"us-ascii"].iter().any(is_known)
    })
}

fn refusal(code: &'static str, detail: &'static str) -> Refusal {
    Refusal::new(StatusCode::BAD_GATEWAY, code, detail)
}

const TYPES: [&str; 11] = [
    "application/json",
    "application/json-seq",
    "application/jsonl",
    "application/jsonlines",
    "application/ndjson",
    "application/x-json",
    "application/x-jsonl",
    "application/x-jsonlines",
    "application/x-ndjson",
    "text/json",
    "text/x-json",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, fields: &[(&'static str, &'static str)]) -> Result<Option<Form>, &'static str> {
        let mut headers = HeaderMap::new();
        for &(name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        let status = StatusCode::from_u16(status).unwrap();
        form_of(status, &headers, false).map_err(|refusal| refusal.code())
    }

    #[test]
    fn json_is_rewritten_and_everything_else_is_left_alone() {
        for kind in [
            "application/json",
            "Application/JSON ; charset=\"UTF-8\"",
            "application/problem+json",
            "application/vnd.a.b+JSON;v=1",
            "application/x-ndjson",
            "application/geo+json-seq",
            "text/html, application/json",
        ] {
            assert_eq!(outcome(200, &[("content-type", kind)]), Ok(Some(Form::Json)), "{kind}");
        }
        for kind in ["text/plain", "text/event-stream", "application/grpc", "application/jsonp", "+jsonx", ""]
        {
            assert_eq!(outcome(200, &[("content-type", kind)]), Ok(None), "{kind}");
        }
        let twice = [("content-type", "text/plain"), ("content-type", "application/json")];
        assert_eq!(outcome(200, &twice), Ok(Some(Form::Json)));
        assert_eq!(outcome(200, &[]), Ok(Some(Form::Unknown)));
        for status in [101, 204, 304] {
            assert_eq!(outcome(status, &[("content-type", "application/json")]), Ok(None), "{status}");
        }
    }

    #[test]
    fn where_only_json_may_pass_the_rest_is_refused() {
        let strict =
            |headers: &HeaderMap| form_of(StatusCode::OK, headers, true).map_err(|refusal| refusal.code());
        let mut headers = HeaderMap::new();
        assert_eq!(strict(&headers), Ok(Some(Form::Json)));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        assert_eq!(strict(&headers), Err("not_json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        assert_eq!(strict(&headers), Ok(Some(Form::Json)));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let json = ("content-type", "application/json");
        let of = |field| outcome(200, &[json, field]);
        assert_eq!(of(("content-encoding", "gzip")), Err("encoded_body"));
        assert_eq!(of(("content-encoding", "identity, br")), Err("encoded_body"));
        assert_eq!(of(("content-encoding", "Identity")), Ok(Some(Form::Json)));
        assert_eq!(outcome(200, &[("content-encoding", "gzip")]), Err("encoded_body"));
        assert_eq!(
            outcome(200, &[("content-type", "text/css"), ("content-encoding", "gzip")]),
            Ok(None),
            "no JSON is meant"
        );
        for charset in ["charset=utf-16", "charset=\"iso-8859-1\"", "charset="] {
            let kind: &'static str = format!("application/json; a=b; {charset}").leak();
            assert_eq!(outcome(200, &[("content-type", kind)]), Err("unknown_charset"), "{charset}");
        }
        assert_eq!(outcome(226, &[json]), Err("partial_body"));
        assert_eq!(outcome(206, &[json]), Err("partial_body"));
        assert_eq!(
            outcome(206, &[("content-type", "multipart/byteranges; boundary=x")]),
            Err("partial_body")
        );
    }
}
