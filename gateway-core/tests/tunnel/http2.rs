//! The extended CONNECT of HTTP/2 (RFC 8441), in front of upstreams that speak HTTP/1.1.

use http::{Method, StatusCode};
use hyper::{client::conn::http2, ext::Protocol};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tower::service_fn;

use super::*;

async fn connect(address: SocketAddr) -> http2::SendRequest<Body> {
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn extended(protocol: &'static str) -> Request<Body> {
    let request = Request::builder().method(Method::CONNECT).uri("http://a/chat?room=1");
    let request = request.header("sec-websocket-version", "13").header("origin", "https://shop.example");
    request.extension(Protocol::from_static(protocol)).body(Body::empty()).unwrap()
}

/// Asked for until the server has said that it knows this method.
async fn send(sender: &mut http2::SendRequest<Body>, protocol: &'static str) -> Response<Incoming> {
    soon(async {
        loop {
            match sender.send_request(extended(protocol)).await {
                Ok(response) => return response,
                Err(error) => assert!(error.is_user() || !sender.is_closed(), "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

#[tokio::test]
async fn becomes_a_handshake_of_http1_and_carries_bytes() {
    let upstream = Upstreams::echo().await;
    let gateway = Gateway::start(&upstream, Upgrades::new(["websocket"])).await;
    let mut sender = connect(gateway.address).await;
    let mut tunnels = Vec::new();
    for _ in 0..3 {
        let response = send(&mut sender, "websocket").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(!response.headers().contains_key("sec-websocket-accept"));
        tunnels.push(TokioIo::new(soon(hyper::upgrade::on(response)).await.unwrap()));
    }
    let asked = upstream.asked();
    assert_eq!(asked[0], "get /chat?room=1 http/1.1");
    for line in ["host: a", "connection: upgrade", "upgrade: websocket", "origin: https://shop.example"] {
        assert!(asked.iter().any(|asked| asked == line), "{line}: {asked:?}");
    }
    gateway.counts("gateway_tunnels", 3.0).await;
    for tunnel in &mut tunnels {
        let sent = vec![b'x'; 100_000];
        let (mut read, mut write) = tokio::io::split(tunnel);
        let mut heard = vec![0; sent.len()];
        let (sent, heard) = tokio::join!(write.write_all(&sent), read.read_exact(&mut heard));
        sent.unwrap();
        assert_eq!(heard.unwrap(), 100_000);
    }
    for mut tunnel in tunnels {
        tunnel.shutdown().await.unwrap();
        assert_eq!(soon(tunnel.read(&mut [0])).await.unwrap(), 0);
    }
    gateway.counts("gateway_tunnels", 0.0).await;
    assert_eq!(gateway.counted("gateway_tunnels_total{end=\"client\"}"), 3.0);
    let plain = Request::get("http://a/").body(Body::empty()).unwrap();
    let response = sender.send_request(plain).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND, "the connection goes on");
}

#[tokio::test]
async fn is_refused_where_nobody_allows_it() {
    let upstream = Upstreams::echo().await;
    let gateway = Gateway::start(&upstream, Upgrades::new(["websocket"])).await;
    let mut sender = connect(gateway.address).await;
    assert_eq!(send(&mut sender, "connect-udp").await.status(), StatusCode::NOT_IMPLEMENTED);
    assert!(upstream.heads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_layer_that_answers_any_get_opens_no_tunnel() {
    let hello = service_fn(|request: Request<Incoming>| async move {
        let (mut head, _) = request.into_parts();
        gateway_core::canonical::canonicalize(&mut head).unwrap();
        assert_eq!(head.method, Method::GET);
        Ok::<_, Infallible>(Response::new(Body::from("hello")))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, hello).into_future());
    let response = send(&mut connect(address).await, "websocket").await;
    assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
    server.abort();
}

#[tokio::test]
async fn a_drain_says_good_bye_and_the_stream_that_is_cut_leaves_nothing() {
    let upstream = Upstreams::echo().await;
    let gateway = Gateway::start_with(&upstream, Upgrades::new(["websocket"]), |server| {
        server.drain_timeout(Duration::from_millis(300))
    });
    let gateway = gateway.await;
    let meter = gateway.meter.clone();
    let mut sender = connect(gateway.address).await;
    let response = send(&mut sender, "websocket").await;
    let mut tunnel = TokioIo::new(soon(hyper::upgrade::on(response)).await.unwrap());
    let stopping = tokio::spawn(gateway.stop());
    let mut good_bye = [0; 4];
    soon(tunnel.read_exact(&mut good_bye)).await.unwrap();
    assert_eq!(good_bye, [0x88, 2, 0x03, 0xe9]);
    // It is not answered.
    assert_eq!(soon(stopping).await.unwrap(), Drained { finished: 0, cut: 1 });
    assert!(meter.render().contains("gateway_tunnels 0"));
}
