//! A client of HTTP/2 that writes frames by hand, so that it can send what no library would.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub struct Http2 {
    stream: TcpStream,
    read: Vec<u8>,
}

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A status, the body's bytes, and whether the stream ended in order.
    Answer(u16, Vec<u8>, bool),
    /// `RST_STREAM` before any head.
    Reset(u32),
    /// `GOAWAY` with an error, or the end of the connection.
    Gone(u32),
}

impl Outcome {
    /// The status of an answer that came whole; 0 otherwise.
    pub fn status(&self) -> u16 {
        match self {
            Self::Answer(status, _, true) => *status,
            _ => 0,
        }
    }
}

pub type Fields<'a> = &'a [(&'a str, &'a [u8])];

impl Http2 {
    pub async fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        frame(&mut start, SETTINGS, 0, 0, &[]);
        stream.write_all(&start).await.unwrap();
        Self { stream, read: Vec::new() }
    }

    /// A `HEADERS` frame with these fields as they are.
    pub async fn headers(&mut self, id: u32, fields: Fields<'_>, end: bool) {
        let mut block = Vec::new();
        for (name, value) in fields {
            // Literal, without indexing, without Huffman (RFC 7541 section 6.2.2).
            block.push(0);
            for text in [name.as_bytes(), value] {
                length(&mut block, text.len());
                block.extend_from_slice(text);
            }
        }
        self.send(HEADERS, END_HEADERS | u8::from(end), id, &block).await;
    }

    pub async fn data(&mut self, id: u32, data: &[u8], end: bool) {
        self.send(DATA, u8::from(end), id, data).await;
    }

    pub async fn reset(&mut self, id: u32) {
        self.send(RST_STREAM, 0, id, &8_u32.to_be_bytes()).await;
    }

    /// A gateway that closed meanwhile is no error here; the outcome tells.
    pub async fn send(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) {
        let mut bytes = Vec::new();
        frame(&mut bytes, kind, flags, id, payload);
        let _ = self.stream.write_all(&bytes).await;
    }

    /// Waits until a stream has ended in one way or another.
    pub async fn outcome(&mut self, id: u32) -> Outcome {
        let (mut status, mut body) = (None, Vec::new());
        loop {
            let Some((kind, flags, stream, payload)) = self.frame().await else {
                return status.map_or(Outcome::Gone(0), |status| Outcome::Answer(status, body, false));
            };
            match kind {
                SETTINGS if flags & ACK == 0 => self.send(SETTINGS, ACK, 0, &[]).await,
                GOAWAY if number(&payload[4..]) != 0 => return Outcome::Gone(number(&payload[4..])),
                RST_STREAM if stream == id => {
                    let code = number(&payload);
                    return match status {
                        // What is left of a request that was answered already is not wanted.
                        Some(status) => Outcome::Answer(status, body, code == 0),
                        None => Outcome::Reset(code),
                    };
                }
                HEADERS if stream == id && status.is_none() => status = Some(decode_status(&payload)),
                DATA if stream == id => body.extend_from_slice(&payload),
                _ => {}
            }
            if let Some(status) = status
                && stream == id
                && flags & END_STREAM != 0
            {
                return Outcome::Answer(status, body, true);
            }
        }
    }

    async fn frame(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        while self.read.len() < 9 || self.read.len() < 9 + self.next_length() {
            let read = tokio::time::timeout(Duration::from_secs(10), self.stream.read_buf(&mut self.read));
            if read.await.expect("the gateway says something in time").unwrap_or(0) == 0 {
                return None;
            }
        }
        let length = self.next_length();
        let frame: Vec<u8> = self.read.drain(..9 + length).collect();
        Some((frame[3], frame[4], number(&frame[5..]), frame[9..].to_vec()))
    }

    fn next_length(&self) -> usize {
        usize::try_from(u32::from_be_bytes([0, self.read[0], self.read[1], self.read[2]])).unwrap()
    }
}

/// A request of its own connection.
pub async fn request(address: SocketAddr, fields: Fields<'_>, body: Option<&[u8]>) -> Outcome {
    let mut client = Http2::connect(address).await;
    client.headers(1, fields, body.is_none()).await;
    if let Some(body) = body {
        client.data(1, body, true).await;
    }
    client.outcome(1).await
}

/// The pseudo-fields of a GET, and these fields.
pub fn get<'a>(path: &'a str, fields: Fields<'a>) -> Vec<(&'a str, &'a [u8])> {
    with("GET", path, fields)
}

pub fn with<'a>(method: &'a str, path: &'a str, fields: Fields<'a>) -> Vec<(&'a str, &'a [u8])> {
    let pseudo: [(&str, &[u8]); 4] = [
        (":method", method.as_bytes()),
        (":scheme", b"http"),
        (":authority", b"a"),
        (":path", path.as_bytes()),
    ];
    pseudo.into_iter().chain(fields.iter().copied()).collect()
}

/// `:status` is the first field of every answer: indexed, or a literal with an indexed name.
fn decode_status(block: &[u8]) -> u16 {
    const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match block {
        [index @ 0x88..=0x8e, ..] => INDEXED[usize::from(index - 0x88)],
        [0x48 | 0x08, length, rest @ ..] if length & 0x80 == 0 => {
            str::from_utf8(&rest[..usize::from(*length)]).unwrap().parse().unwrap()
        }
        [0x48 | 0x08, length, rest @ ..] => huffman_digits(&rest[..usize::from(length & 0x7f)]),
        _ => panic!("no status in {block:x?}"),
    }
}

/// Three digits in the code of RFC 7541 appendix B: 0 to 2 have five bits, the others six.
fn huffman_digits(bytes: &[u8]) -> u16 {
    let bits = bytes.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let mut left = bytes.len() * 8;
    let mut take = |count: usize| {
        left -= count;
        u16::try_from(bits >> left & ((1 << count) - 1)).unwrap()
    };
    (0..3).fold(0, |status, _| {
        let five = take(5);
        let digit = if five <= 2 { five } else { (five << 1 | take(1)) - 0b01_1001 + 3 };
        status * 10 + digit
    })
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, id: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    bytes.extend_from_slice(&length[1..]);
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(payload);
}

/// A number with a prefix of seven bits (RFC 7541 section 5.1).
fn length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        return block.push(u8::try_from(length).unwrap());
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
