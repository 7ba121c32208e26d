//! The accept loop, and its end.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tower_service::Service;

use super::{Drained, Server, Settings, connection};
use crate::{
    BoxError,
    meter::{Counter, Gauge, Meter},
};

pub(super) async fn run<S, B>(server: Server<S>) -> io::Result<Drained>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let Server { listener, service, settings, mut shutdown } = server;
    let counts = Counts::new(&settings.meter);
    let refusals = Arc::new(Semaphore::new(MAX_REFUSALS));
    let (drain, draining) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut trouble = Trouble::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) if connections.len() < settings.max_connections => {
                trouble.over();
                counts.accepted.increment();
                let open = counts.open.hold();
                let serving =
                    connection::serve(stream, peer, service.clone(), settings.clone(), draining.clone());
                connections.spawn(async move {
                    serving.await;
                    drop(open);
                });
            }
            Ok((stream, _)) => {
                counts.refused.increment();
                if let Ok(permit) = Arc::clone(&refusals).try_acquire_owned() {
                    tokio::spawn(async move {
                        refuse(stream).await;
                        drop(permit);
                    });
                }
            }
            Err(error) => {
                counts.errors.increment();
                trouble.pause(&error).await;
            }
        }
    }
    drop(listener);
    drop(draining);
    let _ = drain.send(true);
    Ok(wait(connections, &settings).await)
}

/// Waits for the open connections, and cuts those that take too long.
async fn wait(mut connections: JoinSet<()>, settings: &Settings) -> Drained {
    let until = settings.clock.now() + settings.drain_timeout;
    let mut finished = 0;
    let all = async {
        while connections.join_next().await.is_some() {
            finished += 1;
        }
    };
    let _ = settings.clock.timeout(until, all).await;
    let cut = connections.len();
    connections.shutdown().await;
    Drained { finished, cut }
}

/// Says that there are too many connections, and takes the request so that the answer is not lost in a reset.
async fn refuse(mut stream: TcpStream) {
    let said = tokio::time::timeout(Duration::from_secs(1), async {
        stream.write_all(TOO_MANY).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    });
    // A client that does not even take this is left alone.
    drop(said.await);
}

struct Counts {
    open: Gauge,
    accepted: Counter,
    refused: Counter,
    errors: Counter,
}

impl Counts {
    fn new(meter: &Meter) -> Self {
        let total = |outcome: &str| {
            let help = "Connections by what became of them when they arrived.";
            meter.counter("gateway_connections_total", help, &[("outcome", outcome)])
        };
        Self {
            open: meter.gauge("gateway_connections", "Open connections of clients.", &[]),
            accepted: total("accepted"),
            refused: total("refused"),
            errors: meter.counter(
                "gateway_accept_errors_total",
                "Connections that could not be accepted.",
                &[],
            ),
        }
    }
}

/// A row of failed accepts: out of descriptors, mostly. It ends by itself; the loop must not.
#[derive(Default)]
struct Trouble {
    failures: u32,
}

impl Trouble {
    fn over(&mut self) {
        self.failures = 0;
    }

    /// Tells the log once in a row and waits, so that the loop does not spin.
    async fn pause(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
            return;
        }
        if self.failures == 0 {
            tracing::error!(target: "gateway", %error, "cannot accept connections for now");
        }
        self.failures = self.failures.saturating_add(1);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How many clients at once are told that there are too many.
const MAX_REFUSALS: usize = 128;

const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
content-type: application/problem+json\r\ncontent-length: 146\r\n\r\n\
{\"type\":\"urn:gateway:refusal:too_many_connections\",\"title\":\"Service Unavailable\",\"status\":503,\
\"code\":\"too_many_connections\",\"detail\":\"try later\"}\n";
