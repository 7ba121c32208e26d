//! The small services behind the demo.

use std::{collections::BTreeMap, convert::Infallible, io, net::SocketAddr, pin::Pin, time::Duration};

use bytes::Bytes;
use gateway_layers::core::{Body, BoxError, server::serve};
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::channel::Channel;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::service_fn;

type Starting = Pin<Box<dyn Future<Output = io::Result<SocketAddr>> + Send>>;

/// The variable that holds a service's address, and how to start it.
pub(super) const ALL: &[(&str, fn() -> Starting)] = &[
    ("HOME_SERVICE", || Box::pin(start(home))),
    ("USERS_SERVICE", || Box::pin(start(users))),
    ("ORDERS_SERVICE", || Box::pin(start(orders))),
    ("SLOW_SERVICE", || Box::pin(start(slow))),
    ("EVENTS_SERVICE", || Box::pin(start(events))),
    ("ECHO_SERVICE", || Box::pin(start(echo))),
];

/// Serves `answer` on a free port of this machine, for as long as the process lives.
async fn start<F>(answer: fn(Request<Body>) -> F) -> io::Result<SocketAddr>
where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(request.map(Body::new));
        async move { Ok::<_, Infallible>(answer.await) }
    });
    tokio::spawn(async move { serve(listener, service).await });
    Ok(address)
}

async fn home(_: Request<Body>) -> Response<Body> {
    let text = "This answer came from a small service through the gateway. The lines the gateway printed when it \
                started show what else it does.\n";
    Response::new(Body::from(text))
}

async fn users(request: Request<Body>) -> Response<Body> {
    let id = request.uri().path().rsplit('/').next().unwrap_or_default();
    let mut response = answer(&json!({ "id": id, "name": format!("User {id}") }));
    response.headers_mut().insert("x-internal-node", http::HeaderValue::from_static("rack-7"));
    response
}

async fn orders(_: Request<Body>) -> Response<Body> {
    answer(&json!({ "orders": [{ "id": 1, "item": "tea" }, { "id": 2, "item": "scones" }] }))
}

/// Answers after `?ms=` milliseconds, 200 of them if nothing is said.
async fn slow(request: Request<Body>) -> Response<Body> {
    let asked = request.uri().query().and_then(|query| query.strip_prefix("ms="));
    let millis = asked.and_then(|millis| millis.parse().ok()).unwrap_or(200).min(60_000);
    tokio::time::sleep(Duration::from_millis(millis)).await;
    answer(&json!({ "waited_ms": millis }))
}

/// Five server-sent events, half a second apart.
async fn events(_: Request<Body>) -> Response<Body> {
    let (mut events, body) = Channel::<Bytes, BoxError>::new(1);
    tokio::spawn(async move {
        for number in 1..=5 {
            let event = format!("data: event {number} of 5\n\n");
            if events.send_data(event.into()).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/event-stream"));
    response
}

/// What arrived here, as JSON; the body is counted, not kept.
async fn echo(request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut body_bytes = 0;
    let mut body = std::pin::pin!(body);
    while let Some(frame) = std::future::poll_fn(|cx| http_body::Body::poll_frame(body.as_mut(), cx)).await {
        match frame {
            Ok(frame) => body_bytes += frame.data_ref().map_or(0, Bytes::len),
            Err(_) => break,
        }
    }
    let mut headers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in &head.headers {
        headers
            .entry(name.as_str())
            .or_default()
            .push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    answer(&json!({
        "method": head.method.as_str(),
        "target": head.uri.to_string(),
        "headers": headers,
        "body_bytes": body_bytes,
    }))
}

fn answer(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{value}\n")));
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
