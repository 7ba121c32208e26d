//! Load balancers that say whose bytes they pass on.

use gateway_core::{
    Facts, Network,
    meter::Meter,
    server::{Listener, ProxyProtocol},
};

use super::*;

fn tell() -> Handler {
    handler(|request: Request<Incoming>| {
        let facts = Facts::get(request.extensions()).unwrap();
        let text = format!("peer {} relay {}", facts.peer().unwrap().ip(), facts.relay().is_some());
        async { Response::new(Body::from(text)) }
    })
}

async fn start(protocol: ProxyProtocol, meter: &Meter) -> Running {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap().proxy_protocol(protocol);
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(listener, tell()).meter(meter).first_byte_timeout(Duration::from_millis(200));
    let server = server.shutdown(async { drop(stopped.await) });
    Running { address, stop, server: tokio::spawn(server.into_future()) }
}

fn here() -> [Network; 1] {
    ["127.0.0.0/8".parse().unwrap()]
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
const V1: &str = "PROXY TCP4 192.0.2.7 10.0.0.1 5000 80\r\n";
/// LOCAL, unspecified.
const V2_LOCAL: &str = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

async fn ask(server: &Running, pieces: &[&str]) -> String {
    let mut client = server.connect().await;
    for piece in pieces {
        // A server that closed already resets what is sent on.
        if client.0.write_all(piece.as_bytes()).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let said = client.rest().await;
    said.rsplit("\r\n").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_trusted_peer_names_its_client_or_itself() {
    let meter = Meter::default();
    let server = start(ProxyProtocol::required(here()), &meter).await;
    let whole = [V1, GET].concat();
    assert_eq!(ask(&server, &[&whole]).await, "peer 192.0.2.7 relay true");
    assert_eq!(ask(&server, &[V1, GET]).await, "peer 192.0.2.7 relay true");
    assert_eq!(
        ask(&server, &["PRO", "XY TCP4 192.0.2.7 10.0.", "0.1 5000 80\r", "\n", GET]).await,
        "peer 192.0.2.7 relay true"
    );
    assert_eq!(ask(&server, &["PROXY UNKNOWN\r\n", GET]).await, "peer 127.0.0.1 relay false");
    assert_eq!(ask(&server, &[V2_LOCAL, GET]).await, "peer 127.0.0.1 relay false");
}

#[tokio::test]
async fn a_trusted_peer_without_a_sound_header_is_closed_unless_it_may_leave_it_out() {
    let meter = Meter::default();
    let errors = || meter.counter("gateway_proxy_protocol_errors_total", "", &[]).value();
    let server = start(ProxyProtocol::required(here()), &meter).await;
    assert_eq!(ask(&server, &[GET]).await, "");
    assert_eq!(ask(&server, &["PROXY TCP4 nonsense\r\n", GET]).await, "");
    assert_eq!(errors(), 2);
    let optional = start(ProxyProtocol::optional(here()), &meter).await;
    assert_eq!(ask(&optional, &[GET]).await, "peer 127.0.0.1 relay false");
    assert_eq!(ask(&optional, &[V1, GET]).await, "peer 192.0.2.7 relay true");
    // What could have become a header is not lost when it does not.
    let post = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(ask(&optional, &[&post[..1], &post[1..]]).await, "peer 127.0.0.1 relay false");
    assert_eq!(ask(&optional, &["PROXY TCP4 nonsense\r\n", GET]).await, "");
    assert_eq!(errors(), 3);
}

#[tokio::test]
async fn to_a_stranger_it_is_no_header() {
    let elsewhere: Network = "10.0.0.0/8".parse().unwrap();
    let server = start(ProxyProtocol::required([elsewhere]), &Meter::default()).await;
    assert_eq!(ask(&server, &[GET]).await, "peer 127.0.0.1 relay false");
    for header in [V1, V2_LOCAL] {
        let mut client = server.connect().await;
        client.send(&[header, GET].concat()).await;
        let said = client.rest().await;
        assert!(said.starts_with("HTTP/1.1 400") && !said.contains("peer"), "{said}");
    }
}

#[tokio::test]
async fn a_header_that_does_not_come_is_given_up() {
    let meter = Meter::default();
    let server = start(ProxyProtocol::optional(here()), &meter).await;
    for start in ["", "P", "PROXY TCP4 ", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"] {
        let mut client = server.connect().await;
        client.send(start).await;
        assert_eq!(client.rest().await, "", "{start:?}");
    }
    let protocol = meter.counter("gateway_connection_timeouts_total", "", &[("waited_for", "protocol")]);
    assert_eq!(protocol.value(), 4);
    until(|| meter.gauge("gateway_connections", "", &[]).value() == 0).await;
}
