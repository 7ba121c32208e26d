//! What a server and whoever opens a tunnel say to each other, by the extensions of a request and its answer.

use std::sync::Arc;

use tokio::sync::watch;

/// In a request: the server waits for the tunnel that comes of it, and polls the answer's body until then. The body
/// drives the tunnel.
///
/// Without it the tunnel runs as a task of its own, which nobody waits for.
#[derive(Clone, Debug)]
pub struct Hold(watch::Receiver<bool>);

impl Hold {
    /// Made by the server, which sends `true` when it begins to stop.
    #[must_use]
    pub fn new(stopping: watch::Receiver<bool>) -> Self {
        Self(stopping)
    }

    /// Ready when the server begins to stop, or is gone.
    pub async fn stopped(mut self) {
        drop(self.0.wait_for(|stopping| *stopping).await);
    }
}

/// In an answer with the status `101`: its body drives a tunnel.
///
/// Our server answers an extended `CONNECT` with `200` only then. A layer that takes it for any `GET` and answers by
/// itself opens no tunnel by chance: the client gets `501`.
#[derive(Clone, Copy, Debug)]
pub struct Switched;

/// In a request: it was an extended `CONNECT` (RFC 8441) for this protocol. Set by our server.
#[derive(Clone, Debug)]
pub struct Extended(pub Arc<str>);
