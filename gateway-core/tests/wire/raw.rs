//! A client of HTTP/1.1 that sends what it is told and reads answers strictly.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

/// An answer as it stood on the wire.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// Whether its body came to the end that its head promised.
    pub whole: bool,
}

impl Answer {
    /// The only value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.fields(name);
        let value = lines.next()?;
        assert!(lines.next().is_none(), "{name} twice: {}", self.head);
        Some(value)
    }

    pub fn fields<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(move |(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    /// A gateway that closed meanwhile is no error here; its answer tells.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// One GET, whose answer is read.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        self.answer().await
    }

    pub async fn answer(&mut self) -> Answer {
        self.answer_to("GET").await
    }

    /// The next final answer; interim ones are passed over.
    pub async fn answer_to(&mut self, method: &str) -> Answer {
        loop {
            let answer = self.next(method).await;
            if !(100..200).contains(&answer.status) {
                return answer;
            }
        }
    }

    /// The next answer, interim or not.
    pub async fn next(&mut self, method: &str) -> Answer {
        let mut whole = true;
        while find(&self.read, b"\r\n\r\n").is_none() {
            if !self.more().await {
                return Answer { status: 0, head: String::new(), body: self.read.split_off(0), whole: false };
            }
        }
        let end = find(&self.read, b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8_lossy(&self.read.drain(..end).collect::<Vec<u8>>()).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        let lower = head.to_ascii_lowercase();
        let length = lower
            .split("\r\ncontent-length:")
            .nth(1)
            .map(|rest| rest.lines().next().unwrap().trim().to_owned());
        let bodyless = method == "HEAD" || status < 200 || matches!(status, 204 | 304);
        let body = if bodyless {
            Vec::new()
        } else if lower.contains("\r\ntransfer-encoding: chunked") {
            assert!(length.is_none(), "framed twice: {head}");
            let end = loop {
                match chunked_end(&self.read) {
                    Some(end) => break end,
                    None if self.more().await => {}
                    None => {
                        whole = false;
                        break self.read.len();
                    }
                }
            };
            self.read.drain(..end).collect()
        } else if let Some(length) = length {
            let length: usize = length.parse().unwrap();
            while self.read.len() < length && whole {
                whole = self.more().await;
            }
            self.read.drain(..length.min(self.read.len())).collect()
        } else {
            while self.more().await {}
            self.read.split_off(0)
        };
        Answer { status, head, body, whole }
    }

    /// Everything until the other end closes.
    pub async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&self.read.split_off(0)).into_owned()
    }

    /// Whether the other end has closed, or closes soon, and says nothing before.
    pub async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.more().await
    }

    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        match read {
            Ok(read) => read.unwrap_or(0) > 0,
            Err(_) => panic!("the gateway says nothing more after {:?}", String::from_utf8_lossy(&self.read)),
        }
    }
}

/// Where a chunked body, trailers included, ends. `None` if it does not yet.
fn chunked_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = find(&bytes[at..], b"\r\n")?;
        let size =
            str::from_utf8(&bytes[at..at + line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        at += line + 2;
        match size.expect("the gateway writes sizes of chunks") {
            0 if bytes[at..].starts_with(b"\r\n") => return Some(at + 2),
            0 => return find(&bytes[at..], b"\r\n\r\n").map(|end| at + end + 4),
            size => at += size + 2,
        }
        bytes.get(at..)?;
    }
}

pub fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|found| found == what)
}

const PATIENCE: Duration = Duration::from_secs(10);
