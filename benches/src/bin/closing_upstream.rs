//! Twice a hundred thousand requests through the real binary, to an upstream that closes every connection that was
//! idle for one second, asked so that many requests meet a connection that is just being closed.
//!
//! ```text
//! cargo build --release -p gateway-examples --bin gateway
//! cargo run --release -p gateway-benches --bin closing_upstream
//! ```
//!
//! Two thousand clients ask in waves, one second after the wave before, more or less. First with GET, which may be sent
//! again, to an upstream that says nothing of its habit; then, one in ten, with POST, which may not, to one that says
//! `Keep-Alive: timeout=1`. Fails if one client sees anything but its answer, or if the upstream sees a request twice.
//! Needs 9,000 file descriptors and two minutes.
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gateway_benches::binary::Binary;
use gateway_layers::core::{BoxError, Clock, random::Random};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const DOCUMENT: &str = "
listen: 127.0.0.1:0
routes:
  - name: all
    prefix: /
    upstream: {endpoints: ['${UPSTREAM}'], max_idle: 4096}
";

const CLIENTS: u64 = 2_000;
const WAVES: u64 = 50;
const IDLE: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    round(false).await?;
    println!();
    round(true).await
}

async fn round(says_so: bool) -> Result<(), BoxError> {
    let upstream = Arc::new(Upstream { says_so, ..Upstream::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(Arc::clone(&upstream).serve(listener));
    let gateway = Binary::start(DOCUMENT, &url)?;
    let address: Arc<str> = gateway.address().into();
    let clock = Clock::default();
    let start = clock.now();

    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(client(Arc::clone(&address), number, says_so));
    }
    let mut answers: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(seen) = clients.join_next().await {
        for answer in seen?? {
            *answers.entry(answer).or_default() += 1;
        }
    }
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let (asked, requests) = (CLIENTS * WAVES, read(&upstream.requests));
    let habit = if says_so { "says when it closes" } else { "says nothing" };
    println!("{asked} requests in {:.0?} to an upstream that {habit}; the clients saw:", clock.now() - start);
    for (answer, count) in &answers {
        println!("  {count} x {answer}");
    }
    println!(
        "The upstream saw {requests} requests on {} connections, and closed {} of them idle.",
        read(&upstream.opened),
        read(&upstream.closed)
    );
    if answers.keys().any(|answer| !answer.ends_with("200")) {
        return Err("a client was answered something else".into());
    }
    if requests != asked {
        return Err(format!("{asked} were asked, the upstream saw {requests}").into());
    }
    Ok(())
}

/// Asks once in every wave, on one connection; says what it was answered each time.
async fn client(address: Arc<str>, number: u64, posts: bool) -> io::Result<Vec<String>> {
    let random = Random::default();
    let mut stream = BufStream::new(TcpStream::connect(&*address).await?);
    let mut seen = Vec::new();
    for wave in 0..WAVES {
        // Around the second after which the upstream closes, 20 ms to both sides.
        let pause = IDLE - Duration::from_millis(20) + Duration::from_micros(random.next() % 40_000);
        tokio::time::sleep(pause).await;
        let (method, request) = if posts && (number + wave).is_multiple_of(10) {
            ("POST", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody")
        } else {
            ("GET", "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        };
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let status = head(&mut stream).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        seen.push(format!("{method} {status}"));
    }
    Ok(seen)
}

/// Counts, and closes what is idle.
#[derive(Default)]
struct Upstream {
    says_so: bool,
    opened: AtomicU64,
    closed: AtomicU64,
    requests: AtomicU64,
}

impl Upstream {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let upstream = Arc::clone(&self);
            tokio::spawn(async move { upstream.converse(BufStream::new(stream)).await });
        }
    }

    async fn converse(&self, mut stream: BufStream<TcpStream>) -> io::Result<()> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        loop {
            let Ok(read) = tokio::time::timeout(IDLE, head(&mut stream)).await else {
                self.closed.fetch_add(1, Ordering::Relaxed);
                return stream.shutdown().await;
            };
            if read?.is_none() {
                return Ok(());
            }
            self.requests.fetch_add(1, Ordering::Relaxed);
            let hint = if self.says_so { "keep-alive: timeout=1\r\n" } else { "" };
            let answer = format!("HTTP/1.1 200 OK\r\n{hint}content-length: 2\r\n\r\nok");
            stream.write_all(answer.as_bytes()).await?;
            stream.flush().await?;
        }
    }
}

/// Reads a message and drops its body; the second word of its first line.
async fn head(stream: &mut BufStream<TcpStream>) -> io::Result<Option<String>> {
    let (mut line, mut word, mut length) = (String::new(), None, 0);
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            break;
        }
        match &word {
            None => word = line.split(' ').nth(1).map(str::to_owned),
            Some(_) => {
                let value = line.to_ascii_lowercase();
                let value = value.strip_prefix("content-length:").and_then(|value| value.trim().parse().ok());
                length = value.unwrap_or(length);
            }
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(word)
}
