//! The tunnels of one connection: answers whose body goes on after HTTP is over.

use std::{
    fmt, mem,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use http::{Request, Response, StatusCode};
use http_body::Body;
use hyper::{ext::Protocol, upgrade::OnUpgrade};
use tokio::{sync::watch, task::JoinSet};

use super::{drain, patience::Activity};
use crate::tunnel::{Extended, Hold, Switched};

/// The tunnels of one connection. Cloning it shares it; they end with the [`Keeper`].
#[derive(Clone)]
pub(super) struct Tunnels {
    stopping: watch::Receiver<bool>,
    activity: Activity,
    running: Arc<Mutex<Running>>,
}

/// Nothing is made before the first tunnel.
#[derive(Default)]
enum Running {
    #[default]
    None,
    Some(JoinSet<()>),
    /// The connection is gone, so no tunnel can begin.
    Over,
}

impl Tunnels {
    pub(super) fn new(stopping: watch::Receiver<bool>, activity: Activity) -> (Self, Keeper) {
        let tunnels = Self { stopping, activity, running: Arc::default() };
        (tunnels.clone(), Keeper(tunnels))
    }

    /// What a request that may become a tunnel has to know, and what its answer has to be looked at for. `None` for
    /// any other, at the cost of one look.
    pub(super) fn expect<B>(&self, request: &mut Request<B>) -> Option<Expected> {
        let extensions = request.extensions_mut();
        extensions.get::<OnUpgrade>()?;
        let protocol = extensions.remove::<Protocol>();
        if let Some(protocol) = &protocol {
            extensions.insert(Extended(protocol.as_str().into()));
        }
        extensions.insert(Hold::new(self.stopping.clone()));
        Some(Expected { tunnels: self.clone(), is_extended: protocol.is_some() })
    }

    /// Polls the body of a tunnel to its end.
    fn keep<B>(&self, body: B)
    where
        B: Body + Send + 'static,
    {
        let mut running = self.lock();
        if let Running::None = *running {
            *running = Running::Some(JoinSet::new());
        }
        let Running::Some(running) = &mut *running else { return };
        // Those that ended meanwhile are forgotten here, so there are never more of them than streams.
        while let Some(outcome) = running.try_join_next() {
            drain::told(outcome);
        }
        self.activity.becomes_tunnel();
        running.spawn(async move {
            let mut body = pin!(body);
            while let Some(Ok(_)) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {}
        });
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the tunnels when it is dropped.
pub(super) struct Keeper(Tunnels);

impl Keeper {
    /// Waits until all of them are closed.
    pub(super) async fn closed(self) {
        std::future::poll_fn(|cx| self.poll_closed(cx)).await;
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut running = self.0.lock();
        let Running::Some(running) = &mut *running else { return Poll::Ready(()) };
        while let Some(outcome) = ready!(running.poll_join_next(cx)) {
            drain::told(outcome);
        }
        Poll::Ready(())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(mem::replace(&mut *self.0.lock(), Running::Over));
    }
}

/// An answer is awaited that may open a tunnel.
#[derive(Debug)]
pub(super) struct Expected {
    tunnels: Tunnels,
    is_extended: bool,
}

impl Expected {
    /// Keeps the body if it is that of a tunnel. What stays is an answer without one.
    pub(super) fn look<B>(self, response: &mut Response<Option<B>>)
    where
        B: Body + Send + 'static,
    {
        let is_marked = response.extensions_mut().remove::<Switched>().is_some();
        if is_marked && let Some(body) = response.body_mut().take() {
            // Where a layer made something else of the answer there is no tunnel.
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                self.tunnels.keep(body);
                if self.is_extended {
                    *response.status_mut() = StatusCode::OK;
                }
            }
        } else if self.is_extended && response.status().is_success() {
            // A layer answered what it took for a GET. To the client this would be a tunnel.
            *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
        }
    }
}

impl fmt::Debug for Tunnels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnels").finish_non_exhaustive()
    }
}
