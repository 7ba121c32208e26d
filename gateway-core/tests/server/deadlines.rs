//! Clients that keep the server waiting.

use gateway_core::meter::Meter;

use super::*;

const SHORT: Duration = Duration::from_millis(80);
const LONG: Duration = Duration::from_secs(600);

/// A server that counts, and waits long for everything that is not set shorter.
async fn patient(
    handler: Handler,
    settings: impl FnOnce(Server<Handler>) -> Server<Handler>,
) -> (Running, Meter) {
    let meter = Meter::default();
    let server = Running::start(handler, |server| {
        let all_long =
            server.first_byte_timeout(LONG).header_timeout(LONG).keep_alive_timeout(LONG).write_timeout(LONG);
        settings(all_long.meter(&meter))
    })
    .await;
    (server, meter)
}

fn given_up(meter: &Meter, waited_for: &str) -> u64 {
    meter.counter("gateway_connection_timeouts_total", "", &[("waited_for", waited_for)]).value()
}

fn open(meter: &Meter) -> i64 {
    meter.gauge("gateway_connections", "", &[]).value()
}

#[tokio::test]
async fn whoever_says_nothing_or_half_a_preface_is_closed() {
    let (server, meter) = patient(echo(), |server| server.first_byte_timeout(SHORT)).await;
    for start in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
        let mut client = server.connect().await;
        client.send(start).await;
        assert_eq!(client.rest().await, "", "{start:?}");
    }
    assert_eq!(given_up(&meter, "protocol"), 3);
    until(|| open(&meter) == 0).await;
}

#[tokio::test]
async fn drops_of_a_preface_win_no_time() {
    let (server, meter) = patient(echo(), |server| server.first_byte_timeout(SHORT)).await;
    let mut client = server.connect().await;
    soon(async {
        for drop in b"PRI * HTTP/2.0".iter().cycle() {
            tokio::time::sleep(SHORT / 4).await;
            if client.0.write_all(&[*drop]).await.is_err() || given_up(&meter, "protocol") == 1 {
                break;
            }
        }
    })
    .await;
    assert_eq!(given_up(&meter, "protocol"), 1);
}

#[tokio::test]
async fn a_head_that_does_not_end_is_closed_on_a_new_connection_and_on_a_used_one() {
    let (server, meter) = patient(echo(), |server| server.header_timeout(SHORT)).await;
    let mut new = server.connect().await;
    new.send("GET /slow HTTP/1.1\r\nhost: ").await;
    assert_eq!(new.rest().await, "");

    let mut used = server.connect().await;
    used.get("/a").await;
    used.read_until("this is /a").await;
    used.send("GET /slow HTTP/1.1\r\nhost: ").await;
    assert_eq!(used.rest().await, "");
    assert_eq!(given_up(&meter, "head"), 2);
}

#[tokio::test]
async fn an_idle_connection_outlives_the_time_for_a_head() {
    let (server, meter) = patient(echo(), |server| server.header_timeout(SHORT)).await;
    let mut client = server.connect().await;
    for path in ["/a", "/b"] {
        client.get(path).await;
        client.read_until(&format!("this is {path}")).await;
        tokio::time::sleep(SHORT * 3).await;
    }
    client.get("/c").await;
    client.read_until("this is /c").await;
    assert_eq!(given_up(&meter, "head") + given_up(&meter, "request"), 0);
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let (server, meter) = patient(echo(), |server| server.keep_alive_timeout(SHORT)).await;
    let mut client = server.connect().await;
    client.get("/a").await;
    let answer = client.rest().await;
    assert!(answer.ends_with("this is /a"), "{answer}");
    assert_eq!(given_up(&meter, "request"), 1);
    until(|| open(&meter) == 0).await;
}

#[tokio::test]
async fn an_http2_connection_without_a_request_is_told_to_go() {
    let (server, meter) = patient(echo(), |server| server.keep_alive_timeout(SHORT)).await;
    let (mut sender, connection) = server.connect_http2().await;
    let request = Request::get("http://a/").body(Body::empty()).unwrap();
    assert_eq!(soon(sender.send_request(request)).await.unwrap().status(), 200);
    soon(connection).await.unwrap().expect("it ends without an error");
    assert_eq!(given_up(&meter, "request"), 1);
    until(|| open(&meter) == 0).await;
}

#[tokio::test]
async fn an_answer_may_take_longer_than_any_wait_for_the_client() {
    let (streaming, mut sender) = streaming();
    let (server, meter) = patient(streaming, |server| {
        server.header_timeout(SHORT).keep_alive_timeout(SHORT).write_timeout(SHORT)
    })
    .await;
    let mut client = server.connect().await;
    client.get("/").await;
    for piece in ["first", "second"] {
        tokio::time::sleep(SHORT * 2).await;
        sender.send_data(piece.into()).await.unwrap();
        client.read_until(piece).await;
    }
    drop(sender);
    client.rest().await;
    assert_eq!(given_up(&meter, "request"), 1, "only after the answer");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let (streaming, mut sender) = streaming();
    let (server, meter) = patient(streaming, |server| server.write_timeout(SHORT)).await;
    let mut client = server.connect().await;
    client.get("/").await;
    let piece = Bytes::from(vec![b'x'; 1 << 20]);
    soon(async { while sender.send_data(piece.clone()).await.is_ok() {} }).await;
    assert_eq!(given_up(&meter, "write"), 1);
    until(|| open(&meter) == 0).await;
}
