//! One answer of a branch: waited for, read, parsed.

use std::{pin::Pin, time::Instant};

use bytes::BytesMut;
use gateway_core::{
    Body, BoxError, Clock, Facts,
    budget::{Buffers, Lease},
    error::refusal_for,
};
use http::{
    HeaderMap, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body::Body as HttpBody;
use serde_json::Value;

use super::{
    freshness::Freshness,
    outcome::{Failed, Kind},
};

/// A call of a branch's service, under way.
pub(super) type Call = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

/// What a branch answered.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) value: Value,
    pub(super) freshness: Freshness,
    /// The memory that the value takes.
    pub(super) lease: Lease,
}

/// How far a branch may go.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub(super) until: Instant,
    pub(super) max_body: usize,
    pub(super) buffers: Buffers,
    pub(super) clock: Clock,
}

/// The JSON of an answer. What is pending is dropped at the end of the time.
pub(super) async fn fetch(call: Call, facts: Facts, bounds: Bounds) -> Result<Fetched, Failed> {
    let clock = bounds.clock.clone();
    let fetched = async {
        let answer = call.await.map_err(|error| failed_by(&error))?;
        let (head, body) = answer.into_parts();
        if !head.status.is_success() {
            return Err(Failed::by_answer(head.status, &head.headers));
        }
        check_is_json(&head.headers)?;
        let freshness = Freshness::of(&head.headers);
        let (text, held) = read(body, &facts, &bounds).await?;
        let (value, lease) = parse(&text, &facts, &bounds.buffers)?;
        drop(held);
        Ok(Fetched { value, freshness, lease })
    };
    let timeout = || Failed::new(Kind::Timeout, "its answer was not there in time");
    clock.timeout(bounds.until, fetched).await.unwrap_or_else(|| Err(timeout()))
}

fn failed_by(error: &BoxError) -> Failed {
    let refusal = refusal_for(&**error);
    let kind = match refusal.status() {
        StatusCode::GATEWAY_TIMEOUT => Kind::Timeout,
        StatusCode::SERVICE_UNAVAILABLE => Kind::Unavailable,
        _ => Kind::Unreachable,
    };
    Failed::new(kind, refusal.cause().unwrap_or(refusal.detail()))
}

/// An answer that does not say what it is may be JSON; one that says that it is something else, or coded, is not.
fn check_is_json(headers: &HeaderMap) -> Result<(), Failed> {
    let not_json = |why: String| Failed::new(Kind::NotJson, why);
    for coding in headers.get_all(CONTENT_ENCODING) {
        if !coding.as_bytes().eq_ignore_ascii_case(b"identity") {
            return Err(not_json(format!("it is in the coding {coding:?}, and was asked for without any")));
        }
    }
    let Some(kind) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    Err(not_json(format!("its type is {kind:?}")))
}

async fn read(body: Body, facts: &Facts, bounds: &Bounds) -> Result<(BytesMut, Lease), Failed> {
    let too_large = || Failed::new(Kind::TooLarge, format!("it is longer than {} bytes", bounds.max_body));
    if body.size_hint().lower() > bounds.max_body as u64 {
        return Err(too_large());
    }
    let mut lease = bounds.buffers.lease(Some(facts));
    let mut text = BytesMut::new();
    let mut body = std::pin::pin!(body);
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(data) = frame.map_err(|error| failed_by(&error))?.into_data() else { continue };
        if data.len() > bounds.max_body - text.len() {
            return Err(too_large());
        }
        lease.grow(data.len()).map_err(|full| Failed::new(Kind::NoMemory, full.to_string()))?;
        text.extend_from_slice(&data);
    }
    Ok((text, lease))
}

fn parse(text: &[u8], facts: &Facts, buffers: &Buffers) -> Result<(Value, Lease), Failed> {
    let mut lease = buffers.lease(Some(facts));
    let weight = text.len().saturating_add(values(text).saturating_mul(VALUE));
    lease.grow(weight).map_err(|full| Failed::new(Kind::NoMemory, full.to_string()))?;
    let value = serde_json::from_slice(text).map_err(|error| {
        // Its own words would repeat what stands in the answer.
        let (line, column) = (error.line(), error.column());
        Failed::new(Kind::NotJson, format!("no JSON at line {line}, column {column}"))
    })?;
    Ok((value, lease))
}

/// At most so many values are in this JSON: a list of zeros takes sixteen times its text once it is parsed.
fn values(text: &[u8]) -> usize {
    let (mut count, mut in_text, mut escaped) = (1, false, false);
    for &byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

/// About what a value takes beside its text: itself, and its share of the node of a map.
const VALUE: usize = 64;

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn counts_values_and_not_what_stands_in_texts() {
        for (text, count) in [
            ("7", 1),
            ("[]", 2),
            ("[0,0,0]", 4),
            (r#"{"a":1,"b":[2,3]}"#, 5),
            (r#""[{,\",[,\\""#, 1),
            (r#"["\\",1]"#, 3),
        ] {
            assert_eq!(values(text.as_bytes()), count, "{text}");
        }
    }

    #[test]
    fn only_what_may_be_json_is_read() {
        for (name, value, is_json) in [
            ("content-type", "application/json", true),
            ("content-type", "Application/Problem+JSON; charset=utf-8", true),
            ("content-type", "text/html", false),
            ("content-type", "application/jsonp", false),
            ("content-encoding", "identity", true),
            ("content-encoding", "gzip", false),
            ("x-none", "1", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            assert_eq!(check_is_json(&headers).is_ok(), is_json, "{name}: {value}");
        }
    }

    #[test]
    fn a_parsed_answer_is_weighed_before_it_is_parsed() {
        let facts = Facts::arrived_at(Clock::default().now());
        let buffers = Buffers::new(1 << 20, 1000);
        let (value, lease) = parse(b"[1,2]", &facts, &buffers).unwrap();
        assert_eq!((value, lease.held()), (serde_json::json!([1, 2]), 5 + 3 * VALUE));
        assert_eq!(parse(&b"[0,".repeat(100), &facts, &buffers).unwrap_err().kind(), Kind::NoMemory);
        drop(lease);
        assert_eq!(parse(b"[1", &facts, &buffers).unwrap_err().kind(), Kind::NotJson);
        assert_eq!(parse(&b"[".repeat(12), &facts, &buffers).unwrap_err().kind(), Kind::NotJson);
        let deep = Buffers::new(1 << 20, 1 << 20);
        let text = "[".repeat(200) + &"]".repeat(200);
        assert_eq!(parse(text.as_bytes(), &facts, &deep).unwrap_err().kind(), Kind::NotJson);
        assert_eq!(buffers.used(), 0);
    }
}
