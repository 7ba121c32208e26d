//! Hundreds of messages that are malformed or can be read in two ways. Whatever the gateway makes of one: what
//! reaches the upstream is strictly valid, nothing reaches it that the client was not entitled to, the client is not
//! lied to, and the next request is served as if nothing had been.

mod answers;
mod http2;
mod requests;

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{gateway::Gateway, upstream::Recorder};

/// One message, or several on one connection. `{p}` in the bytes was replaced by a path of the case's own.
struct Case {
    name: String,
    bytes: Vec<u8>,
    /// At most so many requests may reach the upstream by a strict reading.
    may: usize,
    /// Whether the connection has to be closed, because nobody knows where the next request begins.
    closes: bool,
}

/// So many at a time.
const PARALLEL: usize = 32;

/// A gateway that said nothing for so long waits for more.
const QUIET: Duration = Duration::from_millis(250);

/// Sends bytes and takes everything that comes back, until the end or until it is quiet. The last tells which.
async fn exchange(gateway: &Gateway, bytes: &[u8], patience: Duration) -> (Vec<u8>, bool) {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    loop {
        match tokio::time::timeout(patience, stream.read_buf(&mut answer)).await {
            Ok(Ok(1..)) => {}
            Ok(_) => return (answer, true),
            Err(_) => return (answer, false),
        }
    }
}

/// The statuses of all answers on a connection.
fn statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    let after = |version| text.match_indices(version).map(|(at, _)| at + 9).collect::<Vec<_>>();
    let mut starts: Vec<usize> = after("HTTP/1.1 ").into_iter().chain(after("HTTP/1.0 ")).collect();
    starts.sort_unstable();
    starts.into_iter().filter_map(|at| text.get(at..at + 3)?.parse().ok()).collect()
}

async fn check(gateway: &Gateway, index: usize, case: Case) -> Result<(), String> {
    let Case { name, bytes, may, closes } = case;
    let fail = |why: String| {
        Err(format!("{index} {name}: {why}\n{}", String::from_utf8_lossy(&bytes[..bytes.len().min(400)])))
    };
    let patience = if closes { Duration::from_secs(5) } else { QUIET };
    let (answer, closed) = exchange(gateway, &bytes, patience).await;
    let statuses = statuses(&answer);
    if closes && !closed {
        return fail(format!("the connection stays open after {statuses:?}"));
    }
    let good = statuses.iter().filter(|status| **status < 300 && **status >= 200 && **status != 204).count();
    if good > may {
        return fail(format!("{good} requests were served: {}", String::from_utf8_lossy(&answer)));
    }
    if statuses.iter().any(|status| *status < 400 && !matches!(status, 100 | 200 | 204)) {
        return fail(format!("{statuses:?}"));
    }
    let (after, _) = exchange(
        gateway,
        format!("GET /after/{index} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes(),
        Duration::from_secs(5),
    )
    .await;
    if !after.starts_with(b"HTTP/1.1 200 OK\r\n") || !after.ends_with(b"\r\n\r\nok") {
        return fail(format!("the next client gets {}", String::from_utf8_lossy(&after)));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_read_in_two_ways() {
    let upstream = Recorder::start().await;
    let gateway = std::sync::Arc::new(Gateway::before(&upstream).await);
    let cases = requests::all();
    assert!(cases.len() >= 300, "{} cases", cases.len());
    let allowed: Vec<(String, usize)> = cases.iter().map(|case| (case.name.clone(), case.may)).collect();
    let mut failures = Vec::new();
    let mut running = JoinSet::new();
    for (index, mut case) in cases.into_iter().enumerate() {
        case.bytes = replace(&case.bytes, b"{p}", format!("/c{index}").as_bytes());
        let gateway = std::sync::Arc::clone(&gateway);
        running.spawn(async move { check(&gateway, index, case).await });
        if running.len() >= PARALLEL {
            failures.extend(running.join_next().await.unwrap().unwrap().err());
        }
    }
    failures.extend(running.join_all().await.into_iter().filter_map(Result::err));
    // Everything that arrived is strictly valid: `requests` insists on it.
    let seen = upstream.requests();
    let all = upstream.all();
    if all.contains("smuggled") {
        failures.push(format!(
            "a request was smuggled: {}",
            seen.iter()
                .filter(|request| request.target.contains("smuggled"))
                .map(|request| request.target.clone())
                .collect::<Vec<_>>()
                .join(" ")
        ));
    }
    for (index, (name, may)) in allowed.iter().enumerate() {
        let own = format!("/c{index}");
        let is_own = |target: &str| {
            target
                .strip_prefix(&own)
                .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
        };
        let arrived = seen.iter().filter(|request| is_own(&request.target)).count();
        if arrived > *may {
            failures.push(format!("{index} {name}: {arrived} requests arrived"));
        }
    }
    for request in &seen {
        let is_dotted = request.target.split('?').next().unwrap().split('/').any(|segment| segment == "..");
        if is_dotted || request.target.split('?').next().unwrap().contains("//") {
            failures.push(format!("the upstream saw {}", request.target));
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n---\n"));
}

fn replace(bytes: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = bytes;
    while let Some(at) = crate::raw::find(rest, what) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(with);
        rest = &rest[at + what.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}
