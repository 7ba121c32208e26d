//! The profile page of a shop: the user and the orders are asked for side by side, the price of the last order once it
//! is known. Then the shop loses its orders, and after that its users.
//!
//! Prints:
//! ```text
//! 200 OK, complete, max-age=30: {"name":"Ada","orders":[{"sku":"tea"}],"price":{"amount":7}}
//! 200 OK, partial, no-store: {"_errors":[{"branch":"orders","code":"branch_timeout","fallback":true},{"branch":"price","code":"branch_value"}],"name":"Ada","orders":[],"price":null}
//! 404 Not Found: the part `user` was answered with 404
//! ```
#![expect(clippy::print_stdout, reason = "a program to look at")]

use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use gateway_examples::whole;
use gateway_layers::{
    aggregate::{AggregateLayer, Branch, Plan},
    core::Body,
};
use http::{Request, Response};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let orders = Branch::new("orders", "/orders?user={id}").group("orders").pick("items");
    let price = Branch::new("price", "/prices/{orders.items.0.sku}").group("price").allow(["amount"]);
    let plan = Plan::at("/profile/{id}")
        .branch(Branch::new("user", "/users/{id}").deny(["password"]))
        .branch(orders.timeout(Duration::from_millis(200)).fallback(json!([])))
        .branch(price.optional());
    let page = AggregateLayer::new(plan)?.layer(service_fn(shop));

    for _ in 0..3 {
        let request = Request::get("/profile/7").body(Body::empty())?;
        let answer = whole(page.clone().oneshot(request).await?).await?;
        let value: Value = serde_json::from_str(&answer.text)?;
        match value["detail"].as_str() {
            Some(detail) => println!("{}: {detail}", answer.status),
            None => {
                let (all, fresh) = (answer.header("x-aggregate"), answer.header("cache-control"));
                println!("{}, {all}, {fresh}: {value}", answer.status);
            }
        }
    }
    Ok(())
}

/// Everything that the shop knows, for as long as it knows it.
async fn shop(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let target = request.uri().to_string();
    let visit = if target == "/users/7" {
        VISITS.fetch_add(1, Ordering::SeqCst) + 1
    } else {
        VISITS.load(Ordering::SeqCst)
    };
    let (max_age, answer) = match &*target {
        "/users/7" if visit < 3 => (30, json!({"name": "Ada", "password": "secret"})),
        "/orders?user=7" if visit < 2 => (60, json!({"items": [{"sku": "tea"}]})),
        "/orders?user=7" => return std::future::pending().await,
        "/prices/tea" => (300, json!({"amount": 7, "margin": 3})),
        _ => {
            let mut nothing = Response::new(Body::empty());
            *nothing.status_mut() = http::StatusCode::NOT_FOUND;
            return Ok(nothing);
        }
    };
    let mut response = Response::new(Body::from(answer.to_string()));
    let value = http::HeaderValue::try_from(format!("max-age={max_age}"));
    response.headers_mut().extend(value.ok().map(|value| (http::header::CACHE_CONTROL, value)));
    Ok(response)
}

static VISITS: AtomicUsize = AtomicUsize::new(0);
