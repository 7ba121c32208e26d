//! Serving a document: its listeners, its threads, and what is said of it.

use std::{
    io::{self, Write},
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use gateway_layers::{
    config::{Declared, Listen, Live, Reloader, Workers},
    core::server::{Listener, Server, serve},
};

use crate::{demo, inherited::Inherited, run::Trouble, signals};

/// Serves what is in force until a signal, with lines to try for whoever has a token.
pub(crate) async fn declared(reloader: &Mutex<Reloader>, token: Option<&str>) -> Result<(), Trouble> {
    let stop = signals::stop_requested().map_err(|error| format!("signals: {error}"))?;
    let server = server(&lock(reloader), token)?;
    let drained = server.shutdown(stop).await;
    lock(reloader).declared().flush(Duration::from_secs(2));
    let drained = drained.map_err(|error| format!("serving: {error}"))?;
    tracing::info!(?drained, "stopped");
    Ok(())
}

/// The server, which listens already and has said so.
fn server(reloader: &Reloader, token: Option<&str>) -> Result<Server<Live>, String> {
    let declared = reloader.declared();
    let (urls, listeners) = listen(declared)?;
    announce(declared, &urls, token).map_err(|error| format!("standard output: {error}"))?;

    let mut listeners = listeners.into_iter();
    let first = listeners.next().ok_or_else(|| "there is nothing to listen on".to_owned())?;
    let server = listeners.fold(serve(first, reloader.live()), |server, listener| server.and(listener));
    let server = server.meter(declared.meter());
    Ok(match threads(declared.workers()) {
        Some(threads) => server.threads(threads),
        None => server,
    })
}

/// What is in force now. It stays consistent even if somebody panicked who read another document.
pub(crate) fn lock(reloader: &Mutex<Reloader>) -> MutexGuard<'_, Reloader> {
    reloader.lock().unwrap_or_else(PoisonError::into_inner)
}

fn threads(workers: Workers) -> Option<NonZeroUsize> {
    match workers {
        // A system that does not tell how many there are gets one.
        Workers::PerCpu => Some(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)),
        Workers::Threads(threads) => Some(threads),
        Workers::Shared => None,
    }
}

/// Every listener of the document, with its URL.
fn listen(declared: &Declared) -> Result<(Vec<String>, Vec<Listener>), String> {
    let mut inherited =
        Inherited::from_environment().map_err(|error| format!("inherited sockets: {error}"))?;
    let mut listeners = Vec::new();
    let mut urls = Vec::new();
    for listen in declared.listeners() {
        let listener = match inherited.take(listen.address()) {
            Some(listener) => listen.on(listener),
            None => bind(listen)?,
        };
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let scheme = if listen.tls().is_some() { "https" } else { "http" };
        urls.push(format!("{scheme}://{address}"));
        listeners.push(listener);
    }
    match inherited.left() {
        Some(address) => {
            Err(format!("an inherited socket listens on {address}, which the document does not name"))
        }
        None => Ok((urls, listeners)),
    }
}

fn bind(listen: &Listen) -> Result<Listener, String> {
    let address = listen.address();
    listen.bind().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("{address} is already in use; choose another with LISTEN=127.0.0.1:PORT or `listen:`")
        }
        _ => format!("cannot listen on {address}: {error}"),
    })
}

fn announce(declared: &Declared, urls: &[String], token: Option<&str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "gateway {} on {}\n", env!("CARGO_PKG_VERSION"), urls.join(" and "))?;
    for line in declared.routes() {
        writeln!(out, "  {line}")?;
    }
    writeln!(out)?;
    if let (Some(token), Some(base)) = (token, urls.first()) {
        demo::print(&mut out, base, token)?;
    }
    out.flush()
}
