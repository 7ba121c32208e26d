//! The bytes of a connection, seen on their way.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{patience::Activity, sniff::Start};
use crate::{Clock, clock::Sleep};

/// A connection whose first bytes are read again, that tells whether bytes move, and that closes so that the last
/// answer arrives.
#[derive(Debug)]
pub(super) struct Watched<T> {
    start: Start,
    stream: T,
    activity: Activity,
    clock: Clock,
    /// What was taken from us, by a layer of encryption for one, does not leave.
    flush_blocked: bool,
    closing: Closing,
}

#[derive(Debug)]
enum Closing {
    Not,
    /// Nothing more is written; what the client still sends is looked for.
    Written,
    /// It was sending, and may go on for this long.
    Lingering(Pin<Box<Sleep>>),
}

impl<T> Watched<T> {
    pub(super) fn new(start: Start, stream: T, activity: Activity, clock: Clock) -> Self {
        Self { start, stream, activity, clock, flush_blocked: false, closing: Closing::Not }
    }

    fn wrote<R>(&self, written: Poll<R>) -> Poll<R> {
        self.activity.wrote(written.is_ready());
        written
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let is_start = !self.start.is_taken();
        if is_start {
            buffer.put_slice(self.start.take(buffer.remaining()));
            if buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.read();
        }
        // The rest of a message comes with its start if it is there: hyper would double its buffer for the next piece.
        // An end or an error is met again by the next read.
        if is_start { Poll::Ready(Ok(())) } else { polled }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.wrote(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_pending() || self.flush_blocked {
            self.flush_blocked = flushed.is_pending();
            self.activity.wrote(flushed.is_ready());
        }
        flushed
    }

    /// Who closes while bytes are unread resets the connection, and the client may lose the answer that told it to
    /// stop sending (RFC 9112 section 9.6). So they are taken, for a short time.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.activity.is_tunnel() {
            // Its other direction goes on.
            return Pin::new(&mut this.stream).poll_shutdown(cx);
        }
        if let Closing::Not = this.closing {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.closing = Closing::Written;
        }
        // Looked at first: whoever sends without a pause must not keep us reading.
        if let Closing::Lingering(end) = &mut this.closing
            && end.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Ok(()));
        }
        let mut unread = [0; 16 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut unread);
            match (Pin::new(&mut this.stream).poll_read(cx, &mut buffer), &mut this.closing) {
                (Poll::Ready(Ok(())), _) if buffer.filled().is_empty() => return Poll::Ready(Ok(())),
                (Poll::Ready(Ok(())), Closing::Lingering(_)) => {}
                (Poll::Ready(Ok(())), closing) => {
                    let until = this.clock.now() + LINGER;
                    *closing = Closing::Lingering(Box::pin(this.clock.sleep_until(until)));
                }
                (Poll::Pending, Closing::Lingering(end)) => return end.as_mut().poll(cx).map(Ok),
                // The client had said all it wanted, or is gone.
                (Poll::Pending | Poll::Ready(Err(_)), _) => return Poll::Ready(Ok(())),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// A few round trips, until the client has seen that nobody listens any more.
const LINGER: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::server::sniff::{Protocol, sniff};

    fn watched(stream: DuplexStream) -> Watched<DuplexStream> {
        Watched::new(Start::default(), stream, Activity::new(Protocol::Http1), Clock::default())
    }

    #[tokio::test]
    async fn the_start_comes_with_what_is_there_behind_it() {
        let (mut client, mut server) = duplex(64);
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let (protocol, start) = sniff(&mut server).await.unwrap().unwrap();
        let mut watched = Watched::new(start, server, Activity::new(protocol), Clock::default());
        let mut buffer = [0; 64];
        assert_eq!(watched.read(&mut buffer[..3]).await.unwrap(), 3);
        let rest = watched.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..rest], b" / HTTP/1.1\r\nhost: a\r\n\r\n");
        drop(client);
        assert_eq!(watched.read(&mut buffer).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn closes_at_once_when_nothing_is_unread() {
        let start = Clock::default().now();
        let (_client, server) = duplex(64);
        watched(server).shutdown().await.unwrap();
        assert_eq!(Clock::default().now(), start);
    }

    #[tokio::test(start_paused = true)]
    async fn takes_what_a_client_still_sends_and_hears_its_end() {
        let (mut client, server) = duplex(64);
        client.write_all(b"unread").await.unwrap();
        let closing = tokio::spawn(async move { watched(server).shutdown().await });
        client.write_all(&[b'x'; 1_000]).await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "nothing more is said to it");
        drop(client);
        closing.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn does_not_listen_for_ever() {
        let start = Clock::default().now();
        let (mut client, server) = duplex(64);
        client.write_all(b"unread").await.unwrap();
        watched(server).shutdown().await.unwrap();
        assert_eq!(Clock::default().now() - start, LINGER);
    }
}
