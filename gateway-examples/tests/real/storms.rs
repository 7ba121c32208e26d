//! Clients that leave in the middle, whatever they were in the middle of: nothing stays behind.

use std::{sync::Arc, thread, time::Duration};

use bytes::Bytes;
use gateway_layers::core::{Body, BoxError};
use http::Request;
use http_body_util::{BodyExt, channel::Channel};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
};

use crate::{
    common::{Gateway, get, status},
    parties::{descriptors, eventually, resident_kib},
    upstream::{SWITCH, Upstream},
};

const DOCUMENT: &str = "
listen: 127.0.0.1:0
request_id: {}
client_addr: {}
access_log: {to: /dev/null}
metrics: {path: /metrics}
limits: {body: 1GiB}
routes:
  - name: all
    prefix: /
    timeout: {request: 60s, per_try: 30s}
    bulkhead: {concurrent: 1000, queue: 1000}
    retry: {}
    upstream: {endpoints: ['${UPSTREAM}'], idle_timeout: 1s, upgrades: [websocket]}
";

/// What a client is in the middle of when it leaves.
const MIDDLES: [Middle; 9] = [
    Middle::Head("GET /held HTTP/1.1\r\nhost: a\r\nx-never"),
    Middle::Head("PRI * HTTP/2.0\r\n\r\nSM"),
    Middle::Body("POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nsome of it"),
    Middle::Body("POST /count HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nchun"),
    Middle::Wait("GET /held HTTP/1.1\r\nhost: a\r\n\r\n"),
    Middle::Answer("GET /zeros?64 HTTP/1.1\r\nhost: a\r\n\r\n"),
    Middle::Answer(SWITCH),
    Middle::Http2 { resets: true },
    Middle::Http2 { resets: false },
];

#[derive(Clone, Copy, Debug)]
enum Middle {
    /// Its own head.
    Head(&'static str),
    /// Its own body.
    Body(&'static str),
    /// Waiting for an answer.
    Wait(&'static str),
    /// An answer that has begun, or a tunnel.
    Answer(&'static str),
    /// Several streams of HTTP/2, which it resets, or it just hangs up.
    Http2 { resets: bool },
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_clients_that_leave_leaves_nothing_behind() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::with_document(DOCUMENT, &[("UPSTREAM", &upstream.url())]);
    let address: Arc<str> = gateway.address().into();
    assert_eq!(status(&get(&address, "/")), 200);

    // The first storm brings pools and buffers to their size.
    let descriptors_before = descriptors_at_rest(&gateway, &upstream);
    storm(&address).await;
    let descriptors_between = descriptors_at_rest(&gateway, &upstream);
    let memory_between = resident_kib(gateway.id());
    storm(&address).await;
    let descriptors_after = descriptors_at_rest(&gateway, &upstream);
    let grown = resident_kib(gateway.id()).saturating_sub(memory_between);
    println!(
        "descriptors: {descriptors_before}, then {descriptors_between}, then {descriptors_after}; {grown} KiB more"
    );
    assert_eq!([descriptors_between, descriptors_after], [descriptors_before; 2]);
    assert!(grown < 16 << 10, "resident memory grew by {grown} KiB");
}

/// Nine kinds of clients, sixty of each, forty at a time.
async fn storm(address: &Arc<str>) {
    let room = Arc::new(Semaphore::new(40));
    let mut clients = JoinSet::new();
    for number in 0..60 {
        for middle in MIDDLES {
            let (address, room) = (Arc::clone(address), Arc::clone(&room));
            clients.spawn(async move {
                let _place = room.acquire_owned().await;
                let left =
                    tokio::time::timeout(Duration::from_secs(20), leave(middle, &address, number)).await;
                left.unwrap_or_else(|_| panic!("{middle:?} waits")).unwrap();
            });
        }
    }
    while let Some(left) = clients.join_next().await {
        left.unwrap();
    }
}

async fn leave(middle: Middle, address: &str, number: u64) -> Result<(), BoxError> {
    let mut stream = TcpStream::connect(address).await?;
    // Every other one hangs up rudely.
    if number.is_multiple_of(2) {
        stream.set_zero_linger()?;
    }
    let pause = tokio::time::sleep(Duration::from_millis(number % 10 * 5));
    match middle {
        Middle::Head(bytes) | Middle::Body(bytes) | Middle::Wait(bytes) => {
            stream.write_all(bytes.as_bytes()).await?;
            pause.await;
        }
        Middle::Answer(bytes) => {
            stream.write_all(bytes.as_bytes()).await?;
            stream.read_exact(&mut [0; 100]).await?;
            pause.await;
        }
        Middle::Http2 { resets } => {
            let (mut client, connection) =
                http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
            let connection = tokio::spawn(connection);
            let ask = |path: &str, body| {
                Request::post(format!("http://{address}{path}")).body(body).expect("a request")
            };
            let (mut sender, upload) = Channel::<Bytes, BoxError>::new(1);
            let upload = client.send_request(ask("/count", Body::new(upload)));
            let held = client.send_request(ask("/held", Body::empty()));
            let mut zeros = client.send_request(ask("/zeros?8", Body::empty())).await?;
            sender.send_data(Bytes::from_static(b"some of it")).await?;
            let _ = zeros.body_mut().frame().await;
            if resets {
                drop((upload, held, zeros, sender));
                pause.await;
                drop(client);
                connection.await??;
            } else {
                pause.await;
                connection.abort();
            }
        }
    }
    Ok(())
}

/// Waits until nothing is under way any more, as far as the gateway and the upstream know; what is then open.
fn descriptors_at_rest(gateway: &Gateway, upstream: &Upstream) -> usize {
    eventually("connections to the upstream stay open", || upstream.connections() == 0);
    let gauges = || {
        let last = get(gateway.address(), "/metrics");
        let named: Vec<&str> = last
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" gauge"))
            // How many endpoints there are, and which document is in force, is no business of clients.
            .filter(|name| *name != "gateway_upstream_endpoints" && !name.starts_with("gateway_config_"))
            .collect();
        assert!(named.contains(&"gateway_connections") && named.contains(&"gateway_bulkhead_in_flight"));
        let of_gauge = |line: &&str| line.split([' ', '{']).next().is_some_and(|name| named.contains(&name));
        let over = last.lines().filter(of_gauge).filter(|line| !line.ends_with(" 0"));
        over.map(str::to_owned).collect::<Vec<_>>()
    };
    // The one that asks is there.
    eventually("a gauge is not back at 0", || {
        gauges().iter().all(|line| line == "gateway_connections 1" || line == "http_server_active_requests 1")
    });
    // Whoever asked last is still being closed.
    thread::sleep(Duration::from_millis(500));
    descriptors(gateway.id())
}
