//! Services that show one thing each.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use gateway_layers::core::{Body, BoxError};
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::channel::Channel;
use serde_json::json;

use super::answer;

pub(super) async fn home(_: Request<Body>) -> Response<Body> {
    let text = "This answer came from a small service through the gateway. The lines the gateway printed when it \
                started show what else it does.\n";
    Response::new(Body::from(text))
}

/// Answers after `?ms=` milliseconds, 200 of them if nothing is said.
pub(super) async fn slow(request: Request<Body>) -> Response<Body> {
    let asked = request.uri().query().and_then(|query| query.strip_prefix("ms="));
    let millis = asked.and_then(|millis| millis.parse().ok()).unwrap_or(200).min(60_000);
    tokio::time::sleep(Duration::from_millis(millis)).await;
    answer(&json!({ "waited_ms": millis }))
}

/// Five server-sent events, half a second apart.
pub(super) async fn events(_: Request<Body>) -> Response<Body> {
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
pub(super) async fn echo(request: Request<Body>) -> Response<Body> {
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
