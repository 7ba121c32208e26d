//! Tunnels through a route with everything on it, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{future::IntoFuture, net::SocketAddr, time::Duration};

use gateway_core::server::serve;
use gateway_layers::config::{self, Context, Declared, Source};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const DOCUMENT: &str = r#"
listen: 127.0.0.1:1
request_id: {}
metrics: {path: /metrics}
routes:
  - name: chat
    prefix: /
    timeout: {request: 300ms, per_try: 200ms}
    rate_limit: {requests: 1000, by: [client_addr]}
    bulkhead: {concurrent: 1}
    headers: {response: {set: {x-gateway: here}}}
    json_body: {response: {drop: ["**.cost"]}}
    mask: {fields: ["**.password"], others: refuse}
    cache: {max_object: 64KiB}
    fallback: {status: 200, body: instead}
    retry: {}
    circuit_breaker: {minimum: 4, open: 60s}
    upstream:
      endpoints: "${UPSTREAM}"
      upgrades: {protocols: [acme], idle_timeout: 1m, max_duration: 1h}
"#;

const ASK: &[u8] = b"GET /a HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: acme\r\n\r\n";

fn load(text: &str, upstream: SocketAddr) -> Declared {
    let source = Source { name: "test", text };
    config::load(source, |_| Some(format!("http://{upstream}")), &Context::default()).unwrap()
}

/// Switches to `acme` and echoes.
async fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                head(&mut stream).await;
                let answer =
                    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: acme\r\n\r\n";
                stream.write_all(answer.as_bytes()).await.unwrap();
                let (mut read, mut write) = stream.into_split();
                drop(tokio::io::copy(&mut read, &mut write).await);
            });
        }
    });
    address
}

async fn start(declared: &Declared) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = serve(listener, declared.service()).into_future();
    (address, tokio::spawn(async move { drop(server.await) }))
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn ask(address: SocketAddr) -> (TcpStream, String) {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(ASK).await.unwrap();
    let head = head(&mut client).await;
    (client, head)
}

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("this takes too long")
}

#[tokio::test]
async fn every_layer_lets_a_tunnel_be_and_keeps_what_belongs_to_it() {
    let declared = load(DOCUMENT, upstream().await);
    let (address, server) = start(&declared).await;
    let (mut client, head) = ask(address).await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("x-gateway: here\r\n"), "{head}");

    // Longer than the request's deadline.
    tokio::time::sleep(Duration::from_millis(500)).await;
    client.write_all(b"{\"cost\": 1, \"password\": \"x\"}").await.unwrap();
    let mut heard = [0; 28];
    soon(client.read_exact(&mut heard)).await.unwrap();
    assert_eq!(&heard, b"{\"cost\": 1, \"password\": \"x\"}");

    let (_, head) = ask(address).await;
    assert!(head.starts_with("HTTP/1.1 503 "), "the place is taken: {head}");
    let shown = declared.meter().render();
    assert!(shown.contains("gateway_tunnels 1"), "{shown}");

    drop(client);
    soon(async {
        while !declared.meter().render().contains("gateway_tunnels 0") {
            tokio::task::yield_now().await
        }
    })
    .await;
    let again = soon(async {
        loop {
            let (client, head) = ask(address).await;
            if head.starts_with("HTTP/1.1 101 ") {
                return client;
            }
        }
    });
    drop(again.await);
    server.abort();
}

#[test]
fn what_cannot_be_allowed_is_a_mistake() {
    let text = |upgrades: &str| {
        format!(
            "listen: 127.0.0.1:1\nroutes:\n  - name: a\n    prefix: /\n    upstream:\n      endpoints: http://a\n      upgrades: {upgrades}\n"
        )
    };
    for (upgrades, told) in [
        ("h2c", "upgrades `h2c`"),
        ("{protocols: [websocket], origins: ['*']}", "origins `*`"),
        ("{protocols: [websocket], idle_timeout: 0s}", "upgrades.idle_timeout"),
        ("{origins: ['http://a']}", "protocols"),
        ("{protocols: [websocket], origin: a}", "origin"),
    ] {
        let source = Source { name: "test", text: &text(upgrades) };
        let error = config::load(source, |_| None, &Context::default()).unwrap_err().to_string();
        assert!(error.contains(told), "{upgrades}: {error}");
    }
}
