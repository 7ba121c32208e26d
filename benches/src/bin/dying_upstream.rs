//! An upstream that dies under load and comes back, and what retry, circuit breaker and fallback make of it, as a
//! timeline.
//!
//! ```text
//! cargo run --release -p gateway-benches --bin dying_upstream
//! ```
//!
//! The upstream is a real server on a port of this machine. It works, then fails three requests in ten, then resets
//! every connection, then says nothing at all, then works again. Each line is a quarter of a second.
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
};
use tower::ServiceExt;

const DOCUMENT: &str = "
routes:
  - name: shop
    prefix: /
    timeout: {request: 1s, per_try: 200ms}
    retry: {tries: 3}
    circuit_breaker: {window: 2s, minimum: 20, failure_rate: 0.5, open: 1s}
    fallback: {status: 200, body: '{\"items\":[]}'}
    upstream: ${UPSTREAM}
";

/// What the upstream does, for how many quarters of a second.
const PLAN: [(Health, u32); 5] =
    [(Health::Well, 4), (Health::Ailing, 8), (Health::Resetting, 8), (Health::Silent, 8), (Health::Well, 12)];

const CLIENTS: u64 = 32;
const PAUSE: Duration = Duration::from_millis(5);
const LINE: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Well,
    Ailing,
    Resetting,
    Silent,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let upstream = Arc::new(Upstream { health: Mutex::new(Health::Well), asked: AtomicU64::new(0) });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(Arc::clone(&upstream).serve(listener));

    let context = Context::default();
    let source = Source { name: "dying_upstream", text: DOCUMENT };
    let variable = |name: &str| (name == "UPSTREAM").then(|| url.clone());
    let gateway = config::load(source, variable, &context).map_err(|problems| problems.to_string())?;

    let seen = Arc::new(Mutex::new(Seen::default()));
    for _ in 0..CLIENTS {
        let (service, seen, clock) = (gateway.service(), Arc::clone(&seen), context.clock.clone());
        tokio::spawn(async move {
            loop {
                let request = Request::get("/").header("host", "shop.test").body(Body::empty())?;
                let start = clock.now();
                let answer = service.clone().oneshot(request).await?;
                let instead = answer.headers().get("x-fallback").and_then(|reason| reason.to_str().ok());
                let what = instead.map_or_else(|| answer.status().as_str().to_owned(), str::to_owned);
                hold(&seen).note(what, clock.now() - start);
                drop(answer);
                tokio::time::sleep(PAUSE).await;
            }
            #[expect(unreachable_code, reason = "it names the type of the task's errors")]
            Ok::<(), BoxError>(())
        });
    }

    println!(
        "| s | upstream | asked | retries | circuit | slowest | answers |\n| --- | --- | --- | --- | --- | --- | --- |"
    );
    let (mut line, mut asked_before, mut retries_before) = (0_u32, 0, 0);
    for (health, lines) in PLAN {
        *hold(&upstream.health) = health;
        for _ in 0..lines {
            tokio::time::sleep(LINE).await;
            line += 1;
            let Seen { answers, slowest } = std::mem::take(&mut *hold(&seen));
            let (asked, retries) =
                (upstream.asked.load(Ordering::Relaxed), read(&context, "gateway_retries_total"));
            let circuit =
                ["closed", "half open", "open"][read(&context, "gateway_circuit_state") as usize % 3];
            let answers: Vec<String> =
                answers.iter().map(|(what, count)| format!("{count} x {what}")).collect();
            println!(
                "| {:.2} | {health:?} | {} | {} | {circuit} | {slowest:.0?} | {} |",
                f64::from(line) * LINE.as_secs_f64(),
                asked - asked_before,
                retries - retries_before,
                answers.join(", "),
            );
            (asked_before, retries_before) = (asked, retries);
        }
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

struct Upstream {
    health: Mutex<Health>,
    asked: AtomicU64,
}

impl Upstream {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let upstream = Arc::clone(&self);
            tokio::spawn(async move { drop(upstream.converse(stream).await) });
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
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            let health = *hold(&self.health);
            let answer: &[u8] = match health {
                Health::Ailing if number % 10 < 3 => {
                    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
                }
                Health::Well | Health::Ailing => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
                Health::Resetting => return stream.set_zero_linger(),
                Health::Silent => {
                    tokio::time::sleep(Duration::from_secs(10)).await;
                    return Ok(());
                }
            };
            stream.write_all(answer).await?;
        }
    }
}

/// The value of a metric that has one series here.
fn read(context: &Context, name: &str) -> u64 {
    let text = context.meter.render();
    let line = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.rsplit(' ').next());
    line.and_then(|value| value.parse().ok()).unwrap_or_default()
}

fn hold<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
