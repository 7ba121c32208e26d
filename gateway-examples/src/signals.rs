//! Ctrl-C, SIGTERM and SIGHUP.

use std::{io, process};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for the first signal to stop. From then on a second one ends the process at once.
pub(crate) fn stop_requested() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        let name = next().await;
        tracing::info!(signal = name, "stopping: what is in flight is finished, nothing new is accepted");
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            next().await;
            tracing::warn!("stopped at once by a second signal");
            end_at_once();
        });
    })
}

/// Hears every SIGHUP from now on.
pub(crate) fn hangups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

#[expect(clippy::exit, reason = "the second signal asks for exactly this")]
fn end_at_once() -> ! {
    process::exit(130)
}
