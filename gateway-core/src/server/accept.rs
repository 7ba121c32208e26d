//! The accept loop, and its end.

use std::{
    io,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tower_service::Service;

#[cfg(feature = "tls")]
use super::handshake;
use super::{
    Drained,
    connection::{self, Shared},
    drain,
    listener::Entry,
    origin::Origin,
    patience::Wait,
    place::Place,
    refuse::Refusals,
};
use crate::BoxError;
#[cfg(feature = "tls")]
use crate::tls::ServerTls;

/// Accepts connections until the server stops; then waits for those that are open.
pub(super) async fn run<S, B>(
    listener: TcpListener,
    entry: Entry,
    service: S,
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
) -> Drained
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let Shared { settings, counts, .. } = &*shared;
    let mut connections = JoinSet::new();
    let mut refusals = Refusals::default();
    let mut trouble = Trouble::default();
    let mut drained = Drained::default();
    let mut stop = stopping.clone();
    let mut told_to_stop = pin!(connection::stopped(&mut stop));
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut told_to_stop => break,
            Some(outcome) = connections.join_next() => {
                drain::told(outcome);
                if *stopping.borrow() {
                    // It was told before this loop was.
                    drained.finished += 1;
                    break;
                }
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match Place::take(&shared) {
                Some(place) => {
                    counts.accepted.increment();
                    // Small answers leave at once; a socket that cannot do that still works.
                    let _ = stream.set_nodelay(true);
                    let arrival = Arrival {
                        stream,
                        origin: Origin::of(peer),
                        service: service.clone(),
                        shared: Arc::clone(&shared),
                        stopping: stopping.clone(),
                    };
                    arrival.start(&entry, place, &mut connections);
                }
                None => {
                    counts.refused.increment();
                    refusals.refuse(stream, &settings.clock);
                }
            },
            Err(error) => {
                counts.accept_errors.increment();
                let pause = trouble.pause(&error, settings.clock.now());
                settings.clock.sleep_until(settings.clock.now() + pause).await;
            }
        }
    }
    drop(listener);
    drained.and(drain::wait(connections, settings.drain_timeout, &settings.clock).await)
}

/// A connection that was just accepted.
struct Arrival<S> {
    stream: TcpStream,
    origin: Origin,
    service: S,
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
}

impl<S, B> Arrival<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Each way to begin is a task of its own type, so that a connection in plain text pays for no other.
    fn start(self, entry: &Entry, place: Place, connections: &mut JoinSet<()>) {
        match &entry.proxy_protocol {
            Some(protocol) if protocol.concerns(self.origin.peer) => {
                let entry = entry.clone();
                connections.spawn(place.held(Box::pin(self.begin_with_header(entry))));
            }
            _ => self.begin(entry, place, connections),
        }
    }

    fn begin(self, entry: &Entry, place: Place, connections: &mut JoinSet<()>) {
        #[cfg(not(feature = "tls"))]
        let _ = entry;
        #[cfg(feature = "tls")]
        if let Some(tls) = &entry.tls {
            connections.spawn(place.held(self.encrypted(tls.clone())));
            return;
        }
        connections.spawn(place.held(self.plain()));
    }

    /// First the PROXY protocol says who the peer is.
    async fn begin_with_header(mut self, entry: Entry) {
        let Shared { settings, counts, .. } = &*self.shared;
        let Some(protocol) = &entry.proxy_protocol else { return };
        let until = settings.clock.now() + settings.first_byte_timeout;
        let read = tokio::select! {
            biased;
            read = settings.clock.timeout(until, protocol.read(&mut self.stream, &settings.clock)) => read,
            () = connection::stopped(&mut self.stopping) => return,
        };
        match read {
            Some(Ok(None)) => {}
            Some(Ok(Some(client))) => {
                self.origin.relay = Some(self.origin.peer);
                self.origin.peer = client;
            }
            Some(Err(error)) => {
                if error.kind() == io::ErrorKind::InvalidData {
                    counts.proxy_protocol_errors.increment();
                    tracing::debug!(target: "gateway", peer = %self.origin.peer, "no header of the PROXY protocol");
                }
                return;
            }
            None => return counts.given_up(Wait::Protocol),
        }
        #[cfg(feature = "tls")]
        if let Some(tls) = entry.tls {
            return self.encrypted(tls).await;
        }
        self.plain().await;
    }

    #[cfg(feature = "tls")]
    fn encrypted(self, tls: ServerTls) -> impl Future<Output = ()> + Send {
        let Self { stream, origin, service, shared, stopping } = self;
        handshake::serve(stream, origin, tls, service, shared, stopping)
    }

    fn plain(self) -> impl Future<Output = ()> + Send {
        let Self { stream, origin, service, shared, stopping } = self;
        let first_byte_by = shared.settings.clock.now() + shared.settings.first_byte_timeout;
        connection::serve(stream, origin, first_byte_by, service, shared, stopping)
    }
}

/// Failed accepts: out of descriptors, mostly. That ends by itself; the loop must not.
#[derive(Debug, Default)]
struct Trouble {
    logged: Option<Instant>,
}

impl Trouble {
    /// How long to wait, so that the loop does not spin. The log is told now and then, not at every failure.
    fn pause(&mut self, error: &io::Error, now: Instant) -> Duration {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        // The client left while it waited in the queue; the next one may be well.
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
            return Duration::ZERO;
        }
        if self.logged.is_none_or(|logged| now.duration_since(logged) >= LOG_EVERY) {
            self.logged = Some(now);
            tracing::error!(target: "gateway", %error, "cannot accept connections for now");
        }
        PAUSE
    }
}

/// Short enough that clients in the queue hardly notice, and twenty failures a second cost nothing.
const PAUSE: Duration = Duration::from_millis(50);

/// Longer than a burst, short enough that a lasting trouble is not forgotten.
const LOG_EVERY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_descriptors_is_waited_out_and_logged_once_in_ten_seconds() {
        let out_of_descriptors = io::Error::from_raw_os_error(24);
        let mut trouble = Trouble::default();
        let (clock, _) = crate::Clock::manual();
        let start = clock.now();
        for (seconds, logged) in [(0, 0), (1, 0), (9, 0), (10, 10), (11, 10), (30, 30)] {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(trouble.pause(&out_of_descriptors, now), PAUSE);
            assert_eq!(trouble.logged, Some(start + Duration::from_secs(logged)));
        }
    }

    #[test]
    fn a_client_that_left_the_queue_holds_up_nobody() {
        let mut trouble = Trouble::default();
        let (clock, _) = crate::Clock::manual();
        let left = io::Error::from(io::ErrorKind::ConnectionAborted);
        assert_eq!(trouble.pause(&left, clock.now()), Duration::ZERO);
        assert_eq!(trouble.logged, None);
    }
}
