//! Where a connection comes from.

use std::net::SocketAddr;

use super::sniff::Protocol;
use crate::{Facts, facts::TlsSession};

/// What is known of a connection before its first request.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) peer: SocketAddr,
    /// Who passed it on and said who the peer is.
    pub(super) relay: Option<SocketAddr>,
    pub(super) tls: Option<TlsSession>,
    /// The protocol that both sides agreed upon.
    pub(super) agreed: Option<Protocol>,
}

impl Origin {
    pub(super) fn of(peer: SocketAddr) -> Self {
        Self { peer, relay: None, tls: None, agreed: None }
    }

    /// Writes it into the facts of a request.
    pub(super) fn tell(&self, facts: &Facts) {
        facts.set_peer(self.peer);
        if let Some(relay) = self.relay {
            facts.set_relay(relay);
        }
        if let Some(session) = &self.tls {
            facts.set_tls(session);
        }
    }
}
