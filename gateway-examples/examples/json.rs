//! An upstream's JSON made fit for clients: two layers around one handler, while it streams.
//!
//! Prints:
//! ```text
//! {"order": 7, "items": [{"article": "a-1"}, { "article": "b-2"}], "card": {"number": "***1234"}, "user": {"password": "***"}}
//! etag: none, content-length: none
//! 502 Bad Gateway: encoded_body
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::convert::Infallible;

use gateway_examples::whole;
use gateway_layers::{
    core::Body,
    json_body::{self, JsonBodyLayer},
    mask::{self, MaskLayer},
};
use http::{Request, Response};
use tower::{ServiceBuilder, ServiceExt, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let edits =
        json_body::Rules::new().drop("items.cost").rename("items.sku", "article").rename("id", "order");
    let secrets = mask::Rules::new().replace("**.password", "***").keep_last("card.number", "***", 4);
    let service = ServiceBuilder::new()
        .layer(JsonBodyLayer::new(edits)?)
        .layer(MaskLayer::new(secrets)?)
        .service(service_fn(order));

    let request = Request::get("/").body(Body::empty())?;
    let answer = whole(service.clone().oneshot(request).await?.map(Body::new)).await?;
    println!("{}", answer.text);
    let told = |name| answer.headers.get(name).map_or("none", |value| value.to_str().unwrap_or_default());
    println!("etag: {}, content-length: {}", told("etag"), told("content-length"));

    let request = Request::get("/compressed").body(Body::empty())?;
    let answer = whole(service.oneshot(request).await?.map(Body::new)).await?;
    let problem: serde_json::Value = serde_json::from_str(&answer.text)?;
    println!("{}: {}", answer.status, problem["code"].as_str().unwrap_or_default());
    Ok(())
}

async fn order(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let json = r#"{"id": 7, "items": [{"sku": "a-1", "cost": 3}, {"cost": 4, "sku": "b-2"}], "#.to_owned()
        + r#""card": {"number": "4111 1111 1111 1234"}, "user": {"password": ["hush"]}}"#;
    let mut answer = Response::new(Body::from(json));
    let headers = answer.headers_mut();
    headers.insert("content-type", http::HeaderValue::from_static("application/json"));
    headers.insert("etag", http::HeaderValue::from_static("\"7-1\""));
    if request.uri().path() == "/compressed" {
        headers.insert("content-encoding", http::HeaderValue::from_static("br"));
    }
    Ok(answer)
}
