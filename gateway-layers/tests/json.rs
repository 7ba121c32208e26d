//! `json_body` and `mask` over real sockets: framing, stale headers, broken answers, the first byte before the last.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use gateway_core::{
    Body,
    server::serve,
    testing::{MemoryServer, ScriptedUpstream, Step},
};
use gateway_layers::config::{self, Context, Declared, Source};
use http::Request;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A gateway in front of a server that follows a script.
async fn gateway(script: Vec<Step>) -> (String, ScriptedUpstream) {
    let upstream = ScriptedUpstream::start([script]).await.unwrap();
    let declared = declared(&upstream);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { serve(listener, declared.service()).await });
    (address, upstream)
}

fn declared(upstream: &ScriptedUpstream) -> Declared {
    let text = r#"
routes:
  - prefix: /
    json_body: {response: {drop: [debug], rename: {id: number}}}
    mask: {fields: ["**.password", {field: card, keep_last: 4}]}
    headers: {request: {set: {x-trace: "{method} {path}", x-user: "{principal}"}}}
    upstream: ${UPSTREAM}
"#;
    let url = upstream.url();
    let source = Source { name: "test", text };
    config::load(source, |_| Some(url.clone()), &Context::default()).unwrap()
}

/// All bytes of one answer on a connection of its own, or as many as came.
async fn raw(address: &str, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
    drop(read.await.unwrap());
    String::from_utf8(answer).unwrap()
}

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n{fields}\r\n")
}

const STALE: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\netag: \"1\"\r\naccept-ranges: bytes\r\n\
    content-digest: sha-256=:x:\r\nlast-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 71\r\n\r\n\
    {\"id\":7,\"password\":\"hush\",\"debug\":[1,2],\"card\":4111111111111234,\"x\":[]}";

#[tokio::test]
async fn a_rewritten_answer_is_framed_anew() {
    let (address, upstream) = gateway(vec![Step::Send(STALE)]).await;
    let fields = "accept-encoding: gzip, br\r\nrange: bytes=0-3\r\nif-range: \"1\"\r\nx-user: root\r\n";
    let answer = raw(&address, &get("/a", fields)).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    assert!(head.starts_with("http/1.1 200 ok") && head.contains("transfer-encoding: chunked"), "{head}");
    assert!(head.contains("last-modified: "), "{head}");
    for stale in ["content-length", "etag", "digest", "accept-ranges"] {
        assert!(!head.contains(stale), "{head}");
    }
    let json = r#"{"number":7,"password":"***","card":"***1234","x":[]}"#;
    assert_eq!(body, format!("{:X}\r\n{json}\r\n0\r\n\r\n", json.len()));

    let asked = upstream.heads()[0].to_lowercase();
    assert!(asked.contains("accept-encoding: identity") && asked.contains("x-trace: get /a\r\n"), "{asked}");
    for gone in ["gzip", "range:", "root"] {
        assert!(!asked.contains(gone), "{asked}");
    }
}

#[tokio::test]
async fn the_same_over_http2() {
    let upstream = ScriptedUpstream::start([vec![Step::Send(STALE)]]).await.unwrap();
    let service = declared(&upstream).service();
    let request = Request::get("http://a.test/a").body(Body::empty()).unwrap();
    let answer = MemoryServer::new(service).send_http2(request).await.unwrap();
    assert_eq!(answer.headers().get("content-length").or(answer.headers().get("etag")), None);
    let body = Body::collect_limited(answer.into_body(), 1 << 10).await.unwrap();
    assert_eq!(body, r#"{"number":7,"password":"***","card":"***1234","x":[]}"#);
}

#[tokio::test]
async fn head_tells_what_get_would() {
    let head = STALE.split_once("\r\n\r\n").unwrap().0;
    let head: &'static str = format!("{head}\r\n\r\n").leak();
    let (address, _upstream) = gateway(vec![Step::Send(head)]).await;
    let answer = raw(&address, &get("/", "").replace("GET", "HEAD")).await.to_lowercase();
    assert!(answer.starts_with("http/1.1 200 ok") && answer.ends_with("\r\n\r\n"), "{answer}");
    for stale in ["content-length", "etag", "digest", "accept-ranges"] {
        assert!(!answer.contains(stale), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_that_stops_being_json_ends_visibly() {
    for json in [r#"{"id":7,"password":"hu"#, r#"{"id":7,"password" "hush"}"#, "<html>hush</html>"] {
        let text = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{json}",
            json.len()
        );
        let (address, _upstream) = gateway(vec![Step::Send(text.leak())]).await;
        let answer = raw(&address, &get("/", "")).await;
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
        assert!(!answer.contains("hu"), "{answer}");
    }
}

#[tokio::test]
async fn compressed_and_partial_answers_are_refused_and_others_pass_untouched() {
    let compressed = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nhush";
    let partial = "HTTP/1.1 206 Partial Content\r\ncontent-type: application/json\r\ncontent-range: bytes 0-3/9\r\ncontent-length: 4\r\n\r\nhush";
    for (answer, code) in [(compressed, "encoded_body"), (partial, "partial_body")] {
        let (address, _upstream) = gateway(vec![Step::Send(answer)]).await;
        let answer = raw(&address, &get("/", "")).await;
        assert!(
            answer.starts_with("HTTP/1.1 502 ") && answer.contains(code) && !answer.contains("hush"),
            "{answer}"
        );
    }
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\netag: \"1\"\r\ncontent-length: 19\r\n\r\n{\"password\":\"hush\"}";
    let (address, _upstream) = gateway(vec![Step::Send(page)]).await;
    let answer = raw(&address, &get("/", "")).await;
    assert!(answer.contains("etag: \"1\"") && answer.contains("content-length: 19"), "{answer}");
    assert!(answer.ends_with("{\"password\":\"hush\"}"), "{answer}");
}

#[tokio::test]
async fn the_first_byte_passes_before_the_last_one_exists() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n\
        12\r\n{\"password\":\"hush\"\r\n";
    let (address, upstream) = gateway(vec![Step::Send(head), Step::Stall]).await;
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(get("/", "").as_bytes()).await.unwrap();
    let mut came = String::new();
    while !came.contains("***") {
        let mut piece = [0; 256];
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut piece)).await;
        let bytes = read.unwrap().unwrap();
        assert!(bytes > 0, "{came}");
        came.push_str(std::str::from_utf8(&piece[..bytes]).unwrap());
    }
    drop(stream);
    for _ in 0..200 {
        if upstream.hung_up() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(upstream.hung_up(), 1, "a client that leaves cancels the upstream's answer");
}

#[test]
fn mistakes_in_a_document_are_told_by_field() {
    let problems = |part: &str| -> String {
        let text = format!("routes:\n  - prefix: /\n    upstream: http://127.0.0.1:9\n    {part}\n");
        let source = Source { name: "t", text: &text };
        config::load(source, |_| None, &Context::default()).unwrap_err().to_string()
    };
    for (part, told) in [
        ("mask: {fields: [a..b]}", "mask.fields: field `a..b`: a name is missing"),
        ("mask: {fields: [a, {field: a, keep_last: 2}]}", "field `a`: it has two rules, mask and mask"),
        ("mask: {fields: [a], remove: [a]}", "field `a`: it has two rules, mask and drop"),
        ("mask: {fields: [{feild: a}]}", "unknown key `feild` (did you mean `field`?)"),
        ("mask: {}", "`fields` or `remove` is missing"),
        (
            "json_body: {response: {drop: [a], rename: {a: b}}}",
            "field `a`: it has two rules, drop and rename",
        ),
        ("json_body: {response: {}}", "`drop` or `rename` or `allow` is missing"),
        ("json_body: {response: {drop: [a]}, request: {drop: [a]}}", "only the bodies of answers are edited"),
        (
            "headers: {request: {set: {x-a: \"{principle}\"}}}",
            "there is no fact of this name; known are request_id",
        ),
        ("headers: {request: {set: {x-a: \"a}b\"}}}", "with {{ and }} for braces"),
        ("headers: {request: {add: {x-a: \"{route}\"}}}", "`x-a`: facts are for `set`"),
    ] {
        let problems = problems(part);
        assert!(problems.contains(told), "{part}:\n{problems}");
    }
}
