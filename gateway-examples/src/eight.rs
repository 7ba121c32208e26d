//! What the three programs share that put eight concerns together (`eight_by_hand`, `eight_by_builder`,
//! `eight_from_file`): the services behind the gateway, and the questions to it. Their answers are the same.

use std::{
    convert::Infallible,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gateway_layers::core::{Body, Clock, server::serve};
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::service_fn;

use crate::send;

/// Who signs tokens, for whom, and with which secret. A secret of your own belongs into the environment.
pub const ISSUER: &str = "https://login.example.com";
/// See [`ISSUER`].
pub const AUDIENCE: &str = "shop";
/// See [`ISSUER`].
pub const SECRET: &[u8] = b"a secret for an example, 32 bytes or more";

/// Services behind the gateway, by their URLs.
#[derive(Clone, Debug)]
pub struct Services {
    /// `/orders`, of which every other request fails.
    pub orders: String,
    /// `/catalogue`, which may be kept for a minute.
    pub catalogue: String,
    /// Fails every time.
    pub broken: String,
}

/// Starts the services.
///
/// # Errors
/// When no port is free.
pub async fn start() -> std::io::Result<Services> {
    Ok(Services {
        orders: service(|times| match times % 2 {
            1 => unavailable(),
            _ => json_answer(&json!({"orders": [1, 2], "card": {"number": "4929000000001234"}})),
        })
        .await?,
        catalogue: service(|times| {
            let mut answer = json_answer(&json!({"products": ["tea", "scones"], "asked": times}));
            answer.headers_mut().insert("cache-control", http::HeaderValue::from_static("max-age=60"));
            answer
        })
        .await?,
        broken: service(|_| unavailable()).await?,
    })
}

/// Asks a gateway for everything that the eight concerns do, and says what it answered.
///
/// # Errors
/// When it cannot be reached.
pub async fn ask(gateway: &str) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
    let token = token()?;
    let mut lines = Vec::new();
    for (path, with_token) in [
        ("/nothing", false),
        ("/orders", false),
        ("/orders", true),
        ("/orders", true),
        ("/orders", true),
        ("/catalogue", false),
        ("/catalogue", false),
        ("/page", true),
        ("/broken", false),
        ("/broken", false),
        ("/broken", false),
    ] {
        let mut request = Request::get(path).header("host", "shop.example.com");
        if with_token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = send(gateway, request.body(Body::empty())?).await?;
        // Of a refusal the code says it all; its request id is another one every time.
        let text = match serde_json::from_str::<Value>(&answer.text) {
            Ok(problem) if problem["code"].is_string() => {
                problem["code"].as_str().unwrap_or_default().to_owned()
            }
            _ => answer.text.clone(),
        };
        lines.push(format!("{path}: {} {text}", answer.status.as_u16()).trim_end().to_owned());
    }
    Ok(lines)
}

/// A token for Ada, good for a minute.
fn token() -> Result<String, Box<dyn Error + Send + Sync>> {
    let expires = Clock::default().wall().duration_since(UNIX_EPOCH)? + Duration::from_secs(60);
    let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": expires.as_secs()});
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(json!({"alg": "HS256"})), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), signed.as_bytes());
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Serves answers that depend on how often the service was asked; returns its URL.
async fn service(answer: fn(u64) -> Response<Body>) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let asked = Arc::new(AtomicU64::new(0));
    let service = service_fn(move |_: Request<hyper::body::Incoming>| {
        let times = asked.fetch_add(1, Ordering::Relaxed) + 1;
        std::future::ready(Ok::<_, Infallible>(answer(times)))
    });
    tokio::spawn(async move { serve(listener, service).await });
    Ok(url)
}

fn json_answer(value: &Value) -> Response<Body> {
    let mut answer = Response::new(Body::from(value.to_string()));
    answer.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    answer
}

fn unavailable() -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    answer
}
