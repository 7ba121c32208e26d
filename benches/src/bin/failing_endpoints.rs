//! One of three endpoints is killed, silent, slow or broken under load, and what balancing and health make of it, as a
//! timeline for each fault.
//!
//! ```text
//! cargo run --release -p gateway-benches --bin failing_endpoints
//! ```
//!
//! The endpoints are real servers on ports of this machine. Each fault begins after a second and is over after four.
//! Each line is half a second: what each endpoint was asked, how many are used, and what clients saw.
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gateway_layers::{
    config::{self, Context, Source},
    core::{Body, BoxError},
};
use http::Request;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tower::ServiceExt;

const DOCUMENT: &str = "
routes:
  - name: shop
    prefix: /
    timeout: {request: 2s, per_try: 500ms}
    retry: {tries: 2}
    upstream:
      endpoints: ['${A}', '${B}', '${C}']
      balance: peak_ewma
      health:
        panic: use_all
        active: {http: {path: /healthz}, healthy_interval: 1s, unhealthy_interval: 500ms, timeout: 500ms}
        passive: {consecutive: 5, base: 2s}
";

const FAULTS: [Fault; 4] = [Fault::Killed, Fault::Silent, Fault::Slow, Fault::Broken];
const CLIENTS: u64 = 16;
const PAUSE: Duration = Duration::from_millis(5);
const LINE: Duration = Duration::from_millis(500);
/// In which lines the fault is there, and how many lines there are.
const FAULTY: std::ops::Range<u32> = 2..10;
const LINES: u32 = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Killed,
    Silent,
    Slow,
    Broken,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    for fault in FAULTS {
        println!(
            "\n{fault:?}\n\n| s | fault | asked | used | slowest | answers |\n| --- | --- | --- | --- | --- | --- |"
        );
        timeline(fault).await?;
    }
    Ok(())
}

async fn timeline(fault: Fault) -> Result<(), BoxError> {
    let mut servers = [Server::start().await?, Server::start().await?, Server::start().await?];
    let context = Context::default();
    let source = Source { name: "failing_endpoints", text: DOCUMENT };
    let variable = |name: &str| {
        let place = ["A", "B", "C"].iter().position(|known| *known == name)?;
        servers.get(place).map(|server| format!("http://{}", server.address))
    };
    let gateway = config::load(source, variable, &context).map_err(|problems| problems.to_string())?;

    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (service, seen, clock) = (gateway.service(), Arc::clone(&seen), context.clock.clone());
        clients.spawn(async move {
            loop {
                let Ok(request) = Request::get("/").header("host", "shop.test").body(Body::empty()) else {
                    return;
                };
                let start = clock.now();
                let Ok(answer) = service.clone().oneshot(request).await;
                hold(&seen).note(answer.status().as_str().to_owned(), clock.now() - start);
                drop(answer);
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    let mut before = [0; 3];
    for line in 0..LINES {
        let now = if FAULTY.contains(&line) { fault } else { Fault::None };
        servers[1].set(now).await?;
        tokio::time::sleep(LINE).await;
        let asked = servers.each_ref().map(|server| server.state.asked.load(Ordering::Relaxed));
        let in_line: Vec<String> =
            asked.iter().zip(before).map(|(now, before)| (now - before).to_string()).collect();
        before = asked;
        let Seen { answers, slowest } = std::mem::take(&mut *hold(&seen));
        let answers: Vec<String> = answers.iter().map(|(what, count)| format!("{count} x {what}")).collect();
        println!(
            "| {:.1} | {now:?} | {} | {} | {slowest:.0?} | {} |",
            f64::from(line + 1) * LINE.as_secs_f64(),
            in_line.join(" "),
            used(&context),
            answers.join(", "),
        );
    }
    Ok(())
}

/// What clients saw since the last line.
#[derive(Default)]
struct Seen {
    answers: BTreeMap<String, u64>,
    slowest: Duration,
}

impl Seen {
    fn note(&mut self, what: String, took: Duration) {
        *self.answers.entry(what).or_default() += 1;
        self.slowest = self.slowest.max(took);
    }
}

struct Server {
    address: std::net::SocketAddr,
    state: Arc<State>,
    serving: Option<JoinHandle<()>>,
}

struct State {
    fault: Mutex<Fault>,
    asked: AtomicU64,
}

impl Server {
    async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { fault: Mutex::new(Fault::None), asked: AtomicU64::new(0) });
        let serving = Some(tokio::spawn(Arc::clone(&state).serve(listener)));
        Ok(Self { address, state, serving })
    }

    /// A killed one closes its port and all connections; without a fault it is there again, on the same port.
    async fn set(&mut self, fault: Fault) -> io::Result<()> {
        *hold(&self.state.fault) = fault;
        match (fault, self.serving.take()) {
            (Fault::Killed, serving) => serving.iter().for_each(JoinHandle::abort),
            (_, None) => {
                let listener = TcpListener::bind(self.address).await?;
                self.serving = Some(tokio::spawn(Arc::clone(&self.state).serve(listener)));
            }
            (_, serving) => self.serving = serving,
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.iter().for_each(JoinHandle::abort);
    }
}

impl State {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let state = Arc::clone(&self);
            connections.spawn(async move { drop(state.converse(stream).await) });
        }
    }

    /// Answers requests without a body, one after the other.
    async fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut received = Vec::new();
        loop {
            received.clear();
            while !received.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut received).await? == 0 {
                    return Ok(());
                }
            }
            if !received.starts_with(b"GET /healthz") {
                self.asked.fetch_add(1, Ordering::Relaxed);
            }
            let fault = *hold(&self.fault);
            let answer: &[u8] = match fault {
                Fault::Silent => {
                    tokio::time::sleep(Duration::from_secs(10)).await;
                    return Ok(());
                }
                Fault::Broken => b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
                _ => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            };
            tokio::time::sleep(Duration::from_millis(if fault == Fault::Slow { 50 } else { 5 })).await;
            stream.write_all(answer).await?;
        }
    }
}

/// How many endpoints are in use.
fn used(context: &Context) -> u64 {
    let text = context.meter.render();
    let line =
        text.lines().find(|line| line.contains("gateway_upstream_endpoints{") && line.contains("\"used\""));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

fn hold<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
