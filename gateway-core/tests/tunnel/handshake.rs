//! Who may switch, and to what.

use super::*;

#[tokio::test]
async fn any_protocol_that_is_allowed_passes_both_ways() {
    let upstream = Upstreams::echo().await;
    let gateway = Gateway::start(&upstream, acme()).await;
    let (mut client, head) = gateway.ask(RAW).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!((field(&head, "upgrade"), field(&head, "connection")), (Some("acme"), Some("Upgrade")));
    assert_eq!((field(&head, "content-length"), field(&head, "transfer-encoding")), (None, None));
    for text in ["one", "two and three"] {
        client.write_all(text.as_bytes()).await.unwrap();
        assert_eq!(read(&mut client, text.len()).await, text);
    }
    gateway.counts("gateway_tunnels", 1.0).await;
    drop(client);
    gateway.counts("gateway_tunnels", 0.0).await;
    assert_eq!(gateway.counted("gateway_tunnel_bytes_total{direction=\"up\"}"), 16.0);
    assert_eq!(gateway.counted("gateway_tunnel_bytes_total{direction=\"down\"}"), 16.0);
    assert_eq!(gateway.counted("gateway_tunnels_total{end=\"client\"}"), 1.0);
    gateway.counts("gateway_connections", 0.0).await;
}

#[tokio::test]
async fn the_upstream_of_a_websocket_sees_one_clean_handshake() {
    let upstream = Upstreams::echo().await;
    let gateway = Gateway::start(&upstream, acme()).await;
    let more = "sec-websocket-protocol: chat\r\nhttp2-settings: AAMAAABkAARAAAAA\r\nkeep-alive: 5\r\n\r\n";
    let (mut client, head) = gateway.ask(&WEBSOCKET.replace("\r\n\r\n", &format!("\r\n{more}"))).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(field(&head, "sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    client.write_all(b"frames").await.unwrap();
    assert_eq!(read(&mut client, 6).await, "frames");
    let mut asked = upstream.asked();
    assert_eq!(asked.remove(0), "get /chat http/1.1");
    asked
        .retain(|line| !line.starts_with("x-") && !line.starts_with("forwarded") && !line.starts_with("via"));
    asked.sort();
    let expected = [
        "connection: upgrade",
        "host: a",
        "sec-websocket-key: dghlihnhbxbszsbub25jzq==",
        "sec-websocket-protocol: chat",
        "sec-websocket-version: 13",
        "upgrade: websocket",
    ];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn bytes_before_the_101_are_kept_until_it() {
    let upstream = Upstreams::echo().await;
    let gateway = Gateway::start(&upstream, acme()).await;
    let (mut client, head) = gateway.ask(&format!("{RAW}early")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client.write_all(b" bird").await.unwrap();
    assert_eq!(read(&mut client, 10).await, "early bird");
    assert!(!upstream.asked().concat().contains("early"), "{:?}", upstream.asked());
}

#[tokio::test]
async fn a_wish_that_is_not_allowed_is_ignored_and_h2c_is_never_seen() {
    let answer = |_: &str| "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok".to_owned();
    let upstream = Upstreams::start(answer, echo).await;
    let h2c = "GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n\
               http2-settings: AAMAAABkAARAAAAA\r\n\r\n";
    for (upgrades, request) in [
        (Upgrades::default(), WEBSOCKET),
        (Upgrades::default(), h2c),
        (acme(), h2c),
        (Upgrades::new(["websocket"]), RAW),
        (acme(), &RAW.replace("connection: keep-alive, Upgrade\r\n", "")),
    ] {
        let gateway = Gateway::start(&upstream, upgrades).await;
        let (mut client, head) = gateway.ask(request).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(read(&mut client, 2).await, "ok");
        for name in ["upgrade:", "connection:", "http2-settings:"] {
            let asked = upstream.asked();
            assert!(!asked.iter().any(|line| line.starts_with(name)), "{name} {asked:?}");
        }
        // The connection is one of HTTP still.
        client.write_all(b"GET /again HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        assert!(super::head(&mut client).await.starts_with("HTTP/1.1 200 "));
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_switch_is_answered_like_any_other() {
    for (answer, status) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody", "200"),
        ("HTTP/1.1 426 Upgrade Required\r\nupgrade: websocket\r\ncontent-length: 4\r\n\r\nbody", "426"),
    ] {
        let upstream = Upstreams::start(move |_| answer.to_owned(), echo).await;
        let gateway = Gateway::start(&upstream, acme()).await;
        let (mut client, head) = gateway.ask(WEBSOCKET).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert_eq!(read(&mut client, 4).await, "body");
        client.write_all(WEBSOCKET.as_bytes()).await.unwrap();
        assert!(super::head(&mut client).await.starts_with(&format!("HTTP/1.1 {status} ")));
        assert_eq!(upstream.heads.lock().unwrap().len(), 2, "each asked over a connection of its own");
        assert_eq!(gateway.counted("gateway_tunnels"), 0.0);
    }
}

#[tokio::test]
async fn an_upstream_that_switches_wrongly_is_a_bad_gateway() {
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ] {
        let upstream = Upstreams::start(move |_| answer.to_owned(), echo).await;
        let gateway = Gateway::start(&upstream, acme()).await;
        let (_client, head) = gateway.ask(WEBSOCKET).await;
        assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
        assert_eq!(gateway.counted("gateway_tunnels"), 0.0);
    }
}

#[tokio::test]
async fn a_handshake_with_a_body_or_from_elsewhere_is_refused_before_the_upstream() {
    let upstream = Upstreams::echo().await;
    let gateway = Gateway::start(&upstream, acme().origins(["https://shop.example"])).await;
    for (more, status) in [
        ("origin: https://evil.example\r\n\r\n", "403"),
        ("content-length: 4\r\n\r\nbody", "400"),
        ("transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", "400"),
    ] {
        let (_client, head) = gateway.ask(&WEBSOCKET.replace("\r\n\r\n", &format!("\r\n{more}"))).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{more}: {head}");
    }
    let (_client, head) = gateway.ask(&WEBSOCKET.replace("version: 13", "version: 8")).await;
    assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
    assert_eq!(field(&head, "sec-websocket-version"), Some("13"));
    assert!(upstream.heads.lock().unwrap().is_empty());
}
