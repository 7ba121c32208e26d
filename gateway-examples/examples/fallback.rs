//! What is answered instead of a failure: a fixed document, or what another upstream says.
//!
//! Prints:
//! ```text
//! GET  /items -> 200 OK {"items":[]} (x-fallback: upstream_connect, cache-control: no-store)
//! GET  /other -> 200 OK from the other one (x-fallback: upstream_connect, cache-control: no-store)
//! POST /other -> 200 OK from the other one (x-fallback: upstream_connect, cache-control: no-store)
//! GET  /there -> 404 Not Found, as it is
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::convert::Infallible;

use gateway_examples::{Answer, whole};
use gateway_layers::{
    core::{Body, BoxError, UpstreamError, error::ErrorKind},
    fallback::{FallbackLayer, Instead},
};
use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let items = FallbackLayer::answer(Instead::json(r#"{"items":[]}"#)).layer(service_fn(down));
    let answer = whole(items.clone().oneshot(Request::get("/items").body(Body::empty())?).await?).await?;
    print("GET  /items", &answer);

    let other = service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Response::new(Body::from("from the other one")))
    });
    let service = FallbackLayer::service(other).layer(service_fn(down));
    for method in ["GET", "POST"] {
        // Not a byte was sent yet, so a POST can go to the other one, too.
        let request = Request::builder().method(method).uri("/other").body(Body::from("pay"))?;
        let answer = whole(service.clone().oneshot(request).await?).await?;
        print(&format!("{method:4} /other"), &answer);
    }

    let there = items.oneshot(Request::get("/there").body(Body::empty())?).await?;
    println!("GET  /there -> {}, as it is", there.status());
    Ok(())
}

/// Nobody listens, but for one path.
async fn down(request: Request<Body>) -> Result<Response<Body>, BoxError> {
    if request.uri().path() != "/there" {
        return Err(UpstreamError::new(ErrorKind::Connect).into());
    }
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NOT_FOUND;
    Ok(answer)
}

fn print(asked: &str, answer: &Answer) {
    let (why, kept) = (answer.header("x-fallback"), answer.header("cache-control"));
    println!("{asked} -> {} {} (x-fallback: {why}, cache-control: {kept})", answer.status, answer.text);
}
