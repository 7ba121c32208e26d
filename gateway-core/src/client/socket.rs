use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::places::Slot;

/// The bytes of a connection, plain or through TLS. The connection counts as open for as long as this lives.
pub(super) struct Socket {
    wire: Wire,
    _slot: Slot,
}

pub(super) enum Wire {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl Socket {
    pub(super) fn new(wire: Wire, slot: Slot) -> Self {
        Self { wire, _slot: slot }
    }
}

macro_rules! with_wire {
    ($socket:expr, $wire:ident => $call:expr) => {
        match &mut $socket.get_mut().wire {
            Wire::Plain($wire) => $call,
            #[cfg(feature = "tls")]
            Wire::Tls($wire) => $call,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        with_wire!(self, wire => Pin::new(wire).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        with_wire!(self, wire => Pin::new(wire).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        with_wire!(self, wire => Pin::new(wire).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.wire {
            Wire::Plain(wire) => wire.is_write_vectored(),
            #[cfg(feature = "tls")]
            Wire::Tls(wire) => wire.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_wire!(self, wire => Pin::new(wire).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_wire!(self, wire => Pin::new(wire).poll_shutdown(cx))
    }
}
