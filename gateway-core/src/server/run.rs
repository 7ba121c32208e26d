//! The loops of a server: all in the present runtime, or in threads with a runtime each.

use std::{io, sync::Arc, thread};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use tokio::{
    runtime,
    sync::{oneshot, watch},
    task::JoinSet,
};
use tower_service::Service;

use super::{Drained, Listener, Server, accept, connection::Shared};
use crate::BoxError;

/// Serves until the shutdown, and then until all is drained.
pub(super) async fn run<S, B>(server: Server<S>) -> io::Result<Drained>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let Server { listeners, service, settings, threads, shutdown } = server;
    let shared = Arc::new(Shared::new(settings));
    let (stop, stopping) = watch::channel(false);
    let mut parts = JoinSet::new();
    match threads {
        None => {
            let all = Loops { listeners, service, shared, stopping };
            parts.spawn(all.open()?.run());
        }
        Some(threads) => {
            let mut shares: Vec<Vec<Listener>> = (0..threads.get()).map(|_| Vec::new()).collect();
            for listener in listeners {
                for (share, listener) in shares.iter_mut().zip(listener.multiply(threads.get())?) {
                    share.push(listener);
                }
            }
            for (index, listeners) in shares.into_iter().enumerate() {
                let (service, shared) = (service.clone(), Arc::clone(&shared));
                let part = Loops { listeners, service, shared, stopping: stopping.clone() };
                let drained = thread(index, part)?;
                parts.spawn(async move {
                    drained.await.unwrap_or_else(|_| {
                        tracing::error!(target: "gateway", thread = index, "a thread of the server ended in a panic");
                        Drained::default()
                    })
                });
            }
        }
    }
    let mut drained = Drained::default();
    let mut shutdown = shutdown;
    let mut told = false;
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown, if !told => {
                told = true;
                stop.send_replace(true);
            }
            part = parts.join_next() => match part {
                Some(part) => drained = drained.and(part.map_err(io::Error::other)?),
                None if told => return Ok(drained),
                None => return Err(io::Error::other("everything that accepts connections ended in a panic")),
            },
        }
    }
}

/// The accept loops of one runtime.
struct Loops<S> {
    listeners: Vec<Listener>,
    service: S,
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
}

/// Starts a thread with a runtime of its own, once all its listeners are open.
fn thread<S, B>(index: usize, part: Loops<S>) -> io::Result<oneshot::Receiver<Drained>>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let opened = {
        let _inside = runtime.enter();
        part.open()?
    };
    let (done, drained) = oneshot::channel();
    thread::Builder::new().name(format!("gateway-{index}")).spawn(move || {
        let drained = runtime.block_on(opened.run());
        // Names are resolved on blocking threads, which may hang; nobody waits for them at the end.
        runtime.shutdown_background();
        let _ = done.send(drained);
    })?;
    Ok(drained)
}

impl<S> Loops<S> {
    fn open(self) -> io::Result<Opened<S>> {
        let Self { listeners, service, shared, stopping } = self;
        let open = |listener: Listener| listener.open(shared.settings.write_timeout);
        let listeners = listeners.into_iter().map(open).collect::<io::Result<_>>()?;
        Ok(Opened { listeners, service, shared, stopping })
    }
}

struct Opened<S> {
    listeners: Vec<(tokio::net::TcpListener, super::listener::Entry)>,
    service: S,
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
}

impl<S, B> Opened<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    async fn run(self) -> Drained {
        let Self { listeners, service, shared, stopping } = self;
        let mut loops = JoinSet::new();
        for (listener, entry) in listeners {
            let (service, shared) = (service.clone(), Arc::clone(&shared));
            loops.spawn(accept::run(listener, entry, service, shared, stopping.clone()));
        }
        loops.join_all().await.into_iter().fold(Drained::default(), Drained::and)
    }
}
