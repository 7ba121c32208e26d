//! How tunnels end.

use super::*;

/// Says it is done, then repeats what it heard once the other side is done as well.
async fn done_first(mut stream: TcpStream) {
    stream.write_all(b"done").await.unwrap();
    stream.shutdown().await.unwrap();
    let heard = rest(&mut stream).await;
    assert_eq!(heard, b"and I");
}

/// Answers when it has heard everything.
async fn done_last(mut stream: TcpStream) {
    let heard = rest(&mut stream).await;
    stream.write_all(&heard).await.unwrap();
}

#[tokio::test]
async fn a_client_that_said_all_hears_the_answer() {
    let upstream = Upstreams::start(switched, done_last).await;
    let gateway = Gateway::start(&upstream, acme()).await;
    let (mut client, _) = gateway.ask(RAW).await;
    client.write_all(b"all of it").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, b"all of it");
    gateway.counts("gateway_tunnels_total{end=\"client\"}", 1.0).await;
}

#[tokio::test]
async fn an_upstream_that_said_all_hears_the_client() {
    let upstream = Upstreams::start(switched, done_first).await;
    let gateway = Gateway::start(&upstream, acme()).await;
    let (mut client, _) = gateway.ask(RAW).await;
    assert_eq!(rest(&mut client).await, b"done");
    // Longer than the server would listen to a client that it has nothing more to say to.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    client.write_all(b"and I").await.unwrap();
    drop(client);
    gateway.counts("gateway_tunnels_total{end=\"upstream\"}", 1.0).await;
    assert_eq!(gateway.counted("gateway_tunnel_bytes_total{direction=\"up\"}"), 5.0);
}

#[tokio::test]
async fn both_sides_of_a_silent_tunnel_are_closed() {
    let upstream = Upstreams::echo().await;
    let upgrades = acme().idle_timeout(Duration::from_millis(200));
    let gateway = Gateway::start(&upstream, upgrades).await;
    let (mut client, _) = gateway.ask(RAW).await;
    assert_eq!(rest(&mut client).await, b"");
    gateway.counts("gateway_tunnels_total{end=\"idle\"}", 1.0).await;
    gateway.counts("gateway_connections", 0.0).await;
}

#[tokio::test]
async fn an_upstream_that_breaks_ends_the_tunnel() {
    async fn breaks(stream: TcpStream) {
        stream.set_zero_linger().unwrap();
    }
    let upstream = Upstreams::start(switched, breaks).await;
    let gateway = Gateway::start(&upstream, acme()).await;
    let (mut client, _) = gateway.ask(RAW).await;
    assert_eq!(rest(&mut client).await, b"");
    gateway.counts("gateway_tunnels", 0.0).await;
    drop(client);
    gateway.counts("gateway_connections", 0.0).await;
}

#[tokio::test]
async fn a_drain_waits_for_a_tunnel_that_ends() {
    let upstream = Upstreams::echo().await;
    let gateway = Gateway::start(&upstream, acme()).await;
    let (mut client, _) = gateway.ask(RAW).await;
    let address = gateway.address;
    let stopping = tokio::spawn(gateway.stop());
    soon(async { while TcpStream::connect(address).await.is_ok() {} }).await;
    client.write_all(b"still here").await.unwrap();
    assert_eq!(read(&mut client, 10).await, "still here");
    drop(client);
    assert_eq!(soon(stopping).await.unwrap(), Drained { finished: 1, cut: 0 });
}

#[tokio::test]
async fn a_tunnel_that_does_not_end_is_cut_with_the_drain() {
    let upstream = Upstreams::echo().await;
    let gateway =
        Gateway::start_with(&upstream, acme(), |server| server.drain_timeout(Duration::from_millis(200)));
    let gateway = gateway.await;
    let (mut client, _) = gateway.ask(RAW).await;
    let meter = gateway.meter.clone();
    assert_eq!(gateway.stop().await, Drained { finished: 0, cut: 1 });
    assert_eq!(rest(&mut client).await, b"");
    let text = meter.render();
    assert!(text.contains("gateway_tunnels 0"), "{text}");
    assert!(text.contains("gateway_tunnels_total{end=\"cut\"} 1"), "{text}");
}

#[tokio::test]
async fn a_websocket_is_told_that_the_server_goes_away() {
    let upstream = Upstreams::echo().await;
    let gateway = Gateway::start(&upstream, acme()).await;
    let (mut client, _) = gateway.ask(WEBSOCKET).await;
    // The echo sends our good-bye back, as a server's own would be.
    let stopping = tokio::spawn(gateway.stop());
    let mut good_bye = [0; 4];
    soon(client.read_exact(&mut good_bye)).await.unwrap();
    assert_eq!(good_bye, [0x88, 2, 0x03, 0xe9]);
    client.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]).await.unwrap();
    assert_eq!(rest(&mut client).await, b"");
    assert_eq!(soon(stopping).await.unwrap(), Drained { finished: 1, cut: 0 });
}

#[tokio::test]
async fn tunnels_count_as_connections() {
    let upstream = Upstreams::echo().await;
    let gateway = Gateway::start_with(&upstream, acme(), |server| server.max_connections(1)).await;
    let (_client, _) = gateway.ask(RAW).await;
    let mut second = gateway.connect().await;
    assert!(String::from_utf8(rest(&mut second).await).unwrap().starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn nothing_is_left_of_a_storm_of_tunnels_that_are_broken_off() {
    let upstream = Upstreams::echo().await;
    let gateway = Gateway::start(&upstream, acme()).await;
    for round in 0..20 {
        let mut clients = tokio::task::JoinSet::new();
        for at in 0..20 {
            let address = gateway.address;
            clients.spawn(async move {
                let mut client = TcpStream::connect(address).await.unwrap();
                let request = if at % 2 == 0 { RAW } else { WEBSOCKET };
                client.write_all(request.as_bytes()).await.unwrap();
                if at % 4 < 2 {
                    head(&mut client).await;
                    client.write_all(&[b'x'; 10_000]).await.unwrap();
                }
                if (at + round) % 3 == 0 {
                    client.set_zero_linger().unwrap();
                }
            });
        }
        while let Some(outcome) = clients.join_next().await {
            outcome.unwrap();
        }
    }
    gateway.counts("gateway_tunnels", 0.0).await;
    gateway.counts("gateway_connections", 0.0).await;
    // The echo reads to its end, so each of its connections is closed by now, too.
    let ended: f64 = ["client", "upstream", "failed", "unopened", "cut"]
        .iter()
        .map(|end| gateway.counted(&format!("gateway_tunnels_total{{end=\"{end}\"}}")))
        .sum();
    assert!(ended >= 200.0, "half of 400 had their answer: {ended}");
}
