//! Two limits at once: two requests an hour for a caller, three a day for all of them. What one refuses takes
//! nothing from the other, and every answer tells the tighter one.
//!
//! Prints:
//! ```text
//! ann 200 OK, "burst";r=1;t=1800
//! ann 200 OK, "burst";r=0;t=1800
//! ann 429 Too Many Requests, "burst";r=0;t=1800
//! bob 200 OK, "daily";r=0;t=115200
//! bob 429 Too Many Requests, "daily";r=0;t=115200
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::{convert::Infallible, time::Duration};

use gateway_layers::{
    core::{Body, Key},
    rate_limit::{Algorithm, Fields, Limit, Quota, RateLimitLayer},
};
use http::{HeaderName, Request, Response};
use tower::{Layer, ServiceExt, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let caller = Key::header(HeaderName::from_static("x-api-key"));
    let layer = RateLimitLayer::limits([
        Limit::new("burst", Quota::per_hour(2)).by(caller),
        Limit::new("daily", Quota::per(3, Duration::from_secs(86_400)))
            .algorithm(Algorithm::SlidingWindow)
            .by(Key::everyone()),
    ]);
    let hello = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::from("hello"))));
    let service = layer.fields(Fields::Draft10).layer(hello);

    for caller in ["ann", "ann", "ann", "bob", "bob"] {
        let request = Request::get("/").header("x-api-key", caller).body(Body::empty())?;
        let answer = service.clone().oneshot(request).await?;
        let limit = answer.headers()["ratelimit"].to_str()?;
        println!("{caller} {}, {limit}", answer.status());
    }
    Ok(())
}
