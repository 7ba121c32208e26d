//! The cache over real sockets: our server in front, a scripted upstream behind, time moved by hand.
//!
//! Each row of the tables names the section of RFC 9111 (or 9110, 9211) that it is about, and tells a story:
//!
//! ```text
//! > GET /path | name: value        a client asks
//! < 200 | name: value | body: text the upstream answers; without this line it must not be asked
//! ^ name: value                    what the upstream was asked with; `^ -name` for what not
//! = 200 | hit; ttl=1 | name: value what the client gets; `-name` for what not
//! +60                              60 seconds go by
//! ```
//!
//! `hit` and `fwd` are short for `cache-status: gateway; ...`. `{+60}` in a value is the date in 60 seconds.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod answers;
mod freshness;
mod invalidating;
mod requests;
mod selecting;
mod sharing;
mod storing;
mod streaming;
mod validating;

use std::{
    future::IntoFuture,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use gateway_core::{
    Clock, RescueLayer,
    clock::ManualClock,
    server::serve,
    testing::{ScriptedUpstream, Step},
    upstream::Upstream,
};
use gateway_layers::cache::{CacheLayer, Store};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tower::Layer;

/// A section, a sentence, a story.
type Row = (&'static str, &'static str, &'static str);

/// Plays all rows and tells all that failed.
async fn play(rows: &[Row]) {
    play_with(rows, |layer| layer).await;
}

async fn play_with(rows: &[Row], change: impl Fn(CacheLayer) -> CacheLayer) {
    let mut failures = Vec::new();
    for (section, sentence, story) in rows {
        let told = tokio::time::timeout(Duration::from_secs(20), tell(story, &change)).await;
        let told = told.unwrap_or_else(|_| Err("it takes too long".to_owned()));
        if let Err(failure) = told {
            failures.push(format!("{section}: {sentence}: {failure}"));
        }
    }
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), rows.len(), failures.join("\n"));
}

/// One request of a story.
#[derive(Debug, Default)]
struct Exchange {
    wait: u64,
    request: String,
    answer: Option<String>,
    sent: Vec<String>,
    expected: String,
}

async fn tell(story: &str, change: &impl Fn(CacheLayer) -> CacheLayer) -> Result<(), String> {
    let exchanges = read(story);
    let mut at = 0;
    let mut script = Vec::new();
    for exchange in &exchanges {
        at += exchange.wait;
        if let Some(answer) = &exchange.answer {
            script
                .push(vec![Step::ReadBody, Step::Send(render(&dated(answer, at), &exchange.request).leak())]);
        }
    }
    let upstream = ScriptedUpstream::start(script).await.unwrap();
    let gateway = Gateway::start(&upstream.url(), change).await;
    let (mut at, mut asked) = (0, 0);
    for (number, exchange) in exchanges.iter().enumerate() {
        let number = number + 1;
        at += exchange.wait;
        gateway.hands.advance(Duration::from_secs(exchange.wait));
        let answer = gateway.ask(&dated(&exchange.request, at)).await;
        let heads = upstream.heads();
        let was_asked = heads.len() - asked;
        asked = heads.len();
        if was_asked != usize::from(exchange.answer.is_some()) {
            return Err(format!("request {number}: the upstream was asked {was_asked} times: {answer:?}"));
        }
        for line in &exchange.sent {
            let line = dated(line, at);
            let head = heads.last().map(|head| head.to_ascii_lowercase()).unwrap_or_default();
            let is_there = |line: &str| head.contains(&format!("\r\n{}", line.to_ascii_lowercase()));
            let holds = match line.strip_prefix('-') {
                Some(name) => !is_there(&format!("{name}:")),
                None => is_there(&format!("{line}\r\n")),
            };
            if !holds {
                return Err(format!("request {number}: `{line}` does not hold for {head}"));
            }
        }
        answer
            .check(&dated(&exchange.expected, at))
            .map_err(|failure| format!("request {number}: {failure}"))?;
    }
    Ok(())
}

fn read(story: &str) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    let mut wait = 0;
    for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (mark, rest) = line.split_at(1);
        let rest = rest.trim();
        match mark {
            "+" => wait += rest.parse::<u64>().unwrap(),
            ">" => {
                exchanges.push(Exchange { wait, request: rest.to_owned(), ..Exchange::default() });
                wait = 0;
            }
            _ => {
                let exchange = exchanges.last_mut().unwrap();
                match mark {
                    "<" => exchange.answer = Some(rest.to_owned()),
                    "^" => exchange.sent.push(rest.to_owned()),
                    "=" => rest.clone_into(&mut exchange.expected),
                    other => panic!("what is `{other}` in {line}?"),
                }
            }
        }
    }
    exchanges
}

/// Fills in dates: the wall clock of [`Clock::manual`] starts in September 2001.
fn dated(text: &str, at: u64) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (offset, after) = after.split_once('}').unwrap();
        let seconds = 1_000_000_000 + i64::try_from(at).unwrap() + offset.parse::<i64>().unwrap();
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap());
        out = out + before + &httpdate::fmt_http_date(moment);
        rest = after;
    }
    out + rest
}

/// The upstream's answer as it goes over the wire.
fn render(answer: &str, request: &str) -> String {
    let mut parts = answer.split(" | ");
    let status = parts.next().unwrap();
    let mut text = format!("HTTP/1.1 {status} X\r\n");
    let (mut body, mut chunked, mut trailer) = ("one", false, "");
    for part in parts {
        match part.split_once(": ") {
            Some(("body", value)) => body = value,
            Some(("trailer-field", value)) => (chunked, trailer) = (true, value),
            _ if part == "chunked" => chunked = true,
            _ if part == "empty" => body = "",
            _ => text = text + part + "\r\n",
        }
    }
    if status == "204" || status == "304" {
        return text + "\r\n";
    }
    if chunked {
        let trailer = if trailer.is_empty() { String::new() } else { format!("{trailer}\r\n") };
        text +=
            &format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n{trailer}\r\n", body.len());
    } else {
        text += &format!("content-length: {}\r\n\r\n", body.len());
        if !request.starts_with("HEAD") {
            text += body;
        }
    }
    text
}

/// A gateway of nothing but a cache.
struct Gateway {
    address: SocketAddr,
    hands: ManualClock,
    store: Arc<Store>,
    serving: JoinHandle<()>,
}

impl Gateway {
    async fn start(upstream: &str, change: &impl Fn(CacheLayer) -> CacheLayer) -> Self {
        let (clock, hands) = Clock::manual();
        let store = Arc::new(Store::new(CacheLayer::MAX_SIZE, &clock));
        let cache = change(CacheLayer::new(Arc::clone(&store)).clock(clock));
        let service = RescueLayer::default().layer(cache.layer(Upstream::new([upstream]).build().unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { drop(serve(listener, service).into_future().await) });
        Self { address, hands, store, serving }
    }

    /// Sends a request of the story's form, over a connection of its own.
    async fn ask(&self, request: &str) -> Answer {
        let mut connection = self.send(request).await;
        let mut bytes = Vec::new();
        // A transfer that is cut is an answer, too.
        let _ = connection.read_to_end(&mut bytes).await;
        Answer::parse(&bytes)
    }

    async fn send(&self, request: &str) -> TcpStream {
        let mut parts = request.split(" | ");
        let mut text = format!("{} HTTP/1.1\r\nconnection: close\r\n", parts.next().unwrap());
        let (mut host, mut body) = ("host: a.test", "");
        for part in parts {
            match part.split_once(": ") {
                Some(("host", _)) => host = part,
                Some(("body", value)) => body = value,
                _ => text = text + part + "\r\n",
            }
        }
        if !body.is_empty() {
            text += &format!("content-length: {}\r\n", body.len());
        }
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        connection.write_all(format!("{text}{host}\r\n\r\n{body}").as_bytes()).await.unwrap();
        connection
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What a client got.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    /// Whether the framing says that all of it came.
    whole: bool,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let Some((head, rest)) = text.split_once("\r\n\r\n") else { return Self::default() };
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let pair = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let headers: Vec<_> = lines.map(pair).collect();
        let mut answer = Self { status, headers, body: String::new(), whole: true };
        if answer.header("transfer-encoding").is_some() {
            let mut rest = rest;
            answer.whole = false;
            while let Some((size, after)) = rest.split_once("\r\n") {
                let size = usize::from_str_radix(size, 16).unwrap_or(0);
                if size == 0 || after.len() < size {
                    answer.whole = size == 0;
                    break;
                }
                answer.body += &after[..size];
                rest = after[size..].trim_start_matches("\r\n");
            }
        } else {
            rest.clone_into(&mut answer.body);
            let length = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
            answer.whole = length.is_none_or(|length| length == rest.len());
        }
        answer
    }

    fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| &**value).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    fn check(&self, expected: &str) -> Result<(), String> {
        let mut parts = expected.split(" | ");
        if self.status.to_string() != parts.next().unwrap_or_default() {
            return Err(format!("expected {expected}, got {self:?}"));
        }
        for part in parts {
            let holds = match (part.split_once(": "), part.strip_prefix('-')) {
                (_, Some(name)) => self.header(name).is_none(),
                (Some(("body", body)), _) => self.body == body,
                (Some((name, value)), _) => self.header(name).as_deref() == Some(value),
                (None, _) if part == "empty" => self.body.is_empty(),
                (None, _) if part == "cut" => !self.whole,
                (None, _) => self.header("cache-status") == Some(format!("gateway; {part}")),
            };
            if !holds {
                return Err(format!("`{part}` does not hold for {self:?}"));
            }
        }
        Ok(())
    }
}
