//! Too many connections, and services that panic.

use gateway_core::meter::Meter;

use super::*;

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_the_next_is_served_again() {
    let meter = Meter::default();
    let server = Running::start(echo(), |server| server.max_connections(1).meter(&meter)).await;
    let mut first = server.connect().await;
    first.get("/a").await;
    first.read_until("this is /a").await;
    let mut second = server.connect().await;
    second.get("/b").await;
    let said = second.rest().await;
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("retry-after: 1"), "{said}");

    drop(first);
    until(|| meter.gauge("gateway_connections", "", &[]).value() == 0).await;
    let mut third = server.connect().await;
    third.get("/c").await;
    third.read_until("this is /c").await;
    let total =
        |outcome: &str| meter.counter("gateway_connections_total", "", &[("outcome", outcome)]).value();
    assert_eq!((total("accepted"), total("refused")), (2, 1));
}

#[tokio::test]
async fn those_that_are_refused_do_not_hold_up_those_that_are_served() {
    let server = Running::start(echo(), |server| server.max_connections(1)).await;
    let mut first = server.connect().await;
    first.get("/a").await;
    first.read_until("this is /a").await;
    let mut deaf = Vec::new();
    for _ in 0..200 {
        deaf.push(server.connect().await);
    }
    first.get("/b").await;
    first.read_until("this is /b").await;
    drop(first);
    // The next one is refused while the server has not yet seen the first one leave.
    soon(async {
        loop {
            let mut next = server.connect().await;
            next.send("GET /c HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
            if next.rest().await.contains("this is /c") {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_panic_costs_its_own_connection_and_no_other() {
    let server = Running::start(panicking(), |server| server).await;
    let mut bystander = server.connect().await;
    for _ in 0..3 {
        let mut victim = server.connect().await;
        victim.get("/panic").await;
        assert_eq!(victim.rest().await, "");
        bystander.get("/").await;
        bystander.read_until("well").await;
    }
    drop(bystander);
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn a_panic_over_http2_costs_its_own_stream_and_no_other() {
    let server = Running::start(panicking(), |server| server).await;
    let (mut sender, _connection) = server.connect_http2().await;
    let get = |path: &str| Request::get(format!("http://a{path}")).body(Body::empty()).unwrap();
    for _ in 0..3 {
        assert!(soon(sender.send_request(get("/panic"))).await.is_err());
        assert_eq!(soon(sender.send_request(get("/"))).await.unwrap().status(), 200);
    }
}

fn panicking() -> Handler {
    handler(async |request| {
        assert!(request.uri().path() != "/panic", "boom");
        Response::new(Body::from("well"))
    })
}
