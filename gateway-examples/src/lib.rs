//! What the example programs share: a few lines of client.
//!
//! The pages of `docs/` are compiled as doc tests here.

pub mod eight;

use std::error::Error;

use gateway_layers::core::{Body, forwarding::Pseudonym, upstream::Upstream};
use http::{HeaderMap, Request, Response, StatusCode};
use tower::ServiceExt;

/// An answer with its whole body.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text, without a final line break.
    pub text: String,
}

impl Answer {
    /// The first value of a header, or nothing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Asks a server, such as `http://127.0.0.1:8080`, for a path.
///
/// # Errors
/// When the server cannot be reached or its answer breaks off.
pub async fn get(server: &str, path: &str) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    send(server, Request::get(path).body(Body::empty())?).await
}

/// Sends a request to a server.
///
/// # Errors
/// As [`get`].
pub async fn send(server: &str, request: Request<Body>) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    // The gateway under the same process' own name would take its own client for a loop.
    let client = Pseudonym::new("example-client").ok_or("a name")?;
    let response = Upstream::new([server]).pseudonym(client).build()?.oneshot(request).await?;
    whole(response).await
}

/// Reads an answer to its end.
///
/// # Errors
/// When its body breaks off.
pub async fn whole(response: Response<Body>) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let (head, body) = response.into_parts();
    let bytes = Body::collect_limited(body, 1 << 20).await?;
    let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
    Ok(Answer { status: head.status, headers: head.headers, text })
}

#[cfg(doctest)]
mod pages {
    macro_rules! pages {
        ($($name:ident $path:literal;)+) => { $(#[doc = include_str!($path)] struct $name;)+ };
    }

    pages! {
        Readme "../../README.md";
        AddAConcern "../../docs/add-a-concern.md";
        LifeOfARequest "../../docs/life-of-a-request.md";
        Upstreams "../../docs/upstreams.md";
        Arrive "../../docs/concerns/arrive.md";
        Routing "../../docs/concerns/routing.md";
        Bulkhead "../../docs/concerns/bulkhead.md";
        CircuitBreaker "../../docs/concerns/circuit_breaker.md";
        Jwt "../../docs/concerns/jwt.md";
        ApiKey "../../docs/concerns/api_key.md";
        Authorize "../../docs/concerns/authorize.md";
        RateLimit "../../docs/concerns/rate_limit.md";
        Headers "../../docs/concerns/headers.md";
        JsonBody "../../docs/concerns/json_body.md";
        Mask "../../docs/concerns/mask.md";
        Cache "../../docs/concerns/cache.md";
        Aggregate "../../docs/concerns/aggregate.md";
        Timeout "../../docs/concerns/timeout.md";
        Fallback "../../docs/concerns/fallback.md";
        Retry "../../docs/concerns/retry.md";
    }
}
