//! Sockets that a service manager opened for us and passed on (`LISTEN_FDS`).

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use listenfd::ListenFd;

/// The listeners that this process was started with and that nobody took yet.
pub(crate) struct Inherited(Vec<(SocketAddr, TcpListener)>);

impl Inherited {
    /// Takes all that `LISTEN_FDS` names, if it is meant for this process (`LISTEN_PID`).
    pub(crate) fn from_environment() -> io::Result<Self> {
        let mut passed = ListenFd::from_env();
        let mut all = Vec::new();
        for index in 0..passed.len() {
            if let Some(listener) = passed.take_tcp_listener(index)? {
                all.push((listener.local_addr()?, listener));
            }
        }
        Ok(Self(all))
    }

    /// The one that listens on this address.
    pub(crate) fn take(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let index = self.0.iter().position(|&(other, _)| other == address)?;
        Some(self.0.remove(index).1)
    }

    /// The address of one that nobody took.
    pub(crate) fn left(&self) -> Option<SocketAddr> {
        self.0.first().map(|&(address, _)| address)
    }
}
