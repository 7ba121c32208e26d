use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpListener;

use super::ProxyProtocol;
#[cfg(feature = "tls")]
use crate::tls::ServerTls;

/// Where connections come from, and how they begin.
///
/// Tokio's and std's listeners become one with `into()`; those that [`bind`](Self::bind) makes can be multiplied, so
/// that every [thread](super::Server::threads) has one of its own.
#[derive(Debug)]
pub struct Listener {
    source: Source,
    pub(super) entry: Entry,
}

#[derive(Debug)]
enum Source {
    Tokio(TcpListener),
    Std(StdListener),
    /// One that we bound.
    Own(StdListener),
}

/// How a connection begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) proxy_protocol: Option<ProxyProtocol>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<ServerTls>,
}

impl Listener {
    /// Listens on an address that nobody else listens on, with a queue of 1,024 connections that wait to be
    /// accepted.
    ///
    /// # Errors
    /// When the address is in use, is not one of this machine, or needs a privilege.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::with_backlog(address, BACKLOG)
    }

    /// As [`bind`](Self::bind), with another length of the queue. The system has a cap of its own for it
    /// (`net.core.somaxconn`).
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn with_backlog(address: SocketAddr, backlog: u32) -> io::Result<Self> {
        let socket = socket(address)?;
        // Others may share the port only from here on: the bind itself finds out whether somebody has it.
        socket.bind(&address.into())?;
        let _ = share_port(&socket);
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok(Self { source: Source::Own(socket.into()), entry: Entry::default() })
    }

    /// Connections begin with the handshake of TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.entry.tls = Some(tls);
        self
    }

    /// Connections of some peers begin with a header that says who the peer really is, before TLS.
    #[must_use]
    pub fn proxy_protocol(mut self, protocol: ProxyProtocol) -> Self {
        self.entry.proxy_protocol = Some(protocol);
        self
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.source {
            Source::Tokio(listener) => listener.local_addr(),
            Source::Std(listener) | Source::Own(listener) => listener.local_addr(),
        }
    }

    /// Makes one for each of so many runtimes, with a queue of its own where that can be had.
    pub(super) fn multiply(self, count: usize) -> io::Result<Vec<Self>> {
        let (first, own) = match self.source {
            Source::Tokio(listener) => (listener.into_std()?, false),
            Source::Std(listener) => (listener, false),
            Source::Own(listener) => (listener, true),
        };
        let further = (1..count).map(|_| match own {
            true => beside(&first).or_else(|_| first.try_clone()),
            false => first.try_clone(),
        });
        let further: Vec<_> = further.collect::<io::Result<_>>()?;
        let entry = self.entry;
        let listener = |listener| Self { source: Source::Std(listener), entry: entry.clone() };
        Ok(further.into_iter().chain([first]).map(listener).collect())
    }

    /// Makes it one of the present runtime. What is set here, the connections inherit.
    pub(super) fn open(self, write_timeout: Duration) -> io::Result<(TcpListener, Entry)> {
        let listener = match self.source {
            Source::Tokio(listener) => listener,
            Source::Std(listener) | Source::Own(listener) => {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener)?
            }
        };
        let socket = SockRef::from(&listener);
        let alive = TcpKeepalive::new().with_time(ALIVE_AFTER).with_interval(ALIVE_AGAIN);
        // A system that cannot do this still serves.
        let _ = socket.set_tcp_keepalive(&alive);
        #[cfg(target_os = "linux")]
        let _ = socket.set_tcp_user_timeout(Some(write_timeout.max(VANISHED_AFTER)));
        #[cfg(not(target_os = "linux"))]
        let _ = write_timeout;
        Ok((listener, self.entry))
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self { source: Source::Tokio(listener), entry: Entry::default() }
    }
}

impl From<StdListener> for Listener {
    fn from(listener: StdListener) -> Self {
        Self { source: Source::Std(listener), entry: Entry::default() }
    }
}

/// One more on the same port, if the system shares it out.
fn beside(first: &StdListener) -> io::Result<StdListener> {
    let address = first.local_addr()?;
    let socket = socket(address)?;
    share_port(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(BACKLOG).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A port whose last connections still linger can be bound again; on Windows this would mean something else.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// Only Linux and its kin spread the connections over all that share a port.
fn share_port(socket: &Socket) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return socket.set_reuse_port(true);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = socket;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Connections that may wait to be accepted: a second of a thousand new ones.
const BACKLOG: u32 = 1024;

/// A peer that vanished without a word is found out after two minutes, at the cost of a packet a minute.
const ALIVE_AFTER: Duration = Duration::from_secs(60);
const ALIVE_AGAIN: Duration = Duration::from_secs(15);

/// How long sent bytes may stay without an answer of the peer's system. Longer than what the server itself allows.
#[cfg(target_os = "linux")]
const VANISHED_AFTER: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_found_out_though_workers_share_it() {
        let first = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = first.local_addr().unwrap();
        let all = first.multiply(3).unwrap();
        let second = Listener::bind(address).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
        assert!(all.iter().all(|listener| listener.local_addr().unwrap() == address));
        drop(all);
        Listener::bind(address).unwrap();
    }

    #[test]
    fn one_that_was_handed_in_is_shared_by_all() {
        let given = StdListener::bind("127.0.0.1:0").unwrap();
        let address = given.local_addr().unwrap();
        let all = Listener::from(given).multiply(2).unwrap();
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|listener| listener.local_addr().unwrap() == address));
    }
}
