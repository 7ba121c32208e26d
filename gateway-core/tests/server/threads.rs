//! One runtime for each thread.

use std::{collections::BTreeMap, num::NonZeroUsize};

use gateway_core::{meter::Meter, server::Listener};

use super::*;

type Served = Arc<Mutex<BTreeMap<String, usize>>>;

/// Answers, and remembers which thread did.
fn remembering(served: &Served) -> Handler {
    let served = Arc::clone(served);
    handler(move |_| {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        *served.lock().unwrap().entry(name).or_default() += 1;
        async { Response::new(Body::from("done")) }
    })
}

async fn start_threads(
    count: usize,
    handler: Handler,
    settings: impl FnOnce(Server<Handler>) -> Server<Handler>,
) -> Running {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let threads = NonZeroUsize::new(count).unwrap();
    let server = settings(serve(listener, handler).threads(threads)).shutdown(async { drop(stopped.await) });
    Running { address, stop, server: tokio::spawn(server.into_future()) }
}

#[tokio::test]
async fn connections_are_spread_and_every_one_is_served() {
    let served = Served::default();
    let meter = Meter::default();
    let server = start_threads(3, remembering(&served), |server| server.meter(&meter)).await;
    let mut clients = Vec::new();
    for _ in 0..200 {
        let mut client = server.connect().await;
        client.get("/").await;
        client.read_until("done").await;
        clients.push(client);
    }
    {
        let served = served.lock().unwrap();
        let threads: Vec<_> = served.keys().map(String::as_str).collect();
        assert_eq!(threads, ["gateway-0", "gateway-1", "gateway-2"]);
        assert_eq!(served.values().sum::<usize>(), 200);
    }
    assert_eq!(meter.gauge("gateway_connections", "", &[]).value(), 200);
    assert_eq!(server.stop().await, Drained { finished: 200, cut: 0 });
    assert_eq!(meter.gauge("gateway_connections", "", &[]).value(), 0);
}

#[tokio::test]
async fn a_listener_that_was_handed_in_is_shared() {
    let served = Served::default();
    let server =
        Running::start(remembering(&served), |server| server.threads(NonZeroUsize::new(2).unwrap())).await;
    for _ in 0..50 {
        let mut client = server.connect().await;
        client.get("/").await;
        client.read_until("done").await;
    }
    assert_eq!(served.lock().unwrap().values().sum::<usize>(), 50);
    assert!(served.lock().unwrap().keys().all(|name| name.starts_with("gateway-")));
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn caps_and_drain_hold_for_all_threads_together() {
    let (silent, waiting) = silent();
    let server =
        start_threads(4, silent, |server| server.max_connections(8).drain_timeout(Duration::from_millis(50)))
            .await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = server.connect().await;
        client.get("/").await;
        clients.push(client);
    }
    until(|| waiting.value() == 8).await;
    let mut refused = server.connect().await;
    assert!(refused.rest().await.starts_with("HTTP/1.1 503"));
    assert_eq!(server.stop().await, Drained { finished: 0, cut: 8 });
    until(|| waiting.value() == 0).await;
}

/// Its clones panic in a thread of the server; the accept loop clones.
struct Fragile(Handler);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        let thread = std::thread::current();
        assert!(thread.name() != Some("gateway-0"), "this thread is to fail");
        Self(self.0.clone())
    }
}

impl tower::Service<Request<Incoming>> for Fragile {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <Handler as tower::Service<Request<Incoming>>>::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        self.0.call(request)
    }
}

#[tokio::test]
async fn a_thread_that_panics_leaves_its_share_to_the_others() {
    let served = Served::default();
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(listener, Fragile(remembering(&served))).threads(NonZeroUsize::new(2).unwrap());
    let server = tokio::spawn(server.shutdown(async { drop(stopped.await) }).into_future());
    for _ in 0..20 {
        soon(async {
            loop {
                // One that was in the queue of the failed thread is reset.
                let Ok(stream) = TcpStream::connect(address).await else { continue };
                let mut client = Client(stream);
                let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
                if client.0.write_all(request).await.is_ok() && client.rest().await.ends_with("done") {
                    break;
                }
            }
        })
        .await;
    }
    assert_eq!(served.lock().unwrap().keys().collect::<Vec<_>>(), ["gateway-1"]);
    drop(stop);
    assert_eq!(soon(server).await.unwrap().unwrap().cut, 0);
}

#[tokio::test]
async fn a_server_that_is_dropped_stops() {
    let server = start_threads(2, echo(), |server| server).await;
    let mut client = server.connect().await;
    client.get("/a").await;
    client.read_until("this is /a").await;
    server.server.abort();
    assert_eq!(client.rest().await, "");
    let address = server.address;
    soon(async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
