//! The PROXY protocol: a load balancer that only passes bytes on says first whose they are.

mod parse;

use std::{io, net::SocketAddr, time::Duration};

use tokio::{io::AsyncReadExt, net::TcpStream};

use self::parse::Start;
use crate::{Clock, Network};

/// From whom a header of the PROXY protocol (version 1 or 2) is taken, before TLS and everything else.
///
/// It says who the peer is, so only peers in the named networks are believed. To everybody else such a header is
/// what it looks like: a malformed request, answered with `400`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyProtocol {
    trusted: Vec<Network>,
    optional: bool,
}

impl ProxyProtocol {
    /// Every connection of these peers must begin with a header; one that does not is closed.
    pub fn required(from: impl IntoIterator<Item = Network>) -> Self {
        Self { trusted: from.into_iter().collect(), optional: false }
    }

    /// Connections of these peers may begin with a header. Only where the peers let no client of theirs write the
    /// first bytes: otherwise that client chooses its own address.
    pub fn optional(from: impl IntoIterator<Item = Network>) -> Self {
        Self { optional: true, ..Self::required(from) }
    }

    pub(super) fn concerns(&self, peer: SocketAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(peer.ip()))
    }

    /// Takes the header from the stream, and nothing behind it. `None` if it names no client.
    ///
    /// The bytes are looked at before they are taken, so that what follows is read by whoever it is for.
    pub(super) async fn read(&self, stream: &mut TcpStream, clock: &Clock) -> io::Result<Option<SocketAddr>> {
        let mut bytes = Vec::new();
        loop {
            let taken = bytes.len();
            bytes.resize(taken + PIECE, 0);
            let seen = stream.peek(&mut bytes[taken..]).await?;
            if seen == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes.truncate(taken + seen);
            match Start::of(&bytes) {
                Start::Header { length, client } => {
                    stream.read_exact(&mut bytes[taken..length]).await?;
                    return Ok(client);
                }
                Start::Begun => {
                    stream.read_exact(&mut bytes[taken..]).await?;
                }
                // Whether these bytes are ours to take is not known. More will come in a moment, or never.
                Start::Undecided => {
                    bytes.truncate(taken);
                    clock.sleep_until(clock.now() + LOOK_AGAIN).await;
                }
                Start::Other if self.optional => return Ok(None),
                Start::Other | Start::Broken => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
}

/// How much is looked at together; all but the largest headers fit.
const PIECE: usize = 256;

/// The parts of a header that was torn apart are this far from each other at most; usually it comes whole.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
