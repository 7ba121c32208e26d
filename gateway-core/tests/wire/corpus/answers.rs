//! Answers of upstreams that are malformed, broken off, or can be read in two ways.

use std::sync::Arc;

use super::PARALLEL;
use crate::{
    gateway::Gateway,
    raw::Client,
    upstream::{OK, Recorder},
};

struct Case {
    said: Vec<u8>,
    /// The body that a strict reader would take from it; `None` if no reader should.
    means: Option<&'static str>,
}

const EVIL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";

fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |said: String, means| cases.push(Case { said: said.into_bytes(), means });
    for line in [
        "HTTP/1.1",
        "HTTP/1.1 ",
        "HTTP/1.1 x",
        "HTTP/1.1 20",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1  200 OK",
        "HTTP/2.0 200 OK",
        "HTTP/0.9 200 OK",
        "HTTP/1.1 -20 OK",
        "HTTP/1.1\t200 OK",
        "http/1.1 200 OK",
        "HTTP/1.1 200 O\0K",
        "HTTP/1.1 200 O\rK",
        " HTTP/1.1 200 OK",
        "200 OK",
        "HTTP/1.1 2\u{e9}0 OK",
        "ICY 200 OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1 000 OK",
        "HTTP/11 200 OK",
        "HTTP/1.1 200OK",
    ] {
        add(format!("{line}\r\ncontent-length: 2\r\n\r\nok"), None);
    }
    for framing in [
        "content-length: x",
        "content-length: -2",
        "content-length: +2",
        "content-length: 2, 2",
        "content-length: 2, 3",
        "content-length: 0x2",
        "content-length:",
        "content-length: 2.0",
        "content-length: 99999999999999999999",
        "content-length: 2\r\ncontent-length: 3",
        "content-length: 3\r\ncontent-length: 2",
        "content-length: 2 2",
        "content-length : 2",
        "content-length: 2\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 2",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: gzip",
        "transfer-encoding: chunked, gzip",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: identity",
        "transfer-encoding: ,chunked",
        "transfer-encoding: xchunked",
        "transfer-encoding:",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "transfer-encoding: identity\r\ntransfer-encoding: chunked",
        "transfer-encoding : chunked",
        "transfer-encoding:\r\n chunked",
    ] {
        for body in ["ok", "2\r\nok\r\n0\r\n\r\n"] {
            add(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{body}{EVIL}"), None);
        }
    }
    for field in [
        "x",
        "x y: z",
        ": z",
        "x : z",
        "x: a\r\n b",
        " x: a",
        "x: a\0b",
        "x: a\rb",
        "x\0: a",
        "(x): a",
        "x\u{e9}: a",
        "x: a\u{1}b",
        "x: a\u{7f}b",
        "x\r\n: y",
    ] {
        add(format!("HTTP/1.1 200 OK\r\n{field}\r\ncontent-length: 2\r\n\r\nok"), None);
        add(format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n{field}\r\n\r\nok"), None);
    }
    for body in [
        "",
        "2",
        "2\r\n",
        "2\r\no",
        "2\r\nok",
        "2\r\nok\r\n",
        "2\r\nok\r\n0",
        "2\r\nok\r\n0\r\n",
        "2\r\nok\r\n0\r\nx: y\r\n",
        "x\r\nok\r\n0\r\n\r\n",
        "2\r\nokk\r\n0\r\n\r\n",
        "-2\r\nok\r\n0\r\n\r\n",
        "2\nok\n0\n\n",
        "fffffffffffffffff\r\nok",
        "2\r\nok\r\n\r\n0\r\n\r\n",
        "2\r\nok\r\n0\r\nbad\r\n\r\n",
        "2\r\nok\r\n0\r\nx : y\r\n\r\n",
        "2\r\nok\r\n0\r\nx: a\0\r\n\r\n",
        "2;a\nb\r\nok\r\n0\r\n\r\n",
    ] {
        add(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}"), None);
    }
    for body in ["", "o"] {
        add(format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{body}"), None);
    }
    let ext = format!("2;{}\r\nok\r\n0\r\n\r\n", "a".repeat(40_000));
    let trailers = format!("2\r\nok\r\n0\r\n{}\r\n", "x: y\r\n".repeat(20_000));
    for body in [ext, trailers] {
        add(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}"), None);
    }
    add(format!("HTTP/1.1 200 OK\r\n{}content-length: 2\r\n\r\nok", "x: y\r\n".repeat(200)), None);
    add(format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 2\r\n\r\nok", "y".repeat(100_000)), None);
    add("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nok".into(), None);
    for said in [
        "",
        "\r\n",
        "garbage",
        "\u{16}\u{3}\u{1}",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n",
        "SSH-2.0-x\r\n",
    ] {
        add(said.into(), None);
    }
    for means in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length:2\t\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n01\r\nk\r\n00\r\nx: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\n\r\nok",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nconnection: content-length\r\ncontent-length: 2\r\n\r\nok",
    ] {
        add(means.into(), Some("ok"));
    }
    for means in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ] {
        add(format!("{means}{EVIL}"), Some("ok"));
    }
    cases
}

/// What is wrong with what the client gets.
async fn check(gateway: &Gateway, index: usize, means: Option<&str>) -> Option<String> {
    let mut client = Client::connect(gateway.address).await;
    let answer = client.get(&format!("/{index}")).await;
    let body = match answer.field("transfer-encoding") {
        Some(_) => dechunk(&answer.body),
        None => String::from_utf8_lossy(&answer.body).into_owned(),
    };
    let is_right = match means {
        Some(means) => answer.status == 200 && answer.whole && body == means,
        None => matches!(answer.status, 502 | 504) || !answer.whole,
    };
    if !is_right || body.contains("evil") {
        return Some(format!("{index}: {answer:?}"));
    }
    // The same connection, if it is still there, and a fresh one.
    if answer.whole && answer.field("connection") != Some("close") {
        let next = client.get("/after").await;
        if next.status != 0 && next.body != b"ok" {
            return Some(format!("{index}: the next answer is {next:?}"));
        }
    }
    let next = Client::connect(gateway.address).await.get("/after").await;
    (next.body != b"ok").then(|| format!("{index}: the next client gets {next:?}"))
}

/// The data of complete chunks.
fn dechunk(mut body: &[u8]) -> String {
    let mut data = String::new();
    while let Some(end) = crate::raw::find(body, b"\r\n") {
        let size = usize::from_str_radix(str::from_utf8(&body[..end]).unwrap(), 16).unwrap_or(0);
        body = &body[end + 2..];
        if size == 0 || body.len() < size + 2 {
            break;
        }
        data += &String::from_utf8_lossy(&body[..size]);
        body = &body[size + 2..];
    }
    data
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_a_clean_lie() {
    let cases = Arc::new(all());
    let said = Arc::clone(&cases);
    let upstream = Recorder::answering(move |request| {
        match request.target[1..].parse::<usize>() {
            // It closes, so that what is unfinished stays so.
            Ok(index) => (said[index].said.clone(), true),
            Err(_) => (OK.into(), false),
        }
    })
    .await;
    let gateway = Arc::new(Gateway::before(&upstream).await);
    let mut failures = Vec::new();
    let mut running = tokio::task::JoinSet::new();
    for index in 0..cases.len() {
        let (gateway, cases) = (Arc::clone(&gateway), Arc::clone(&cases));
        running.spawn(async move {
            let case = &cases[index];
            let said = String::from_utf8_lossy(&case.said[..case.said.len().min(200)]).into_owned();
            Some(format!("{}\n{said:?}", check(&gateway, index, case.means).await?))
        });
        if running.len() >= PARALLEL {
            failures.extend(running.join_next().await.unwrap().unwrap());
        }
    }
    failures.extend(running.join_all().await.into_iter().flatten());
    assert!(failures.is_empty(), "{} failures of {}\n{}", failures.len(), cases.len(), failures.join("\n"));
}
