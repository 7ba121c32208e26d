//! The shop: users, products, orders, prices and advice.

use gateway_layers::core::Body;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::json;

use super::answer;

/// A user, with more than a caller should see.
pub(super) async fn users(request: Request<Body>) -> Response<Body> {
    let id = request.uri().path().rsplit('/').next().unwrap_or_default();
    let mut response = answer(&json!({
        "id": id,
        "name": format!("User {id}"),
        "email": format!("user{id}@shop.example"),
        "card": { "holder": format!("USER {id}"), "number": "4929000000001234" },
        "password_hash": "$argon2id$v=19$never-leave-the-house",
    }));
    response.headers_mut().insert("x-internal-node", HeaderValue::from_static("rack-7"));
    response
}

/// What is sold; may be kept for half a minute, and says how often it was asked.
pub(super) fn products(times: u64) -> Response<Body> {
    let mut response = answer(&json!({
        "asked": times,
        "products": [
            { "id": 1, "name": "tea", "purchase": { "price": 2, "supplier": "Hills Ltd" } },
            { "id": 2, "name": "scones", "purchase": { "price": 1, "supplier": "Mill & Sons" } },
        ],
    }));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=30"));
    headers.insert(header::ETAG, HeaderValue::from_static("\"catalogue-7\""));
    response
}

/// The caller's orders: whose they are, the gateway says.
pub(super) async fn orders(request: Request<Body>) -> Response<Body> {
    let of = request.headers().get("x-user").and_then(|user| user.to_str().ok());
    answer(&json!({ "of": of, "orders": [{ "id": 1, "product": 1 }, { "id": 2, "product": 2 }] }))
}

/// Fails every other time.
pub(super) fn prices(times: u64) -> Response<Body> {
    match times % 2 {
        1 => unavailable(),
        _ => answer(&json!({ "prices": { "1": 4.5, "2": 3.2 }, "asked": times })),
    }
}

/// Has been broken for weeks.
pub(super) fn advice(_: u64) -> Response<Body> {
    unavailable()
}

fn unavailable() -> Response<Body> {
    let mut response = Response::new(Body::from("no\n"));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}
