//! Two thousand clients that say nothing and two thousand that say it slowly, against the real binary with its
//! defaults, while others want to be served.
//!
//! ```text
//! cargo build --release -p gateway-examples --bin gateway
//! cargo run --release -p gateway-benches --bin slow_clients
//! ```
//!
//! Prints when the connections of each kind were closed, and what the others saw. Fails if one is open after 35 s, or
//! if one of the others was not served. Needs 9,000 file descriptors.
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gateway_benches::binary::Binary;
use gateway_layers::core::{BoxError, Clock};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

const DOCUMENT: &str = "
listen: 127.0.0.1:0
routes:
  - {name: all, prefix: /, upstream: '${UPSTREAM}'}
";

/// What they send, a byte a second, and how many of them there are.
const KINDS: [(&str, &[u8], usize); 4] = [
    ("silent", b"", 2_000),
    (
        "a slow head of HTTP/1.1",
        b"GET /a/path/that/takes/a/minute HTTP/1.1\r\nhost: a.very.long.name.test\r\n",
        1_000,
    ),
    ("a slow preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 500),
    ("a head that stops in the middle", b"GET", 500),
];

const LATEST: Duration = Duration::from_secs(35);
const PAUSE: Duration = Duration::from_millis(20);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let upstream = format!("http://{}", listener.local_addr()?);
    tokio::spawn(serve(listener));
    let gateway = Binary::start(DOCUMENT, &upstream)?;
    let address: Arc<str> = gateway.address().into();
    let clock = Clock::default();
    let start = clock.now();

    let over = Arc::new(AtomicBool::new(false));
    let mut others = JoinSet::new();
    for _ in 0..4 {
        others.spawn(ask_until(Arc::clone(&over), Arc::clone(&address), clock.clone()));
    }
    let mut slow = JoinSet::new();
    for (kind, (_, bytes, count)) in KINDS.iter().enumerate() {
        for _ in 0..*count {
            let (address, clock) = (Arc::clone(&address), clock.clone());
            slow.spawn(async move {
                let opened = clock.now();
                dawdle(&address, bytes).await.map(|()| (kind, clock.now() - opened))
            });
        }
    }
    let mut closed = [const { Vec::new() }; KINDS.len()];
    let all = async {
        while let Some(outcome) = slow.join_next().await {
            let (kind, after) = outcome??;
            closed[kind].push(after);
        }
        Ok::<_, BoxError>(())
    };
    let in_time = tokio::time::timeout(2 * LATEST, all).await;
    over.store(true, Ordering::Relaxed);

    println!("| connections | | closed after | at the latest |\n| --- | --- | --- | --- |");
    for ((kind, _, count), mut times) in KINDS.into_iter().zip(closed) {
        times.sort_unstable();
        let (first, last) = (times.first(), times.last());
        println!(
            "| {count} | {kind} | {:.1?} | {:.1?} |",
            first.unwrap_or(&Duration::MAX),
            last.unwrap_or(&Duration::MAX)
        );
        if times.len() < count || last.is_none_or(|last| *last > LATEST) {
            return Err(format!("{} of {count} were closed in time: {kind}", times.len()).into());
        }
    }
    in_time??;
    let (mut served, mut slowest) = (0, Duration::ZERO);
    while let Some(outcome) = others.join_next().await {
        let (count, longest) = outcome??;
        served += count;
        slowest = slowest.max(longest);
    }
    println!(
        "\n{served} requests of others were served meanwhile, all of them, the slowest in {slowest:.1?}; \
         {:.0?} in all; the gateway needed {} MiB at most.",
        clock.now() - start,
        gateway.peak_mib()?
    );
    Ok(())
}

/// Sends a byte a second until the other end closes; stops sending at the end.
async fn dawdle(address: &str, bytes: &[u8]) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let mut bytes = bytes.iter();
    loop {
        let mut answer = [0; 512];
        tokio::select! {
            read = stream.read(&mut answer) => match read {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Ok(()),
            },
            () = tokio::time::sleep(Duration::from_secs(1)), if !bytes.as_slice().is_empty() => {
                if let Some(byte) = bytes.next() {
                    // A failure is also seen by reading.
                    let _ = stream.write_all(&[*byte]).await;
                }
            }
        }
    }
}

/// Asks again and again, each time on a new connection; how often it was served, and how long it waited at most.
async fn ask_until(over: Arc<AtomicBool>, address: Arc<str>, clock: Clock) -> io::Result<(u64, Duration)> {
    let (mut served, mut longest) = (0, Duration::ZERO);
    while !over.load(Ordering::Relaxed) {
        let asked = clock.now();
        let mut stream = TcpStream::connect(&*address).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        if !(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok")) {
            return Err(io::Error::other(format!("one was not served: {answer:?}")));
        }
        served += 1;
        longest = longest.max(clock.now() - asked);
        tokio::time::sleep(PAUSE).await;
    }
    Ok((served, longest))
}

/// An upstream that answers requests without a body.
async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut received = Vec::new();
            while let Ok(1..) = stream.read_buf(&mut received).await {
                if received.ends_with(b"\r\n\r\n") {
                    received.clear();
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    if stream.write_all(answer).await.is_err() {
                        break;
                    }
                }
            }
        });
    }
}
