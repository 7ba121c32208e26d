//! Many clients that mean no good: none of them holds up the others, and none leaves anything behind.

use gateway_core::meter::Meter;

use super::*;

/// Storms come one after the other, because they count descriptors.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Descriptors of this process. Other tests open some too, so only large numbers tell anything.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[tokio::test]
async fn silent_and_undecided_clients_are_all_closed_while_others_are_served() {
    const EACH: usize = 2_000;
    let _alone = ALONE.lock().await;
    let meter = Meter::default();
    let server = Running::start(echo(), |server| {
        server.meter(&meter).first_byte_timeout(Duration::from_secs(3)).header_timeout(Duration::from_secs(3))
    })
    .await;
    let before = descriptors();
    let mut clients = Vec::new();
    for number in 0..EACH {
        clients.push(server.connect().await);
        let mut undecided = server.connect().await;
        undecided.send(["PRI * HTTP", "GET / HT"][number % 2]).await;
        clients.push(undecided);
    }
    let open = meter.gauge("gateway_connections", "", &[]);
    assert!(open.value() > 0);
    let mut served = 0;
    tokio::time::timeout(Duration::from_secs(35), async {
        while open.value() > 1 {
            let mut client = server.connect().await;
            client.get("/a").await;
            client.read_until("this is /a").await;
            served += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("all are closed in time");
    assert!(served > 10, "the others were served meanwhile");
    let given_up =
        |wait| meter.counter("gateway_connection_timeouts_total", "", &[("waited_for", wait)]).value();
    assert_eq!((given_up("protocol"), given_up("head")), (EACH as u64 * 3 / 2, EACH as u64 / 2));
    for client in &mut clients {
        assert_eq!(client.rest().await, "");
    }
    drop(clients);
    until(|| open.value() == 0).await;
    assert!(descriptors() < before + 1_000, "{} of {before}", descriptors());
    assert_eq!(server.stop().await, Drained::default());
}

#[tokio::test]
async fn requests_that_are_aborted_at_any_point_leave_nothing() {
    let _alone = ALONE.lock().await;
    let meter = Meter::default();
    let waiting = Gauge::default();
    let gauge = waiting.clone();
    let reader = handler(move |request: Request<Incoming>| {
        let waits = gauge.hold();
        async move {
            let all = Body::collect_limited(request.into_body(), 100).await;
            drop(waits);
            Response::new(Body::from(format!("{all:?}")))
        }
    });
    let server = Running::start(reader, |server| server.meter(&meter)).await;
    let before = descriptors();
    let request = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345";
    for round in 0..40 {
        let mut clients = Vec::new();
        for number in 0..50 {
            let mut client = server.connect().await;
            client.send(&request[..(round * 50 + number) % (request.len() + 1)]).await;
            clients.push(client);
        }
        // Dropped in mid-request; every second round with a reset.
        if round % 2 == 0 {
            clients.iter().for_each(|client| client.0.set_zero_linger().unwrap());
        }
    }
    let open = meter.gauge("gateway_connections", "", &[]);
    until(|| open.value() == 0 && waiting.value() == 0).await;
    until(|| descriptors() < before + 200).await;
    assert_eq!(meter.counter("gateway_connections_total", "", &[("outcome", "accepted")]).value(), 2_000);
    assert_eq!(server.stop().await, Drained::default());
}

#[tokio::test]
async fn http2_streams_that_are_aborted_leave_nothing() {
    let (silent, waiting) = silent();
    let server = Running::start(silent, |server| server).await;
    let (mut requests, connection) = server.connect_http2().await;
    for _ in 0..20 {
        let mut answers = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let request = Request::get("http://a/").body(Body::empty()).unwrap();
            soon(requests.ready()).await.unwrap();
            answers.spawn(requests.send_request(request));
        }
        until(|| waiting.value() == 50).await;
        drop(answers);
        until(|| waiting.value() == 0).await;
    }
    drop(requests);
    soon(connection).await.unwrap().unwrap();
    assert_eq!(server.stop().await.cut, 0);
}
