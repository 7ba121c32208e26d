//! Every concern on one route, in the real binary, over real sockets: what must hold of all of them together.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "these tests watch another process by the real clock")]

#[expect(dead_code, unreachable_pub, reason = "shared with the tests of the binary")]
#[path = "../common/mod.rs"]
mod common;
mod upstream;

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use common::{Gateway, raw, status};
use upstream::Upstream;

const DOCUMENT: &str = r#"
listen: ${LISTEN}
request_id: {}
access_log: {to: /dev/null}
metrics: {path: /metrics}
routes:
  - name: everything
    prefix: /
    timeout: {request: 60s, per_try: 30s}
    jwt: {issuer: here, audience: there, keys: [{algorithm: HS256, secret: "${SECRET}"}], headers: {x-user: sub}}
    authorize: {scopes: [read]}
    rate_limit: {requests: 1000000, by: [principal], fields: draft10}
    bulkhead: {concurrent: 100, queue: 10}
    headers: {request: {set: {x-tenant: "{principal.tenant}"}}}
    json_body: {response: {drop: ["**.cost"]}}
    mask: {fields: ["**.password"]}
    cache: {max_object: 64KiB}
    fallback: {status: 200, body: instead}
    retry: {}
    circuit_breaker: {minimum: 4, open: 60s}
    upstream: ${UPSTREAM}
"#;

const SECRET: &[u8] = b"only for this test, 32 bytes or more";

fn start(upstream: &Upstream) -> Gateway {
    let secret = String::from_utf8(SECRET.to_vec()).unwrap();
    Gateway::with_document(DOCUMENT, &[("SECRET", &secret), ("UPSTREAM", &upstream.url())])
}

/// A request with a token for it.
fn ask(path: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims =
        json!({"iss": "here", "aud": "there", "sub": "ada", "scope": "read", "exp": 4_000_000_000_u64});
    let signed = format!("{}.{}", part(json!({"alg": "HS256"})), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    format!(
        "GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nx-user: root\r\nconnection: close\r\n\r\n"
    )
}

#[test]
fn the_first_event_arrives_before_the_second_exists() {
    let upstream = Upstream::start();
    let gateway = start(&upstream);
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(ask("/events").as_bytes()).unwrap();
    read_until(&mut stream, "data: first");
    upstream.go_on();
    let rest = read_until(&mut stream, "data: second");
    assert!(!rest.contains("data: first"), "it arrived once: {rest}");
    assert!(upstream.heads().contains("x-user: ada"), "{}", upstream.heads());
    assert!(!upstream.heads().contains("x-user: root"), "{}", upstream.heads());
}

#[test]
fn a_gigabyte_and_a_large_document_pass_in_constant_memory() {
    let upstream = Upstream::start();
    let gateway = start(&upstream);
    assert_eq!(status(&raw(gateway.address(), &ask("/small"))), 200);
    let before = resident_peak(&gateway);
    for (path, bytes, in_it) in
        [("/gigabyte", 1 << 30, None), ("/document", 32 << 20, Some("\"password\":\"***\""))]
    {
        let mut stream = TcpStream::connect(gateway.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(ask(path).as_bytes()).unwrap();
        let mut piece = vec![0; 1 << 18];
        let (mut sum, mut seen) = (0_u64, in_it.is_none());
        loop {
            let size = stream.read(&mut piece).unwrap();
            if size == 0 {
                break;
            }
            sum += size as u64;
            if let Some(text) = in_it {
                let piece = String::from_utf8_lossy(&piece[..size]);
                seen |= piece.contains(text);
                assert!(!piece.contains("hush-9"), "{path}");
            }
        }
        assert!(seen && sum >= bytes, "{path}: {sum} bytes");
    }
    let grown = resident_peak(&gateway).saturating_sub(before);
    assert!(grown < 24 << 10, "{grown} KiB more at its peak");
}

#[test]
fn an_upstream_that_says_nothing_opens_its_circuit_though_a_try_gives_up_first() {
    let upstream = Upstream::start();
    let document = DOCUMENT.replace("per_try: 30s", "per_try: 50ms");
    let secret = String::from_utf8(SECRET.to_vec()).unwrap();
    let gateway = Gateway::with_document(&document, &[("SECRET", &secret), ("UPSTREAM", &upstream.url())]);
    for _ in 0..2 {
        assert!(raw(gateway.address(), &ask("/silent")).contains("x-fallback: "));
    }
    let answer = raw(gateway.address(), &ask("/silent"));
    assert!(answer.contains("x-fallback: circuit_open"), "{answer}");
    let metrics = common::get(gateway.address(), "/metrics");
    assert!(metrics.contains("gateway_circuit_state{place=\"everything\""), "{metrics}");
}

fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let (mut all, mut piece) = (String::new(), [0; 4096]);
    while !all.contains(text) {
        let size = stream.read(&mut piece).unwrap();
        assert!(size > 0, "the answer ended: {all}");
        all += &String::from_utf8_lossy(&piece[..size]);
    }
    all
}

/// The most memory that the process ever held, in KiB.
fn resident_peak(gateway: &Gateway) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
