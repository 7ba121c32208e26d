//! Who is calling, and may they: a bearer token, an API key, and a scope.
//!
//! Prints:
//! ```text
//! no token: 401 token_missing; Bearer realm="shop"
//! a changed token: 401 token_invalid; Bearer realm="shop", error="invalid_token", error_description="the token is not valid here"
//! a token that may read: 200, x-user is ada
//! a key that may not: 403 insufficient_scope; ApiKey realm="shop", error="insufficient_scope", scope="orders:read"
//! a key that may: 200, x-user is nobody
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::convert::Infallible;

use gateway_examples::{Answer, whole};
use gateway_layers::{
    api_key::{ApiKey, ApiKeyLayer, KeyDigest},
    authorize::AuthorizeLayer,
    core::Body,
    jwt::{Algorithm, JwtLayer, VerifyingKey},
};
use http::{HeaderName, Request, Response};
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// What the issuer gave to Ada: HS256 with the secret below, good until the year 9999.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwiYXVkIjoib3JkZXJzIiwic3ViIjoiYWRhIiwiZXhwIjoyNTM0MDIzMDA3OTksInNjb3BlIjoib3JkZXJzOnJlYWQiLCJyb2xlcyI6WyJjbGVyayJdfQ.0GwhSMvwL9V1XSgtnJ8KYAan8u0xyumA9M_LlZyR4s4";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let secret = VerifyingKey::secret(Algorithm::Hs256, b"an example secret of 32 bytes...")?;
    let may_read = AuthorizeLayer::default().scopes(["orders:read"]).realm("shop");
    let by_token = ServiceBuilder::new()
        .layer(
            JwtLayer::new("https://login.example.com", ["orders"], [secret])
                .header(HeaderName::from_static("x-user"), "sub")
                .realm("shop"),
        )
        .layer(may_read.clone())
        .service(service_fn(orders));

    // The caller's own `x-user` never counts.
    let ask = |token: Option<String>| {
        let mut request = Request::get("/").header("x-user", "root");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.body(Body::empty())
    };
    for (name, token) in [
        ("no token", None),
        ("a changed token", Some(TOKEN.replace('.', ".e"))),
        ("a token that may read", Some(TOKEN.to_owned())),
    ] {
        tell(name, &whole(by_token.clone().oneshot(ask(token)?).await?).await?)?;
    }

    let key = |owner: &str, key: &str| ApiKey::new(owner, KeyDigest::of(key.as_bytes()));
    let by_key = ServiceBuilder::new()
        .layer(ApiKeyLayer::new([key("stats", "key-1"), key("billing", "key-2").scopes(["orders:read"])]))
        .layer(may_read)
        .service(service_fn(orders));
    for (name, key) in [("a key that may not", "key-1"), ("a key that may", "key-2")] {
        let request = Request::get("/").header("x-api-key", key).body(Body::empty())?;
        tell(name, &whole(by_key.clone().oneshot(request).await?).await?)?;
    }
    Ok(())
}

async fn orders(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let user = request.headers().get("x-user").and_then(|user| user.to_str().ok()).unwrap_or("nobody");
    Ok(Response::new(Body::from(format!("x-user is {user}"))))
}

fn tell(name: &str, answer: &Answer) -> Result<(), serde_json::Error> {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        println!("{name}: {status}, {}", answer.text);
    } else {
        let problem: serde_json::Value = serde_json::from_str(&answer.text)?;
        let code = problem["code"].as_str().unwrap_or_default();
        println!("{name}: {status} {code}; {}", answer.header("www-authenticate"));
    }
    Ok(())
}
