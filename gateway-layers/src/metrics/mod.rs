//! Requests counted and timed, as Prometheus text.
//!
//! ```
//! use gateway_core::{Body, meter::Meter};
//! use gateway_layers::metrics::{MetricsEndpoint, MetricsLayer};
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let meter = Meter::default();
//! let hello = service_fn(|_: Request<Body>| async { Ok::<_, std::convert::Infallible>(Response::new(Body::from("hello"))) });
//! let answer = MetricsLayer::new(&meter).layer(hello).oneshot(Request::new(Body::empty())).await?;
//! Body::collect_limited(answer.into_body(), 100).await?; // the request ends with the last byte of its answer
//!
//! let text = MetricsEndpoint::new(&meter).oneshot(Request::new(Body::empty())).await?;
//! let text = Body::collect_limited(text.into_body(), 1 << 20).await?;
//! assert!(String::from_utf8_lossy(&text).contains("http_server_request_duration_seconds_count{http_request_method=\"GET\""));
//! # Ok(())
//! # }
//! ```
//!
//! | metric | labels | what |
//! | --- | --- | --- |
//! | `http_server_request_duration_seconds` | `http_request_method`, `http_route`, `http_response_status_code`, `error_type` | a histogram: from arrival to the end of the answer's body |
//! | `http_server_active_requests` | | requests whose answer has not ended |
//! | `http_server_response_body_bytes_total` | | bytes of answers |
//! | `http_server_aborted_requests_total` | | answers that nobody took to their end |
//!
//! Names and labels follow OpenTelemetry's semantic conventions in Prometheus' spelling. `http_route` is the pattern of
//! the rule or `none`, never a path; unknown methods are `_OTHER`; `error_type` is the code of the refusal, if any. A
//! request without any answer has the status `0`.
//! **Order**: phase [`Arrive`](gateway_core::phase::Arrive); errors that rescue turns into answers *outside* of this
//! layer are counted with status `0`. **Reads** the facts arrived and route. **Buffers** nothing. **Bounds**: as many
//! series as a [`Meter`](gateway_core::meter::Meter) allows. **Costs** no allocation, except for the first request of
//! each series.

#[cfg(feature = "config")]
pub(crate) mod config;
mod endpoint;
mod layer;
mod series;

pub use endpoint::MetricsEndpoint;
pub use layer::{Metrics, MetricsLayer, RequestWatch};
