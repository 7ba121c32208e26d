//! Where a connection comes from.

use std::net::SocketAddr;

use super::sniff::Protocol;
use crate::Facts;

/// What is known of a connection before its first request.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) peer: SocketAddr,
    /// The protocol that both sides agreed upon.
    pub(super) agreed: Option<Protocol>,
}

impl Origin {
    pub(super) fn of(peer: SocketAddr) -> Self {
        Self { peer, agreed: None }
    }

    /// Writes it into the facts of a request.
    pub(super) fn tell(&self, facts: &Facts) {
        facts.set_peer(self.peer);
    }
}
