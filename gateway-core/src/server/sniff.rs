//! Which protocol a connection speaks, told by its first bytes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
};

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

/// Reads until the protocol is known. `None` if the client left before.
pub(super) async fn sniff(mut stream: TcpStream) -> io::Result<Option<(Protocol, Rewound)>> {
    let mut start = [0; PREFACE.len()];
    let mut length = 0;
    loop {
        match stream.read(&mut start[length..]).await? {
            0 => return Ok(None),
            read => length += read,
        }
        if let Some(protocol) = Protocol::of(&start[..length]) {
            return Ok(Some((protocol, Rewound { start, next: 0, length, stream })));
        }
    }
}

/// A connection whose first bytes are read again.
#[derive(Debug)]
pub(super) struct Rewound {
    start: [u8; PREFACE.len()],
    next: usize,
    length: usize,
    stream: TcpStream,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.next < self.length {
            let end = self.length.min(self.next + buffer.remaining());
            buffer.put_slice(&self.start[self.next..end]);
            self.next = end;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[cfg(test)]
mod tests {
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
}
