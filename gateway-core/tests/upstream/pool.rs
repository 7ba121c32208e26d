use std::{sync::atomic::Ordering, time::Duration};

use gateway_core::{
    Clock, Facts, Refusal,
    error::ErrorKind,
    meter::Meter,
    testing::{ScriptedUpstream, Step},
    upstream::{Protocol, Upstream},
};

use super::{Manners, Server, get, send, text};

const MILLIS: fn(u64) -> Duration = Duration::from_millis;

#[tokio::test]
async fn the_cap_holds_and_who_waits_is_served() {
    for http2 in [false, true] {
        let manners = Manners { http2, max_streams: Some(2), thinks: MILLIS(2), ..Manners::default() };
        let server = Server::start(manners).await;
        let protocol = if http2 { Protocol::Http2 } else { Protocol::Http1 };
        let upstream = Upstream::new([server.url()]).protocol(protocol).max_connections(10);
        let forward = upstream.build().unwrap();
        // The peer says how many streams it allows with its first answer.
        text(send(&forward, get("/")).await.unwrap()).await;
        let mut under_way = tokio::task::JoinSet::new();
        for _ in 0..500 {
            let forward = forward.clone();
            under_way.spawn(async move { text(send(&forward, get("/")).await.unwrap()).await });
        }
        assert_eq!(under_way.join_all().await.len(), 500);
        assert!(server.connections() <= 10, "{http2}: {}", server.connections());
        assert!(server.seen.most.load(Ordering::SeqCst) <= if http2 { 20 } else { 10 });
    }
}

#[tokio::test]
async fn a_full_line_is_refused_and_the_line_has_the_requests_deadline() {
    let server = Server::start(Manners { thinks: MILLIS(300), ..Manners::default() }).await;
    let upstream = Upstream::new([server.url()]).max_connections(1).max_waiting(1);
    let forward = upstream.build().unwrap();
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let forward = forward.clone();
        asked.spawn(async move {
            let answer = send(&forward, get("/")).await.unwrap();
            let status = answer.status();
            if status == 503 {
                assert_eq!(answer.extensions().get::<Refusal>().unwrap().code(), "upstream_busy");
                assert_eq!(answer.headers()["retry-after"], "1");
            }
            // Whoever stands in line gets the connection once this one is read.
            text(answer).await;
            status.as_u16()
        });
    }
    let mut statuses = asked.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503, 503]);

    let clock = Clock::default();
    let held = tokio::spawn({
        let forward = forward.clone();
        async move { send(&forward, get("/")).await }
    });
    tokio::time::sleep(MILLIS(50)).await;
    let mut late = get("/");
    Facts::of(late.extensions_mut(), &clock).tighten_deadline(clock.now() + MILLIS(50));
    let error = send(&forward, late).await.unwrap_err();
    assert_eq!((error.kind(), error.is_unsent()), (ErrorKind::Timeout, true));
    assert_eq!(held.await.unwrap().unwrap().status(), 200);
    assert_eq!(server.connections(), 1);
}

#[test]
fn each_runtime_has_connections_of_its_own() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let serving = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for (http2, protocol) in [(false, Protocol::Http1), (true, Protocol::Http2)] {
        let server = serving.block_on(Server::start(Manners { http2, ..Manners::default() }));
        let forward = Upstream::new([server.url()]).protocol(protocol).build().unwrap();
        let (one, two) = (runtime(), runtime());
        for _ in 0..3 {
            // On one thread and on two: both runtimes live on meanwhile.
            for runtime in [&one, &two] {
                runtime.block_on(async { text(send(&forward, get("/")).await.unwrap()).await });
            }
            std::thread::scope(|scope| {
                for runtime in [&one, &two] {
                    let forward = &forward;
                    scope.spawn(move || {
                        runtime.block_on(async { text(send(forward, get("/")).await.unwrap()).await })
                    });
                }
            });
        }
        assert_eq!(server.connections(), 2, "{protocol:?}");
        drop(one);
        two.block_on(async { text(send(&forward, get("/")).await.unwrap()).await });
    }
}

#[test]
fn workers_of_one_runtime_help_each_other_out() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::start(Manners::default()).await;
        let forward = Upstream::new([server.url()]).build().unwrap();
        for _ in 0..200 {
            let forward = forward.clone();
            let sent = async move { text(send(&forward, get("/")).await.unwrap()).await };
            tokio::spawn(sent).await.unwrap();
        }
        assert!(server.connections() <= 2, "{}", server.connections());
    });
}

/// One connection serves them all over HTTP/2; it has to become unused now and then.
fn clients_of(http2: bool) -> u64 {
    if http2 { 1 } else { 40 }
}

#[tokio::test]
async fn an_upstream_that_closes_unused_connections_soon_costs_no_request() {
    for http2 in [false, true] {
        let manners = Manners { http2, idle: Some(MILLIS(20)), ..Manners::default() };
        let server = Server::start(manners).await;
        let protocol = if http2 { Protocol::Http2 } else { Protocol::Http1 };
        let forward = Upstream::new([server.url()]).protocol(protocol).build().unwrap();
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..clients_of(http2) {
            let forward = forward.clone();
            clients.spawn(async move {
                for round in 0..250_u64 {
                    text(send(&forward, get("/")).await.unwrap()).await;
                    // Mostly at once, now and then just when the upstream closes.
                    if round % 10 == 0 {
                        tokio::time::sleep(MILLIS(18) + Duration::from_micros(client * 100 + round * 20))
                            .await;
                    }
                }
            });
        }
        clients.join_all().await;
        assert_eq!(
            server.seen.requests.load(Ordering::SeqCst) as u64,
            250 * clients_of(http2),
            "{protocol:?}"
        );
        assert!(server.connections() > 3, "{protocol:?}: {}", server.connections());
    }
}

#[tokio::test]
async fn unused_connections_are_closed_without_traffic() {
    for (http2, protocol) in [(false, Protocol::Http1), (true, Protocol::Http2)] {
        let server = Server::start(Manners { http2, ..Manners::default() }).await;
        let upstream = || Upstream::new([server.url()]).protocol(protocol);
        let forward = upstream().idle_timeout(MILLIS(100)).build().unwrap();
        for _ in 0..2 {
            text(send(&forward, get("/")).await.unwrap()).await;
            server.open(1).await;
            server.open(0).await;
        }
        let forward = upstream().max_age(MILLIS(150)).build().unwrap();
        text(send(&forward, get("/")).await.unwrap()).await;
        server.open(1).await;
        server.open(0).await;
        // With the pool its connections go.
        let forward = upstream().build().unwrap();
        text(send(&forward, get("/")).await.unwrap()).await;
        server.open(1).await;
        drop(forward);
        server.open(0).await;
    }
}

#[tokio::test]
async fn a_connection_serves_so_many_requests_and_not_one_more() {
    for (http2, protocol) in [(false, Protocol::Http1), (true, Protocol::Http2)] {
        let server = Server::start(Manners { http2, ..Manners::default() }).await;
        let forward = Upstream::new([server.url()]).protocol(protocol).max_requests(2).build().unwrap();
        for _ in 0..5 {
            text(send(&forward, get("/")).await.unwrap()).await;
        }
        assert_eq!(server.connections(), 3, "{protocol:?}");
        server.open(1).await;
    }
}

#[tokio::test]
async fn an_upstream_that_says_when_it_closes_is_believed() {
    let answer = Step::Send("HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok");
    let server = ScriptedUpstream::start([vec![answer]]).await.unwrap();
    let forward = Upstream::new([server.url()]).build().unwrap();
    for _ in 0..3 {
        text(send(&forward, get("/")).await.unwrap()).await;
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn connections_are_counted() {
    let (server, meter) = (Server::start(Manners::default()).await, Meter::default());
    let forward = Upstream::new([server.url()]).meter(&meter, "orders").build().unwrap();
    for _ in 0..3 {
        text(send(&forward, get("/")).await.unwrap()).await;
    }
    let (shown, url) = (meter.render(), server.url());
    for (name, state, value) in [
        ("connections", ",state=\"open\"", 1),
        ("connections", ",state=\"idle\"", 1),
        ("connections_opened_total", "", 1),
        ("connections_reused_total", "", 2),
    ] {
        let line =
            format!("gateway_upstream_{name}{{upstream=\"orders\",endpoint=\"{url}\"{state}}} {value}");
        assert!(shown.contains(&line), "{line}\n{shown}");
    }
    drop(forward);
    server.open(0).await;
}
