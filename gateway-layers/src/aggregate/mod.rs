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

mod answer;
mod branch;
mod checked;
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
mod service;
mod shape;
mod template;
#[cfg(test)]
mod tests;

pub use branch::Branch;
pub use layer::AggregateLayer;
pub use plan::{Plan, PlanError};
pub use service::{Aggregate, AggregateFuture};
