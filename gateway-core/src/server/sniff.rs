//! Which protocol a connection speaks, told by its first bytes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    /// HTTP/2 begins with a preface that no HTTP/1.1 request begins with (RFC 9113 section 3.4). `None` while the
    /// bytes could still become either.
    fn of(start: &[u8]) -> Option<Self> {
        let length = start.len().min(PREFACE.len());
        if start[..length] != PREFACE[..length] {
            return Some(Self::Http1);
        }
        (length == PREFACE.len()).then_some(Self::Http2)
    }
}

/// The bytes that were read to find out; they belong to the protocol and are read again.
#[derive(Clone, Debug, Default)]
pub(super) struct Start {
    bytes: [u8; PREFACE.len()],
    next: usize,
    length: usize,
}

impl Start {
    /// At most so many of the bytes that were not yet read again; none when all were.
    pub(super) fn take(&mut self, most: usize) -> &[u8] {
        let from = self.next;
        self.next = self.length.min(from + most);
        &self.bytes[from..self.next]
    }

    pub(super) fn is_taken(&self) -> bool {
        self.next == self.length
    }
}

/// Reads until the protocol is known. `None` if the client left before.
pub(super) async fn sniff(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(Protocol, Start)>> {
    let mut start = Start::default();
    loop {
        match stream.read(&mut start.bytes[start.length..]).await? {
            0 => return Ok(None),
            read => start.length += read,
        }
        if let Some(protocol) = Protocol::of(&start.bytes[..start.length]) {
            return Ok(Some((protocol, start)));
        }
    }
}

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decides_at_the_first_byte_that_tells() {
        for (start, protocol) in [
            (&b""[..], None),
            (b"G", Some(Protocol::Http1)),
            (b"P", None),
            (b"POST", Some(Protocol::Http1)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", None),
            (b"PRI * HTTP/1.1\r\n", Some(Protocol::Http1)),
            (PREFACE, Some(Protocol::Http2)),
        ] {
            assert_eq!(Protocol::of(start), protocol, "{start:?}");
        }
    }

    proptest! {
        #[test]
        fn every_byte_is_read_once_in_whatever_pieces_it_comes(
            same in 0..=24_usize,
            rest in proptest::collection::vec(any::<u8>(), 0..60),
            most in 1..30_usize,
        ) {
            let bytes = [&PREFACE[..same], &rest[..]].concat();
            let mut stream = &bytes[..];
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let Some((protocol, mut start)) = runtime.block_on(sniff(&mut stream)).unwrap() else {
                prop_assert!(PREFACE.starts_with(&bytes), "only a part of the preface tells nothing");
                return Ok(());
            };
            prop_assert_eq!(protocol == Protocol::Http2, bytes.starts_with(PREFACE));
            let mut read = Vec::new();
            while !start.is_taken() {
                read.extend_from_slice(start.take(most));
            }
            read.extend_from_slice(stream);
            prop_assert_eq!(read, bytes);
        }
    }
}
