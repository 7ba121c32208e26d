//! One line: what is known at the end of a request, as JSON.

use std::{
    cell::RefCell,
    io::Write,
    time::{Duration, Instant},
};

use gateway_core::{Clock, End, Facts, Guard, Refusal, watch::Watch};
use http::{HeaderValue, Method, Request, Response, Uri, Version, header};

use super::{date, sink::Sink};

/// What follows a request until its line is written.
#[derive(Debug)]
pub struct LogWatch {
    sink: Sink,
    clock: Clock,
    facts: Facts,
    method: Method,
    uri: Uri,
    host: Option<HeaderValue>,
    version: Version,
    bytes_in: Option<HeaderValue>,
    bytes_out: usize,
    answer: Option<Answer>,
}

#[derive(Debug)]
struct Answer {
    at: Instant,
    status: u16,
    refusal: Option<Refusal>,
}

impl LogWatch {
    pub(super) fn new<B>(sink: Sink, clock: Clock, request: &mut Request<B>) -> Self {
        let facts = Facts::of(request.extensions_mut(), &clock).clone();
        Self {
            sink,
            clock,
            facts,
            method: request.method().clone(),
            uri: request.uri().clone(),
            host: request.headers().get(header::HOST).cloned(),
            version: request.version(),
            bytes_in: request.headers().get(header::CONTENT_LENGTH).cloned(),
            bytes_out: 0,
            answer: None,
        }
    }

    fn write(&self, line: &mut Vec<u8>, end: End) {
        let now = self.clock.now();
        let since_arrival = |moment: Instant| moment.saturating_duration_since(self.facts.arrived());
        line.extend_from_slice(b"{\"time\":\"");
        date::write(line, self.clock.wall());
        line.push(b'"');
        if let Some(id) = self.facts.request_id() {
            text(line, "request_id", id.as_str());
        }
        if let Some(client) = self.facts.client_addr() {
            shown(line, "client", client);
        }
        if let Some(peer) = self.facts.peer() {
            shown(line, "peer", peer);
        }
        text(line, "method", self.method.as_str());
        if let Some(host) = self.host() {
            text(line, "host", host);
        }
        text(line, "path", self.facts.target().unwrap_or(&self.uri).path());
        text(line, "protocol", protocol(self.version));
        if let Some(route) = self.facts.route() {
            text(line, "route", route.name());
        }
        if let Some(endpoint) = self.facts.endpoint() {
            text(line, "upstream", &endpoint);
        }
        if self.facts.attempt() > 1 {
            number(line, "tries", self.facts.attempt());
        }
        if let Some(answer) = &self.answer {
            number(line, "status", answer.status);
            if let Some(refusal) = &answer.refusal {
                text(line, "code", refusal.code());
                if let Some(cause) = refusal.cause() {
                    text(line, "cause", cause);
                }
            }
        }
        let end = if self.answer.is_some() { end.of_answer_to(&self.method) } else { end };
        text(line, "end", end.as_str());
        if let Some(answer) = &self.answer {
            millis(line, "head_ms", since_arrival(answer.at));
        }
        millis(line, "duration_ms", since_arrival(now));
        if let Some(bytes) = self.bytes_in() {
            number(line, "bytes_in", bytes);
        }
        number(line, "bytes_out", self.bytes_out);
        line.extend_from_slice(b"}\n");
    }

    fn host(&self) -> Option<&str> {
        self.host.as_ref().and_then(|host| host.to_str().ok()).or_else(|| self.uri.host())
    }

    fn bytes_in(&self) -> Option<u64> {
        self.bytes_in.as_ref()?.to_str().ok()?.parse().ok()
    }
}

impl Watch for LogWatch {
    fn head<B>(&mut self, response: &Response<B>) {
        self.answer = Some(Answer {
            at: self.clock.now(),
            status: response.status().as_u16(),
            refusal: response.extensions().get().cloned(),
        });
    }
}

impl Guard for LogWatch {
    fn data(&mut self, bytes: usize) {
        self.bytes_out += bytes;
    }

    fn end(self, end: End) {
        thread_local! {
            static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            self.write(line, end);
            self.sink.append(line);
            // One endless path must not keep its memory for ever.
            line.shrink_to(LONG_LINE);
        });
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

fn key(line: &mut Vec<u8>, key: &str) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(key.as_bytes());
    line.extend_from_slice(b"\":");
}

/// Whatever a client sends stays inside its quotes.
fn text(line: &mut Vec<u8>, name: &str, value: &str) {
    key(line, name);
    serde_json::to_writer(line, value).expect("a vector takes every text");
}

/// For values whose text needs no escape.
fn shown(line: &mut Vec<u8>, name: &str, value: impl std::fmt::Display) {
    key(line, name);
    write!(line, "\"{value}\"").expect("a vector takes every text");
}

fn number(line: &mut Vec<u8>, name: &str, value: impl std::fmt::Display) {
    key(line, name);
    write!(line, "{value}").expect("a vector takes every text");
}

/// Milliseconds with three digits behind the point.
fn millis(line: &mut Vec<u8>, name: &str, duration: Duration) {
    key(line, name);
    let micros = duration.as_micros();
    write!(line, "{}.{:03}", micros / 1000, micros % 1000).expect("a vector takes every text");
}

/// Bytes of a line's buffer that a thread keeps.
const LONG_LINE: usize = 4096;
