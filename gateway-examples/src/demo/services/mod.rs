//! The small services behind the demo: a shop, who may enter it, and a few that misbehave on purpose.

mod identity;
mod oddities;
mod shop;

use std::{convert::Infallible, io, net::SocketAddr, pin::Pin, sync::Arc};

use gateway_layers::core::{Body, server::serve};
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::net::TcpListener;
use tower::service_fn;

pub(super) use identity::Identity;

type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
type Answer = dyn Fn(Request<Body>) -> Answering + Send + Sync;

/// The variable that holds a service's address, and what the service answers.
pub(super) fn all(identity: &Identity) -> Vec<(&'static str, Arc<Answer>)> {
    let keys = identity.key_set();
    vec![
        ("HOME_SERVICE", each(oddities::home)),
        ("IDENTITY_SERVICE", each(move |_| std::future::ready(answer(&keys)))),
        ("USERS_SERVICE", each(shop::users)),
        ("PRODUCTS_SERVICE", counted(shop::products)),
        ("ORDERS_SERVICE", each(shop::orders)),
        ("PRICES_SERVICE", counted(shop::prices)),
        ("ADVICE_SERVICE", counted(shop::advice)),
        ("SLOW_SERVICE", each(oddities::slow)),
        ("EVENTS_SERVICE", each(oddities::events)),
        ("ECHO_SERVICE", each(oddities::echo)),
    ]
}

/// Serves `answer` on a free port of this machine, for as long as the process lives.
pub(super) async fn start(answer: Arc<Answer>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(request.map(Body::new));
        async move { Ok::<_, Infallible>(answer.await) }
    });
    tokio::spawn(async move { serve(listener, service).await });
    Ok(address)
}

fn each<F>(answer: impl Fn(Request<Body>) -> F + Send + Sync + 'static) -> Arc<Answer>
where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    Arc::new(move |request| Box::pin(answer(request)))
}

/// A service that knows how often it was asked.
fn counted(answer: fn(u64) -> Response<Body>) -> Arc<Answer> {
    let asked = std::sync::atomic::AtomicU64::new(0);
    each(move |_| {
        let times = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        std::future::ready(answer(times))
    })
}

fn answer(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{value}\n")));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
