//! A document is replaced while its gateway serves.
#![cfg(feature = "full")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use gateway_core::{
    Body,
    testing::{ScriptedUpstream, Step},
};
use gateway_layers::config::{Context, Live, Reloaded, Reloader, Source};
use http::Request;
use tower::ServiceExt;

fn source(text: &str) -> Source<'_> {
    Source { name: "gateway.yaml", text }
}

fn nobody(_: &str) -> Option<String> {
    None
}

async fn ask(live: &Live, path: &str, key: &str) -> u16 {
    let request = Request::get(path).header("host", "a").header("x-key", key).body(Body::empty()).unwrap();
    live.clone().oneshot(request).await.unwrap().status().as_u16()
}

/// A limit on `/limited` and whatever else.
fn document(requests: u32, rest: &str) -> String {
    format!(
        "routes:\n  - name: limited\n    prefix: /limited\n    rate_limit: {{requests: {requests}, per: 1d, by: 'header:x-key'}}\n    \
         fallback: {{status: 200}}\n    upstream: http://127.0.0.1:1\n{rest}"
    )
}

#[tokio::test]
async fn what_callers_used_up_stays_used_up_through_a_hundred_documents() {
    let mut reloader = Reloader::start(source(&document(3, "")), nobody, Context::default()).unwrap();
    let live = reloader.live();
    for _ in 0..2 {
        assert_eq!(ask(&live, "/limited", "ada").await, 200);
    }
    for number in 0..100 {
        let other = format!(
            "  - {{name: other, path: '/{number}', fallback: {{status: 200}}, upstream: 'http://127.0.0.1:1'}}\n"
        );
        let swapped = reloader.reload(source(&document(3, &other)), nobody).unwrap();
        assert_eq!(swapped, Reloaded::Swapped { needs_restart: vec![] });
        assert_eq!(ask(&live, &format!("/{number}"), "ada").await, 200, "the new route is there");
        if number > 0 {
            assert_eq!(ask(&live, &format!("/{}", number - 1), "ada").await, 404, "the old one is gone");
        }
    }
    assert_eq!(ask(&live, "/limited", "ada").await, 200, "the third of three");
    assert_eq!(ask(&live, "/limited", "ada").await, 429);
    assert_eq!(ask(&live, "/limited", "bob").await, 200);
    assert_eq!(reloader.status().generation(), 101);
}

#[tokio::test]
async fn a_document_with_a_mistake_changes_nothing_and_is_told() {
    let context = Context::default();
    let mut reloader = Reloader::start(source(&document(1, "")), nobody, context.clone()).unwrap();
    let (live, status) = (reloader.live(), reloader.status());
    assert_eq!(ask(&live, "/limited", "ada").await, 200);
    let half = &document(1, "")[..30];
    for bad in ["", "routes: []]", half, &document(1, "    unknown: 1\n"), &document(1, "  - {path: /x}\n")] {
        let problems = reloader.reload(source(bad), nobody).unwrap_err();
        assert_eq!(status.trouble(), Some(problems.to_string()), "{bad}");
        assert_eq!(ask(&live, "/limited", "ada").await, 429, "what served goes on, with its state");
    }
    let counted = |text: &str| context.meter.render().lines().any(|line| line == text);
    assert!(counted("gateway_config_last_reload_failed 1"), "{}", context.meter.render());
    assert!(counted("gateway_config_reloads_total{outcome=\"refused\"} 5"));
    assert_eq!(reloader.reload(source(&document(1, "")), nobody).unwrap(), Reloaded::Unchanged);
    assert_eq!((status.trouble(), status.generation()), (None, 1));
    assert!(counted("gateway_config_last_reload_failed 0"));
}

#[tokio::test]
async fn a_request_in_flight_ends_where_it_began() {
    let slow = ScriptedUpstream::start([vec![
        Step::Wait(Duration::from_millis(200)),
        Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold"),
    ]])
    .await
    .unwrap();
    let with = |upstream: &str| format!("routes:\n  - {{name: all, prefix: /, upstream: '{upstream}'}}\n");
    let mut reloader = Reloader::start(source(&with(&slow.url())), nobody, Context::default()).unwrap();
    let live = reloader.live();
    let request = Request::get("/").header("host", "a").body(Body::empty()).unwrap();
    let flying = tokio::spawn(live.clone().oneshot(request));
    while slow.heads().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    reloader.reload(source(&with("http://127.0.0.1:1")), nobody).unwrap();
    assert_eq!(ask(&live, "/", "").await, 502, "the next one meets the next document");
    let answer = flying.await.unwrap().unwrap();
    assert_eq!(Body::collect_limited(answer.into_body(), 10).await.unwrap(), "old");
}

#[tokio::test]
async fn keys_in_files_belong_to_the_document() {
    let folder = std::env::temp_dir().join(format!("gateway-reload-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let pem = folder.join("key.pem");
    let document = "routes:\n  - name: a\n    prefix: /\n    jwt: {issuer: i, any_audience: true, keys: [{algorithm: RS256, pem: key.pem}]}\n    \
                    fallback: {status: 200}\n    upstream: http://127.0.0.1:1\n";
    let context = Context { folder: folder.clone(), ..Context::default() };
    let missing = Reloader::start(source(document), nobody, context.clone()).unwrap_err().to_string();
    assert!(
        missing.contains(
            "keys[0].pem: it is neither PEM (-----BEGIN PUBLIC KEY-----) nor a file that can be read"
        ),
        "{missing}"
    );

    std::fs::write(&pem, KEY).unwrap();
    let mut reloader = Reloader::start(source(document), nobody, context).unwrap();
    assert_eq!(reloader.declared().files(), std::slice::from_ref(&pem));
    assert_eq!(reloader.reload(source(document), nobody).unwrap(), Reloaded::Unchanged);
    std::fs::write(&pem, format!("{KEY}\n")).unwrap();
    assert!(matches!(reloader.reload(source(document), nobody), Ok(Reloaded::Swapped { .. })));
    std::fs::write(&pem, "hush").unwrap();
    let refused = reloader.reload(source(document), nobody).unwrap_err().to_string();
    assert!(!refused.contains("hush"), "{refused}");
    std::fs::remove_dir_all(&folder).unwrap();
}

const KEY: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAumA60S2Ge16g8q7ekE4N
tvBeaxymelGNLdsGQnO7Tx3wGmoLPwXWU9IJ1RMO3o7MLs22LCYks01bmdYRlUSN
zW6zJWcTmUPpvX4BfY6qQHn4UykPm3I7J4M+UqjIfB84K4a73FEx7rV8tvNB9+5G
fCqXQgYxNHKI4Fnt4IGQFZ+dHhI878gf6VAlrmsUf3AjtCE/48GFsQnhE6Fx9aXg
vrzpYxXeElGlM2DDEvg9J0aDAf1yjmfGE04dwe+6xmReRZ/lv2TwaXS5QWMaMsV1
SlspUkczSZAPY0n6rBnv8v0H8fJlpHKh6/tpFJV41fbC4uilA7P9n3uuJcp7ez9w
2wIDAQAB
-----END PUBLIC KEY-----";
