//! One request becomes several, and their JSON answers become one.
//!
//! ```
//! use std::convert::Infallible;
//! use gateway_core::Body;
//! use gateway_layers::aggregate::{AggregateLayer, Branch, Plan};
//! use http::{Request, Response};
//! use serde_json::json;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let shop = service_fn(|request: Request<Body>| async move {
//!     let answer = match request.uri().to_string().as_str() {
//!         "/users/7" => json!({"name": "Ada", "city": "Ulm"}),
//!         "/weather?city=Ulm" => json!({"sky": "blue"}),
//!         _ => return Ok(Response::builder().status(500).body(Body::empty()).expect("an answer")),
//!     };
//!     Ok::<_, Infallible>(Response::new(Body::from(answer.to_string())))
//! });
//! let plan = Plan::at("/profile/{id}")
//!     .branch(Branch::new("user", "/users/{id}"))
//!     .branch(Branch::new("weather", "/weather?city={user.city}").group("weather").optional())
//!     .branch(Branch::new("orders", "/orders?user={id}").group("orders").fallback(json!([])));
//! let service = AggregateLayer::new(plan)?.layer(shop);
//!
//! let request = Request::get("/profile/7").body(Body::empty())?;
//! let answer = service.oneshot(request).await?;
//! assert_eq!(answer.headers()["x-aggregate"], "partial");
//! let profile: serde_json::Value = serde_json::from_slice(&Body::collect_limited(answer, 1 << 20).await?)?;
//! assert_eq!(profile, json!({
//!     "name": "Ada", "city": "Ulm", "weather": {"sky": "blue"}, "orders": [],
//!     "_errors": [{"branch": "orders", "code": "branch_status", "status": 500, "fallback": true}],
//! }));
//! # Ok(())
//! # }
//! ```
//!
//! A [`Plan`] is made of [branches](Branch). All of them are asked at once, but for those whose target names a value of
//! another's answer; they wait for it. A branch asks the service that the layer wraps, or one of its own.
//!
//! | the branch | required | optional | with a fallback |
//! | --- | --- | --- | --- |
//! | answers 2xx with JSON | its part | its part | its part |
//! | answers 403, 404, 410, 429, 503, 504; 401 with a challenge | that status | no part, noted | the fallback, noted |
//! | answers any other status, redirects included | 502 | no part, noted | the fallback, noted |
//! | is not there in time | 504 | no part, noted | the fallback, noted |
//! | cannot be reached, breaks off | 502 | no part, noted | the fallback, noted |
//! | has no endpoint that is available; finds no memory | 503 | no part, noted | the fallback, noted |
//! | is no JSON, too large, or not what its shape wants | 502 | no part, noted | the fallback, noted |
//! | lacks a value for its target | 400 if it is the client's, else 502 | no part, noted | the fallback, noted |
//!
//! The first required branch that fails decides for the whole, and the others are dropped at that moment. Otherwise the
//! whole is 200, with `x-aggregate: complete`, or `partial` and a list of what failed in the member `_errors`.
//!
//! **Shape**: of each answer a part is picked, then fields are allowed, denied and renamed; it goes under the name of its
//! group or, if it is an object, to the top. Where two parts want one name groups come first, then whoever was declared
//! first.
//!
//! **Answers** `GET` and `HEAD` without a body for the plan's path; 405 `method_not_allowed` and 400 `unexpected_body` to
//! others, 502 `aggregate_too_large` and 503 `aggregate_no_memory` where the parts are too large together. Requests for
//! other paths pass. `Cache-Control` is the most restrictive of all parts (RFC 9111, 5.2.2), and `no-store` where one
//! gives no `max-age` or the whole is partial; it is private where a branch carries a credential or asks for its caller
//! by name. `Vary` names what branches carry of the client's headers. All other headers of branches are dropped,
//! `Set-Cookie` included.
//!
//! **Order**: phase [`Gather`](gateway_core::phase::Gather): a cache in front keeps whole answers; fallback, retry and
//! breaker behind serve each branch that asks the wrapped service. **Reads** the facts principal and deadline; gives each
//! branch [facts of its own](gateway_core::Facts::branch).
//! **Buffers** every answer of a branch up to [1 MiB](Branch::MAX_BODY), what is parsed of it, and the whole up to
//! [4 MiB](Plan::MAX_ANSWER), all out of the [budget](gateway_core::budget) until the last byte is written.
//! **Bounds** [16 branches](Plan::MAX_BRANCHES), [30 s](Plan::TIMEOUT), targets of 8 KiB, 128 levels of JSON.
//! **Costs** no allocation where a request passes, but for a body that is no [`Body`](gateway_core::Body), which is boxed
//! once; a request that becomes several is boxed once, and each of its branches twice.
//! **Counts** `gateway_aggregate_branches_total{place, branch, outcome}` and
//! `gateway_aggregate_conflicts_total{place, branch}`.

mod answer;
mod branch;
mod checked;
mod composer;
#[cfg(feature = "config")]
pub(crate) mod config;
mod counts;
mod fetch;
mod field;
mod freshness;
mod gather;
mod given;
mod layer;
mod merge;
mod outcome;
mod path;
mod plan;
mod request;
mod service;
mod shape;
mod template;
#[cfg(test)]
mod tests;

pub use branch::Branch;
pub use composer::{Composed, Composer, Page};
pub use layer::AggregateLayer;
pub use plan::{Plan, PlanError};
pub use service::{Aggregate, AggregateFuture};
