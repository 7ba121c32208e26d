//! What a whole gateway lets through to its upstreams, seen from both ends of the wire: routes, tokens and limits
//! cannot be talked around by how a request is spelled. (The rules of forwarding themselves are tested in the core.)
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "these tests watch another process by the real clock")]

#[expect(dead_code, unreachable_pub, reason = "shared with the tests of the binary")]
#[path = "../common/mod.rs"]
mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gateway_layers::core::testing::{RecordingUpstream, strict::StrictRequest};
use serde_json::{Value, json};

use common::{Gateway, raw, status};

const DOCUMENT: &str = r#"
listen: ${LISTEN}
client_addr: {}
limits: {}
routes:
  - name: pub
    prefix: /pub
    upstream: ${UPSTREAM}
  - name: jwt
    prefix: /jwt
    jwt: {issuer: here, audience: there, keys: [{algorithm: HS256, secret: "${SECRET}"}], headers: {x-user: sub}}
    upstream: ${UPSTREAM}
  - name: limited
    prefix: /limited
    rate_limit: {requests: 5, per: 1h, by: [client_addr]}
    upstream: ${UPSTREAM}
"#;

const SECRET: &[u8] = b"only for this test, 32 bytes or more";

struct Both {
    upstream: RecordingUpstream,
    gateway: Gateway,
    asked: AtomicU64,
}

impl Both {
    async fn start() -> Self {
        let upstream = RecordingUpstream::start().await.unwrap();
        let secret = String::from_utf8(SECRET.to_vec()).unwrap();
        let variables = [("SECRET", secret.as_str()), ("UPSTREAM", &upstream.url())];
        let gateway = Gateway::with_document(DOCUMENT, &variables);
        Self { upstream, gateway, asked: AtomicU64::default() }
    }

    /// The status of the answer to a request of this line and these fields, and what reached the upstream for it.
    fn ask(&self, line: &str, fields: &str) -> (u16, Option<StrictRequest>) {
        // The upstream's connections are not in the order of time, so each request says which one it is.
        let number = self.asked.fetch_add(1, Ordering::Relaxed).to_string();
        let request = format!(
            "{line} HTTP/1.1\r\nhost: a.test\r\nx-number: {number}\r\n{fields}connection: close\r\n\r\n"
        );
        let answer = status(&raw(self.gateway.address(), &request));
        let mut seen = self.upstream.requests();
        seen.retain(|seen| seen.value("x-number").as_deref() == Some(&*number));
        assert!(seen.len() <= 1, "{seen:?}");
        // Whatever it was, the next client is served.
        let plain = raw(self.gateway.address(), "GET /pub HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        assert_eq!(status(&plain), 200, "{line} {fields}");
        (answer, seen.pop())
    }
}

fn token() -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"iss": "here", "aud": "there", "sub": "ada", "exp": 4_000_000_000_u64});
    let signed = format!("{}.{}", part(json!({"alg": "HS256"})), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), signed.as_bytes());
    format!("authorization: Bearer {signed}.{}\r\n", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_spelling_of_a_path_leads_past_its_route() {
    let both = Both::start().await;
    for path in [
        "/pub/../admin/x",
        "/pub/%2e%2e/admin/x",
        "/pub/.%2E/admin/x",
        "/pub/..;/admin/x",
        "/pub/..%2fadmin/x",
        "/pub/%2e%2e%2fadmin",
        "/pub\\..\\admin",
        "/pub/..%5cadmin",
        "//admin/x",
        "/./admin/x",
        "/pub/../jwt",
        "/pub/%2e%2e/jwt/x",
        "/%6awt/x",
        "//jwt/x",
    ] {
        let (status, seen) = both.ask(&format!("GET {path}"), "");
        assert!(matches!(status, 400 | 401 | 403 | 404), "{path}: {status}");
        assert_eq!(seen, None, "{path}");
    }
    let text = both.upstream.text();
    assert!(!text.contains("/admin") && !text.contains("/jwt") && !text.contains(".."), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_somebody_is_only_the_gateway_says() {
    let both = Both::start().await;
    let spoofed = "x-user: root\r\nX_User: root\r\nx.user: root\r\nX-USER: root\r\n";
    let (status, seen) = both.ask("GET /pub", spoofed);
    let seen = seen.unwrap();
    assert_eq!((status, seen.values("x-user").count()), (200, 0), "{seen:?}");
    assert!(!seen.fields.iter().any(|(_, value)| value == b"root"), "{seen:?}");
    let token = token();
    for connection in ["", "connection: X-User\r\n", "connection: close, x-user\r\nconnection: x-user\r\n"] {
        let (status, seen) = both.ask("GET /jwt", &format!("{token}{spoofed}{connection}"));
        let seen = seen.unwrap();
        assert_eq!((status, seen.value("x-user").as_deref()), (200, Some("ada")), "{connection} {seen:?}");
        assert!(!seen.fields.iter().any(|(_, value)| value == b"root"), "{seen:?}");
    }
    assert_eq!(both.ask("GET /jwt", spoofed), (401, None));
    assert_eq!(both.ask("GET /jwt", &format!("{token}connection: authorization\r\n")), (400, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_cannot_be_somebody_else() {
    let both = Both::start().await;
    let fields = "x-forwarded-for: 6.6.6.6\r\nforwarded: for=6.6.6.6\r\nx-real-ip: 6.6.6.6\r\n\
                  connection: x-forwarded-for\r\nx_forwarded_for: 6.6.6.6\r\n";
    let seen = both.ask("GET /pub", fields).1.unwrap();
    assert_eq!(seen.value("x-forwarded-for").unwrap(), "127.0.0.1");
    assert!(!both.upstream.text().contains("6.6.6.6"));
    let mut statuses = Vec::new();
    for last in 0..20 {
        statuses.push(both.ask("GET /limited", &format!("x-forwarded-for: 10.0.0.{last}\r\n")).0);
    }
    assert_eq!(statuses[..5], [200; 5]);
    assert!(statuses[5..].iter().all(|status| *status == 429), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_chooses_where_the_gateway_connects() {
    let both = Both::start().await;
    let never = RecordingUpstream::start().await.unwrap();
    let authority = never.url().trim_start_matches("http://").to_owned();
    assert_eq!(both.ask(&format!("CONNECT {authority}"), ""), (405, None));
    let (_, seen) = both.ask(&format!("GET http://{authority}/pub"), "");
    assert_eq!(seen.map(|seen| seen.target), Some("/pub".to_owned()));
    assert_eq!(both.ask(&format!("GET http://{authority}/elsewhere"), ""), (404, None));
    assert_eq!(never.bytes().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_protocol_that_is_not_spoken_is_not_switched_to() {
    let both = Both::start().await;
    let fields =
        "upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\nconnection: upgrade, http2-settings\r\n";
    let (status, seen) = both.ask("GET /pub", fields);
    let seen = seen.unwrap();
    assert_eq!(status, 200);
    assert!(seen.values("upgrade").chain(seen.values("http2-settings")).next().is_none(), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_at_the_edge_closes_the_connection_though_routing_answers() {
    let both = Both::start().await;
    let tail = "GET /pub/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for head in [
        "POST /pub HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "GET /pub/%zz HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /pub HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET /pub HTTP/1.1\r\nhost: a\r\nconnection: host\r\n\r\n",
    ] {
        let answer = raw(both.gateway.address(), &format!("{head}{tail}"));
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!(matches!(status(&answer), 400 | 501), "{answer}");
    }
    assert_eq!(both.upstream.bytes().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sizes_have_their_statuses() {
    let both = Both::start().await;
    let long = "x".repeat(9 * 1024);
    assert_eq!(both.ask(&format!("GET /pub/{long}"), ""), (414, None));
    assert_eq!(both.ask("GET /pub", &"x-a: b\r\n".repeat(101)), (431, None));
    assert_eq!(both.ask("GET /pub", &format!("x-a: {}\r\n", "x".repeat(40_000))), (431, None));
    assert_eq!(both.ask("OPTIONS *", ""), (204, None));
    assert_eq!(both.ask("TRACE /pub", ""), (405, None));
    assert_eq!(both.ask("GET /pub", "expect: x\r\n"), (417, None));
}
