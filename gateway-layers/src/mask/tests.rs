use std::{
    convert::Infallible,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use gateway_core::{
    Body, BoxError, Explanation, Refusal, Verdict,
    error::refusal_for,
    explain::Explain,
    meter::Meter,
    refusal::Asked,
    testing::{channel, contract},
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request::Parts};
use http_body::{Body as HttpBody, Frame};
use proptest::prelude::*;
use tower::{Layer, ServiceExt, service_fn};

use super::{MaskLayer, Rules};

#[tokio::test]
async fn keeps_the_contract() {
    contract::check(layer()).await;
    contract::check(MaskLayer::off()).await;
}

#[tokio::test]
async fn asks_for_what_it_can_read() {
    let echo = service_fn(|request: Request<Body>| async move {
        let mut answer = Response::new(Body::empty());
        *answer.headers_mut() = request.headers().clone();
        Ok::<_, Infallible>(answer)
    });
    let request = || {
        Request::get("/")
            .header("accept-encoding", "gzip")
            .header("range", "bytes=0-9")
            .header("if-range", "\"a\"")
            .header("if-none-match", "\"a\"")
            .body(Body::empty())
            .unwrap()
    };
    let asked = layer().layer(echo).oneshot(request()).await.unwrap();
    assert_eq!(asked.headers()["accept-encoding"], "identity");
    assert_eq!(asked.headers().get("range").or(asked.headers().get("if-range")), None);
    assert!(asked.headers().contains_key("if-none-match"));
    let asked = MaskLayer::off().layer(echo).oneshot(request()).await.unwrap();
    assert_eq!(asked.headers(), request().headers());
}

#[tokio::test]
async fn what_told_of_other_bytes_goes() {
    let answer = ask("GET", 200, &STALE, r#"{"a": 1, "password": "hush"}"#).await;
    let names: Vec<&str> = answer.headers().keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["content-type", "last-modified"]);
    assert_eq!(text(answer).await, r#"{"a": 1, "password": "***"}"#);
}

#[tokio::test]
async fn what_is_no_json_keeps_everything() {
    let mut other = STALE;
    other[0].1 = "text/event-stream";
    let answer = ask("GET", 200, &other, "data: {\"password\": \"hush\"}\n\n").await;
    assert_eq!(answer.headers().len(), STALE.len());
    assert_eq!(answer.body().size_hint().exact(), Some(28));
    assert_eq!(text(answer).await, "data: {\"password\": \"hush\"}\n\n");
}

#[tokio::test]
async fn without_a_type_the_first_byte_tells() {
    assert_eq!(text(ask("GET", 200, &[], r#" {"password":"hush"}"#).await).await, r#" {"password":"***"}"#);
    assert_eq!(text(ask("GET", 200, &[], "password: hush").await).await, "password: hush");
    assert_eq!(text(ask("GET", 200, &[], "").await).await, "");
}

#[tokio::test]
async fn answers_without_a_body_pass_and_head_is_like_get() {
    let head = ask("HEAD", 200, &STALE, "").await;
    assert_eq!((head.headers().len(), head.headers().get("etag")), (2, None));
    for status in [204, 304] {
        let answer = ask("GET", status, &STALE, "").await;
        assert_eq!(answer.headers().len(), STALE.len(), "{status}");
    }
    let compressed = [("content-type", "application/json"), ("content-encoding", "gzip")];
    assert_eq!(ask("HEAD", 200, &compressed, "").await.status(), 200);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_counted() {
    let meter = Meter::default();
    let of = async |status, field: (&'static str, &'static str)| {
        let fields = [("content-type", "application/json"), field];
        let layer = layer().meter(&meter, "users");
        let answer = answer(&layer, "GET", status, &fields, r#"{"password":"hush"}"#).await;
        (answer.status().as_u16(), answer.extensions().get().map(Refusal::code).unwrap())
    };
    assert_eq!(of(200, ("content-encoding", "gzip")).await, (502, "encoded_body"));
    assert_eq!(of(206, ("content-range", "bytes 0-9/20")).await, (502, "partial_body"));
    assert_eq!(of(200, ("content-type", "application/json;charset=utf-16")).await, (502, "unknown_charset"));
    let counted = "gateway_decisions_total{layer=\"mask\",place=\"users\",verdict=\"refuse\"} 3";
    assert!(meter.render().contains(counted), "{}", meter.render());
}

#[tokio::test]
async fn another_form_of_the_same_passes_only_where_it_may() {
    let xml = [("content-type", "application/xml")];
    assert_eq!(text(ask("GET", 200, &xml, "<password>hush</password>").await).await.len(), 25);
    let strict = layer().json_only(true);
    let refused = answer(&strict, "GET", 200, &xml, "<password>hush</password>").await;
    assert_eq!(refused.extensions().get().map(Refusal::code), Some("not_json"));
    assert_eq!(answer(&strict, "GET", 200, &xml, "").await.status(), 200, "there is nothing in it");
}

#[tokio::test]
async fn what_a_layer_inside_refused_is_not_masked() {
    let refusing = service_fn(|request: Request<Body>| async move {
        let refusal = Refusal::new(StatusCode::GATEWAY_TIMEOUT, "late", "too late");
        Ok::<Response<Body>, BoxError>(refusal.into_response(&Asked::of_request(&request)))
    });
    let layer = MaskLayer::new(Rules::new().remove("detail")).unwrap().json_only(true);
    let answer = layer.layer(refusing).oneshot(Request::new(Body::empty())).await.unwrap();
    assert!(text(answer).await.contains("too late"));
}

#[test]
fn a_long_value_that_is_left_out_gives_others_their_turn() {
    let pieces = std::iter::once("{\"debug\":\"").chain(std::iter::repeat_n("x", 100)).chain(["\"}"]);
    let mut body = pin!(rewritten(pieces.map(|piece| Bytes::from_static(piece.as_bytes()))));
    let mut cx = Context::from_waker(Waker::noop());
    let mut turns = 0;
    let mut out = Vec::new();
    loop {
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Pending => turns += 1,
            Poll::Ready(Some(frame)) => out.extend_from_slice(&frame.unwrap().into_data().unwrap()),
            Poll::Ready(None) => break,
        }
    }
    assert_eq!((turns, out.as_slice()), (3, b"{}".as_slice()));
}

#[tokio::test]
async fn broken_json_breaks_the_transfer_in_front_of_what_is_broken() {
    let meter = Meter::default();
    let layer = layer().meter(&meter, "users");
    for (json, before) in [
        (r#"{"a": 1, "password": "hush" "b": 2}"#, r#"{"a": 1, "password": "***"#),
        (r#"{"a": 1, password: "hush"}"#, r#"{"a": 1"#),
        (r#"{"a": 1, "password": "hu"#, r#"{"a": 1, "password": "***"#),
        ("hush", ""),
    ] {
        let answer = answer(&layer, "GET", 200, &STALE[..1], json).await;
        assert_eq!(answer.status(), 200);
        let mut body = pin!(answer.into_body());
        let mut came = Vec::new();
        let error = loop {
            match next(body.as_mut()).await {
                Some(Ok(frame)) => came.extend_from_slice(&frame.into_data().unwrap()),
                Some(Err(error)) => break error,
                None => panic!("{json} ended in order"),
            }
        };
        let refusal = refusal_for(&*error);
        assert_eq!((refusal.status().as_u16(), refusal.code()), (502, "broken_json"));
        assert!(!refusal.cause().unwrap().contains("hush"));
        assert!(before.as_bytes().starts_with(&came), "{json}: {came:?}");
        assert!(next(body.as_mut()).await.is_none(), "what is broken stays broken");
    }
    let counted = "gateway_decisions_total{layer=\"mask\",place=\"users\",verdict=\"refuse\"} 4";
    assert!(meter.render().contains(counted), "{}", meter.render());
}

#[tokio::test]
async fn what_is_certain_passes_at_once_and_trailers_lose_their_digests() {
    let (sender, body) = channel();
    let mut body = Some(body);
    let streaming = service_fn(move |_: Request<Body>| {
        let answer = Response::builder().header("content-type", "application/x-ndjson");
        std::future::ready(Ok::<_, Infallible>(answer.body(body.take().unwrap()).unwrap()))
    });
    let answer = layer().layer(streaming).oneshot(Request::new(Body::empty())).await.unwrap();
    let mut body = pin!(answer.into_body());
    for (comes, passes) in [
        (r#"{"a":1,"pass"#, r#"{"a":1"#),
        (r#"word":"hu"#, r#","password":"***"#),
        ("sh\"}\n", "\"}\n"),
        (r#"{"a":2}"#, r#"{"a":2}"#),
    ] {
        sender.data(comes).await;
        let frame = next(body.as_mut()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), passes);
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("content-digest", HeaderValue::from_static("sha-256=:x:"));
    trailers.insert("x-sum", HeaderValue::from_static("7"));
    sender.trailers(trailers).await;
    let trailers = next(body.as_mut()).await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["x-sum"]);
    drop(sender);
    assert!(next(body.as_mut()).await.is_none());
}

#[tokio::test]
async fn bare_in_axum() {
    let json = r#"{"a":[1],"password":{"x":"hush"}}"#;
    let user = move || async move { ([("content-type", "application/json")], json) };
    let router = axum::Router::new().route("/", axum::routing::get(user)).layer(layer());
    let answer = router.oneshot(Request::new(axum::body::Body::empty())).await.unwrap();
    let text = axum::body::to_bytes(answer.into_body(), 1 << 10).await.unwrap();
    assert_eq!(text, r#"{"a":[1],"password":"***"}"#);
}

#[test]
fn says_what_it_would_do() {
    struct End;
    impl Explain for End {
        fn explain(&self, _: &Parts, _: &mut Vec<Explanation>) {}
    }
    let (head, ()) = Request::new(()).into_parts();
    let mut say = Vec::new();
    layer().layer(End).explain(&head, &mut say);
    assert_eq!(say[0].to_string(), "mask: pass: in JSON answers: mask **.password, drop debug");
    MaskLayer::off().layer(End).explain(&head, &mut say);
    assert_eq!(say[1].verdict, Verdict::Skip);
}

#[test]
fn rules_that_cannot_be_kept_are_errors() {
    let error = |rules| MaskLayer::new(rules).unwrap_err().to_string();
    assert_eq!(error(Rules::new().remove("a..b")), "field `a..b`: a name is missing");
    let twice = Rules::new().replace("a", "x").remove("a");
    assert_eq!(error(twice), "field `a`: it has two rules, mask and drop");
    let long = Rules::new().replace("a", &"x".repeat(65));
    assert_eq!(error(long), "field `a`: the text in place of a value is longer than 64 bytes");
    let open = Rules::new().keep_last("a", "x", 17);
    assert_eq!(error(open), "field `a`: more than 16 characters would stay readable");
}

/// A document of any length in memory of one size.
#[test]
fn the_memory_for_an_answer_does_not_grow_with_it() {
    let text = "a longer text ".repeat(100);
    let unit = format!(r#"{{"id": 12345, "name": "\u00e9 {text}", "password": "{text}", "tags": ["x"]}},"#);
    let piece = Bytes::from(unit.repeat(64 * 1024 / unit.len()));
    let peak = |mebibytes: usize| {
        let (first, last) = (Bytes::from_static(b"["), Bytes::from_static(b"0]"));
        let all = std::iter::once(first).chain(std::iter::repeat_n(piece.clone(), mebibytes * 16));
        let body = rewritten(all.chain([last]));
        let mut passed = 0;
        let counted = allocation_counter::measure(|| drain(body, |bytes| passed += bytes.len()));
        assert!(passed > mebibytes * 500_000, "{passed} bytes of {mebibytes} MiB");
        counted.bytes_max
    };
    let (small, large) = (peak(1), peak(256));
    assert_eq!(small, large, "256 MiB take as much memory as 1 MiB");
    assert!(large < 160 * 1024, "one piece, and the state: {large}");
}

proptest! {
    /// The whole way, with a body in pieces; what the rewriter does is checked in `json`.
    #[test]
    fn a_hidden_value_is_in_no_answer(secret in "[a-z]{8,20}", at in 0_usize..200) {
        let json = format!(
            r#"[{{"in": [{{"x": {{"password": {{"deep": ["{secret}"]}}}}}}]}}, {{"password":"{secret}"}}]"#
        );
        let (first, second) = json.split_at(at.min(json.len()));
        let mut out = Vec::new();
        let pieces = [first, second].map(|piece| Bytes::from(piece.to_owned()));
        drain(rewritten(pieces.into_iter()), |bytes| out.extend_from_slice(&bytes));
        let out = String::from_utf8(out).unwrap();
        prop_assert_eq!(out, r#"[{"in": [{"x": {"password": "***"}}]}, {"password":"***"}]"#);
    }
}

/// Everything that a representation may tell of itself, first of all its type.
const STALE: [(&str, &str); 8] = [
    ("content-type", "application/json"),
    ("content-length", "28"),
    ("etag", "\"a\""),
    ("accept-ranges", "bytes"),
    ("content-digest", "sha-256=:x:"),
    ("repr-digest", "sha-256=:x:"),
    ("digest", "sha-256=x"),
    ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
];

fn layer() -> MaskLayer {
    MaskLayer::new(Rules::new().replace("**.password", "***").remove("debug")).unwrap()
}

/// The masked answer of a service that answers like this.
async fn answer(
    layer: &MaskLayer,
    method: &str,
    status: u16,
    fields: &[(&'static str, &'static str)],
    text: &'static str,
) -> Response<crate::json::JsonBody<Body>> {
    let fields = fields.to_vec();
    let leaf = service_fn(move |_: Request<Body>| {
        let mut answer = Response::new(Body::from(text));
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in &fields {
            answer.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = Request::builder().method(method).body(Body::empty()).unwrap();
    layer.layer(leaf).oneshot(request).await.unwrap()
}

async fn ask(
    method: &str,
    status: u16,
    fields: &[(&'static str, &'static str)],
    text: &'static str,
) -> Response<crate::json::JsonBody<Body>> {
    answer(&layer(), method, status, fields, text).await
}

async fn text(answer: Response<crate::json::JsonBody<Body>>) -> String {
    let bytes = Body::collect_limited(answer.into_body(), 1 << 16).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn next<B: HttpBody>(mut body: Pin<&mut B>) -> Option<Result<Frame<B::Data>, B::Error>> {
    std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await
}

/// The body of a masked answer whose pieces are always there.
fn rewritten<I>(pieces: I) -> crate::json::JsonBody<Body>
where
    I: Iterator<Item = Bytes> + Send + Unpin + 'static,
{
    let mut body = Some(Body::new(Pieces(pieces)));
    let leaf = service_fn(move |_: Request<Body>| {
        let answer = Response::builder().header("content-type", "application/json");
        std::future::ready(Ok::<_, Infallible>(answer.body(body.take().unwrap()).unwrap()))
    });
    let mut future = pin!(layer().layer(leaf).oneshot(Request::new(Body::empty())));
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.unwrap().into_body(),
        Poll::Pending => panic!("the leaf answers at once"),
    }
}

fn drain(body: crate::json::JsonBody<Body>, mut take: impl FnMut(Bytes)) {
    let mut body = pin!(body);
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
        take(frame.unwrap().into_data().unwrap());
    }
}

struct Pieces<I>(I);

impl<I: Iterator<Item = Bytes> + Unpin> HttpBody for Pieces<I> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }
}
