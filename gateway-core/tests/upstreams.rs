//! Several upstreams of which one is dead, silent, slow or broken, over real sockets: who gets how much.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use gateway_core::{
    Body,
    client::Forward,
    explain::Explain,
    meter::Meter,
    random::Random,
    upstream::{
        Balance, Member, Panic, Preference, Upstream,
        health::{Checks, Ejection, HttpProbe, Probe, Rhythm},
        pick::Policy,
    },
};
use http::{HeaderValue, Request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tower::ServiceExt;

/// A server on a port of its own. It ends when it is dropped, with all of its connections.
struct Server {
    url: String,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    manner: Mutex<Manner>,
    /// Requests that were no checks.
    asked: AtomicUsize,
    checked: AtomicUsize,
    heads: Mutex<Vec<String>>,
    is_sick: AtomicBool,
}

#[derive(Clone, Copy, Default)]
enum Manner {
    #[default]
    Well,
    Broken,
    Silent,
    Slow,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                connections.spawn(async move { drop(state.converse(stream).await) });
            }
        });
        Self { url, state, serving }
    }

    fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    fn behave(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    async fn converse(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut received = Vec::new();
        loop {
            received.clear();
            while !received.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut received).await? == 0 {
                    return Ok(());
                }
            }
            let head = String::from_utf8_lossy(&received).into_owned();
            let is_check = head.starts_with("GET /healthz");
            self.heads.lock().unwrap().push(head);
            if is_check {
                self.checked.fetch_add(1, Ordering::SeqCst);
                let answer: &[u8] = match self.is_sick.load(Ordering::SeqCst) {
                    true => b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
                    false => b"HTTP/1.1 204 No Content\r\n\r\n",
                };
                stream.write_all(answer).await?;
                continue;
            }
            self.asked.fetch_add(1, Ordering::SeqCst);
            let manner = *self.manner.lock().unwrap();
            let answer: &[u8] = match manner {
                Manner::Silent => std::future::pending().await,
                Manner::Broken => b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
                Manner::Slow => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
                }
                Manner::Well => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            };
            stream.write_all(answer).await?;
        }
    }
}

async fn three() -> [Server; 3] {
    [Server::start().await, Server::start().await, Server::start().await]
}

fn over(servers: &[Server], balance: Balance) -> Upstream {
    let times = (Duration::from_millis(500), Duration::from_millis(500));
    let upstream = Upstream::new(servers.iter().map(|server| server.url.clone()));
    upstream.balance(balance).connect_timeout(times.0).response_timeout(times.1)
}

fn ejecting() -> Balance {
    Balance { ejection: Some(Ejection::default()), ..Balance::default() }
}

/// The status of one answer, read to its end; 0 for a failure.
async fn ask(forward: &Forward) -> u16 {
    let request = Request::get("/").header("host", "shop.test").body(Body::empty()).unwrap();
    let Ok(answer) = forward.clone().oneshot(request).await else { return 0 };
    let status = answer.status().as_u16();
    match Body::collect_limited(answer.into_body(), 1 << 10).await {
        Ok(_) => status,
        Err(_) => 0,
    }
}

async fn ask_times(forward: &Forward, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(ask(forward).await);
    }
    statuses
}

fn explained(forward: &Forward) -> Vec<String> {
    let (head, mut say) = (Request::get("/").body(()).unwrap().into_parts().0, Vec::new());
    forward.explain(&head, &mut say);
    say.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_killed_one_of_three_costs_nobody_anything_and_is_soon_left_alone() {
    let [first, second, third] = three().await;
    let servers = [first, second, third];
    let forward = over(&servers, ejecting()).build().unwrap();
    assert_eq!(ask_times(&forward, 30).await, [200; 30]);
    assert!(servers.iter().all(|server| server.asked() == 10));
    let [dead, left, right] = servers;
    let url = dead.url.clone();
    dead.serving.abort();
    while TcpStream::connect(url.trim_start_matches("http://")).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask_times(&forward, 60).await, [200; 60], "what was not sent is sent elsewhere");
    let explained = explained(&forward);
    let told = format!("health_check: skip: {url}: ejected for 30 s more, because its requests failed");
    assert!(explained.contains(&told), "{explained:#?}");
    assert_eq!(left.asked() + right.asked(), 20 + 60);
}

#[tokio::test]
async fn one_that_answers_500_gets_five_requests() {
    let servers = three().await;
    servers[1].behave(Manner::Broken);
    let meter = Meter::default();
    let forward = over(&servers, ejecting()).meter(&meter, "shop").build().unwrap();
    let statuses = ask_times(&forward, 100).await;
    assert_eq!(statuses.iter().filter(|&&status| status == 500).count(), 5);
    assert_eq!(servers[1].asked(), 5);
    let shown = meter.render();
    for line in [
        "gateway_upstream_endpoints{upstream=\"shop\",state=\"ejected\"} 1",
        "gateway_upstream_endpoints{upstream=\"shop\",state=\"used\"} 2",
        "gateway_upstream_ejections_total{upstream=\"shop\",reason=\"consecutive\"} 1",
        "gateway_upstream_panic{upstream=\"shop\"} 0",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
}

#[tokio::test]
async fn one_that_accepts_and_says_nothing_gets_five_requests() {
    let servers = three().await;
    servers[2].behave(Manner::Silent);
    let forward = over(&servers, ejecting()).build().unwrap();
    let mut asking = JoinSet::new();
    for _ in 0..4 {
        let forward = forward.clone();
        asking.spawn(async move { ask_times(&forward, 25).await });
    }
    let mut failed = 0;
    while let Some(statuses) = asking.join_next().await {
        failed += statuses.unwrap().iter().filter(|&&status| status != 200).count();
    }
    assert_eq!(failed, servers[2].asked());
    assert!((5..=8).contains(&failed), "5, and those that were under way: {failed}");
}

#[tokio::test]
async fn a_slow_one_gets_nearly_nothing_from_those_who_look() {
    for policy in [
        Policy::peak_ewma(&Random::seeded(7), Duration::from_secs(10)),
        Policy::least_requests(),
        Policy::power_of_two(&Random::seeded(7)),
    ] {
        let servers = three().await;
        servers[0].behave(Manner::Slow);
        let forward =
            over(&servers, Balance { policy: policy.clone(), ..Balance::default() }).build().unwrap();
        let mut asking = JoinSet::new();
        for _ in 0..8 {
            let forward = forward.clone();
            asking.spawn(async move { ask_times(&forward, 100).await });
        }
        while let Some(statuses) = asking.join_next().await {
            assert_eq!(statuses.unwrap(), [200; 100]);
        }
        // A third would be 266; 80 % of it has to move away.
        assert!(servers[0].asked() < 54, "{policy:?}: {}", servers[0].asked());
    }
}

#[tokio::test]
async fn every_endpoint_is_replaced_under_load_and_no_request_fails() {
    let mut servers = Vec::from(three().await);
    let forward = over(&servers, ejecting()).build().unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let mut asking = JoinSet::new();
    for _ in 0..8 {
        let (forward, is_over) = (forward.clone(), Arc::clone(&is_over));
        asking.spawn(async move {
            let mut statuses = Vec::new();
            while !is_over.load(Ordering::SeqCst) {
                statuses.push(ask(&forward).await);
            }
            statuses
        });
    }
    for _ in 0..3 {
        let new = Server::start().await;
        servers.push(new);
        let members = |servers: &[Server]| {
            servers.iter().map(|server| Member::new(server.url.as_str())).collect::<Vec<_>>()
        };
        forward.replace(members(&servers)).unwrap();
        while servers[3].asked() < 50 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let old = servers.remove(0);
        forward.replace(members(&servers)).unwrap();
        // As a server does that is asked to end: it finishes, and is gone when nobody comes any more.
        let mut asked = old.asked();
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if old.asked() == asked {
                break;
            }
            asked = old.asked();
        }
    }
    is_over.store(true, Ordering::SeqCst);
    let mut all = 0;
    while let Some(statuses) = asking.join_next().await {
        let statuses = statuses.unwrap();
        assert!(statuses.iter().all(|&status| status == 200), "{statuses:?}");
        all += statuses.len();
    }
    assert!(all >= 150, "{all}");
    assert_eq!(forward.endpoints().len(), 3);
}

fn checking(probe: Probe) -> Balance {
    let rhythm = Rhythm {
        healthy_interval: Duration::from_millis(20),
        unhealthy_interval: Duration::from_millis(5),
        ..Rhythm::default()
    };
    let checks = Checks { rhythm, timeout: Duration::from_millis(500), ..Checks::new(probe) };
    let preference = Preference { panic: Panic::Refuse, ..Preference::default() };
    Balance { checks: Some(checks), preference, ..Balance::default() }
}

/// Waits for what checks will find out, at most 10 s.
async fn until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never came to be");
}

#[tokio::test]
async fn checks_find_a_sick_one_and_find_it_back() {
    let servers = three().await;
    let mut probe = HttpProbe { path: "/healthz?deep=1".to_owned(), ..HttpProbe::default() };
    probe.headers.insert("x-check", HeaderValue::from_static("yes"));
    probe.host = Some(HeaderValue::from_static("health.test"));
    let forward = over(&servers, checking(Probe::Http(probe))).build().unwrap();
    until(|| servers.iter().all(|server| server.state.checked.load(Ordering::SeqCst) > 0)).await;
    let head = servers[0].state.heads.lock().unwrap()[0].clone();
    for line in [
        "GET /healthz?deep=1 HTTP/1.1",
        "host: health.test",
        "x-check: yes",
        "user-agent: gateway-health-check",
    ] {
        assert!(head.contains(line), "{head}");
    }
    servers[1].state.is_sick.store(true, Ordering::SeqCst);
    let told =
        format!("health_check: skip: {}: unhealthy: its last check failed (status 503)", servers[1].url);
    until(|| explained(&forward).contains(&told)).await;
    let before = servers[1].asked();
    assert_eq!(ask_times(&forward, 30).await, [200; 30]);
    assert_eq!(servers[1].asked(), before);
    servers[1].state.is_sick.store(false, Ordering::SeqCst);
    until(|| !explained(&forward).contains(&told)).await;
    assert_eq!(ask_times(&forward, 30).await, [200; 30]);
    assert_eq!(servers[1].asked(), before + 10);
}

#[tokio::test]
async fn when_all_are_out_requests_are_refused_or_all_are_used_as_was_said() {
    for (panic, status) in [(Panic::Refuse, 0), (Panic::UseAll, 200)] {
        let servers = three().await;
        servers.iter().for_each(|server| server.state.is_sick.store(true, Ordering::SeqCst));
        let probe = HttpProbe { path: "/healthz".to_owned(), ..HttpProbe::default() };
        let mut balance = checking(Probe::Http(probe));
        balance.preference.panic = panic;
        let meter = Meter::default();
        let forward = over(&servers, balance).meter(&meter, "shop").build().unwrap();
        until(|| meter.render().contains("gateway_upstream_panic{upstream=\"shop\"} 1")).await;
        until(|| meter.render().contains("state=\"unhealthy\"} 3")).await;
        assert_eq!(ask_times(&forward, 6).await, [status; 6]);
    }
}

#[tokio::test]
async fn a_connection_is_enough_for_tcp_checks_and_they_end_with_the_forwarder() {
    let [alive, dead, _] = three().await;
    let servers = [alive, dead];
    let meter = Meter::default();
    let forward = over(&servers, checking(Probe::Tcp)).meter(&meter, "shop").build().unwrap();
    until(|| meter.render().contains("gateway_upstream_checks_total{upstream=\"shop\",outcome=\"good\"} 4"))
        .await;
    let [_alive, dead] = servers;
    drop(dead);
    until(|| meter.render().contains("state=\"unhealthy\"} 1")).await;
    drop(forward);
    tokio::task::yield_now().await;
    let checks = || {
        meter
            .render()
            .lines()
            .filter(|line| line.starts_with("gateway_upstream_checks_total"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let after = checks();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(checks(), after);
}
