//! A whole gateway, in memory: the builder's promises about routes, failures and panics.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gateway_core::{
    Body, BoxError, Refusal, UpstreamError,
    error::ErrorKind,
    explain::Explain,
    meter::Meter,
    phase,
    testing::{MemoryServer, ScriptedUpstream, Step},
    upstream::Upstream,
};
use gateway_layers::{
    access_log::{AccessLogLayer, Sink},
    config::{self, Context, Source},
    gateway::{BuildError, Gateway},
    headers::{HeadersLayer, Rules},
    metrics::MetricsLayer,
    rate_limit::{Quota, RateLimitLayer},
    request_id::RequestIdLayer,
    routing::Rule,
};
use http::{Method, Request, Response};
use tower::{Service, ServiceExt, service_fn};

type Answer = Result<Response<Body>, BoxError>;

async fn hello(_: Request<Body>) -> Answer {
    Ok(Response::new(Body::from("hello")))
}

fn request(method: &str, host: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).header("host", host).body(Body::empty()).unwrap()
}

async fn ask<S>(gateway: &S, method: &str, host: &str, path: &str) -> (u16, String)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    let answer = gateway.clone().oneshot(request(method, host, path)).await.unwrap();
    let status = answer.status().as_u16();
    let code = answer.extensions().get().map(Refusal::code);
    let text = Body::collect_limited(answer.into_body(), 1 << 16).await.unwrap();
    (status, code.map_or_else(|| String::from_utf8_lossy(&text).into_owned(), str::to_owned))
}

#[tokio::test]
async fn routes_refuses_and_survives_failures_and_panics() {
    let boom = |request: Request<Body>| async move {
        assert!(request.uri().path() != "/boom/call", "boom");
        Answer::Err(UpstreamError::new(ErrorKind::Connect).into())
    };
    let gateway = Gateway::builder()
        .layer(RequestIdLayer::default())
        .route(Rule::path("/hello").method(Method::GET), |route| route.service(service_fn(hello)))
        .route(Rule::prefix("/").host("*.example.com"), |route| {
            route.service(service_fn(|_: Request<Body>| async {
                Answer::Ok(Response::new(Body::from("tenant")))
            }))
        })
        .route(Rule::prefix("/boom"), |route| route.service(service_fn(boom)))
        .build()
        .unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&gateway, "GET", "a.test", "/hello").await, (200, "hello".into()));
        assert_eq!(ask(&gateway, "HEAD", "a.test", "/hello").await.0, 200);
        assert_eq!(ask(&gateway, "PUT", "a.test", "/hello").await, (405, "method_not_allowed".into()));
        assert_eq!(ask(&gateway, "GET", "a.test", "/nothing").await, (404, "no_route".into()));
        assert_eq!(ask(&gateway, "GET", "SHOP.example.com:8080", "/x").await, (200, "tenant".into()));
        assert_eq!(ask(&gateway, "GET", "a.test", "/boom").await, (502, "upstream_connect".into()));
        assert_eq!(ask(&gateway, "GET", "a.test", "/boom/call").await, (500, "internal_error".into()));
        assert_eq!(ask(&gateway, "GET", "a.test", "/a/../../b").await, (400, "bad_path".into()));
        assert_eq!(ask(&gateway, "CONNECT", "a.test", "/").await, (405, "connect".into()));
    }
}

#[tokio::test]
async fn log_and_metrics_see_refusals_at_the_edge_and_failures_behind() {
    let (meter, (sink, lines)) = (Meter::default(), Sink::memory());
    let failing = |_: Request<Body>| async { Answer::Err(UpstreamError::new(ErrorKind::Timeout).into()) };
    let panicking = |_: Request<Body>| async {
        tokio::task::yield_now().await;
        assert!(std::hint::black_box(false), "boom");
        hello(Request::new(Body::empty())).await
    };
    let gateway = Gateway::builder()
        .layer(AccessLogLayer::new(sink.clone()))
        .layer(MetricsLayer::new(&meter))
        .meter(&meter)
        .route(Rule::path("/fails").name("fails"), |route| route.service(service_fn(failing)))
        .route(Rule::path("/panics").name("panics"), |route| route.service(service_fn(panicking)))
        .build()
        .unwrap();
    for path in ["/fails", "/panics", "/%zz"] {
        ask(&gateway, "GET", "a.test", path).await;
    }
    assert!(sink.flush(Duration::from_secs(5)));
    let text = lines.text();
    for told in [
        "\"route\":\"fails\",\"status\":504,\"code\":\"upstream_timeout\"",
        "\"route\":\"panics\",\"status\":500,\"code\":\"internal_error\",\"cause\":\"panic: boom\"",
        "\"path\":\"/%zz\",\"protocol\":\"HTTP/1.1\",\"status\":400,\"code\":\"bad_path\"",
    ] {
        assert!(text.contains(told), "{told} in {text}");
    }
    let metrics = meter.render();
    assert!(metrics.contains("http_server_active_requests 0\n"), "{metrics}");
    assert!(metrics.contains("gateway_routing_total{outcome=\"refused\"} 1\n"), "{metrics}");
    assert!(
        metrics.contains("http_response_status_code=\"504\",error_type=\"upstream_timeout\"} 1\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_client_cannot_name_away_what_the_gateway_sets() {
    let upstream =
        ScriptedUpstream::start([vec![Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")]]).await;
    let upstream = upstream.unwrap();
    let tenant =
        Rules::new().set(http::HeaderName::from_static("x-tenant"), http::HeaderValue::from_static("blue"));
    let gateway = Gateway::builder()
        .layer(RequestIdLayer::default())
        .route(Rule::prefix("/"), |route| {
            route
                .layer(HeadersLayer::new(tenant, Rules::new()).unwrap())
                .upstream(Upstream::new([upstream.url()]))
        })
        .build()
        .unwrap();
    let mut request = request("GET", "a.test", "/");
    let named = "close, x-tenant, x-request-id, x-forwarded-host, via, x-private";
    request.headers_mut().insert("connection", named.parse().unwrap());
    request.headers_mut().insert("x-private", "1".parse().unwrap());
    assert_eq!(gateway.oneshot(request).await.unwrap().status(), 200);
    let head = upstream.heads().pop().unwrap();
    for kept in ["x-tenant: blue", "x-request-id: ", "x-forwarded-host: a.test", "via: "] {
        assert!(head.contains(kept), "{kept} in {head}");
    }
    assert!(!head.contains("x-private") && !head.contains("connection"), "{head}");
}

#[tokio::test]
async fn an_answer_to_head_is_complete_without_its_body() {
    let (meter, (sink, lines)) = (Meter::default(), Sink::memory());
    let gateway = Gateway::builder()
        .layer(AccessLogLayer::new(sink.clone()))
        .layer(MetricsLayer::new(&meter))
        .route(Rule::path("/"), |route| route.service(service_fn(hello)))
        .build()
        .unwrap();
    let server = MemoryServer::new(gateway);
    for path in ["/", "/nothing"] {
        server.send(request("HEAD", "a.test", path)).await.unwrap();
    }
    tokio::task::yield_now().await;
    assert!(sink.flush(Duration::from_secs(5)));
    let text = lines.text();
    assert_eq!(text.matches("\"end\":\"complete\"").count(), 2, "{text}");
    assert!(meter.render().contains("http_server_aborted_requests_total 0\n"));
}

#[tokio::test]
async fn layers_run_in_their_order_and_one_fallback_serves_the_rest() {
    let order = Arc::new(AtomicUsize::new(0));
    let step = |expected: usize| {
        let order = Arc::clone(&order);
        tower::util::MapRequestLayer::new(move |request: Request<Body>| {
            assert_eq!(order.fetch_add(1, Ordering::SeqCst), expected);
            request
        })
    };
    let gateway = Gateway::builder()
        .layer_at(phase::Arrive, step(0))
        .layer_unordered(step(1))
        .route(Rule::path("/"), |route| {
            route.layer_at(phase::Limit, step(2)).layer_at(phase::Shape, step(3)).service(service_fn(hello))
        })
        .fallback(service_fn(|_: Request<Body>| async { Answer::Ok(Response::new(Body::from("fallback"))) }))
        .build()
        .unwrap();
    assert_eq!(ask(&gateway, "GET", "a.test", "/").await.1, "hello");
    order.store(0, Ordering::SeqCst);
    assert_eq!(ask(&gateway, "GET", "a.test", "/else").await.1, "fallback");
}

#[test]
fn every_mistake_of_a_gateway_is_told_at_once() {
    let error: BuildError = Gateway::builder()
        .route(Rule::path("/a").name("one"), |route| route.upstream(Upstream::new(["nowhere"])))
        .route(Rule::path("b").name("two"), |route| route.upstream(Upstream::new(["http://a"])))
        .build()
        .map(drop)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "route `one`: upstream: endpoint `nowhere`: expected http(s)://HOST[:PORT][/PATH]\n\
         route `two`: path `b`: a path starts with `/`"
    );
}

#[tokio::test]
async fn serves_whole_exchanges_over_both_protocols() {
    let gateway = Gateway::builder()
        .layer(RequestIdLayer::default())
        .route(Rule::prefix("/"), |route| {
            route.layer(RateLimitLayer::new(Quota::per_hour(2))).service(service_fn(hello))
        })
        .build()
        .unwrap();
    let server = MemoryServer::new(gateway);
    let one = server.send(request("GET", "a.test", "/")).await.unwrap();
    assert_eq!((one.status().as_u16(), one.headers()["x-request-id"].len()), (200, 32));
    let two = server.send_http2(Request::get("http://a.test/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(two.status(), 200);
    let three = server.send(request("GET", "a.test", "/")).await.unwrap();
    assert_eq!(three.status(), 429);
}

#[test]
fn a_declared_gateway_explains_a_request_by_what_would_serve_it() {
    let text = "
request_id: {}
routes:
  - {name: orders, prefix: /orders, methods: [GET], rate_limit: {requests: 0}, timeout: 5s, upstream: 'http://a'}
  - {name: users, prefix: /users, upstream: 'http://b'}
";
    let declared = config::load(Source { name: "test", text }, |_| None, &Context::default()).unwrap();
    let explained = |path: &str| {
        let mut said = Vec::new();
        declared.service().explain(&request("GET", "a.test", path).into_parts().0, &mut said);
        said.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let orders = explained("/orders/7");
    assert_eq!(explained("/%6frders//7"), orders, "every spelling is explained as it is served");
    for sentence in [
        "canonical: pass: the request can be read in one way only",
        "routing: skip: /users/*: another path",
        "routing: pass: the rule is orders (/orders/*)",
        "rate_limit: refuse: default: 0 per 1s, 0 at once by client_addr: room again in 1s",
        "timeout: pass: 504 after 5s",
        "forward: pass: to http://a in turn",
    ] {
        assert!(orders.iter().any(|said| said == sentence), "{sentence} in {orders:#?}");
    }
    assert_eq!(
        explained("/nothing").last().unwrap(),
        "routing: refuse: 404: nothing is served at this host and path"
    );
}

#[test]
fn state_outlives_a_rebuilt_gateway_where_its_identity_did_not_change() {
    let text = |burst: &str| {
        format!(
            "routes:\n  - {{name: a, prefix: /, rate_limit: {{requests: 1, per: 1h, {burst} by: everyone}}, upstream: 'http://a'}}\n"
        )
    };
    let remaining = |declared: &config::Declared| {
        let mut said = Vec::new();
        declared.service().explain(&request("GET", "a.test", "/").into_parts().0, &mut said);
        said.iter().find(|said| said.layer == "rate_limit").unwrap().verdict.as_str()
    };
    let first = Context::default();
    let declared = config::load(Source { name: "1", text: &text("") }, |_| None, &first).unwrap();
    assert_eq!(remaining(&declared), "pass");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // The upstream does not exist; the token is taken all the same.
    let answer = runtime.block_on(declared.service().oneshot(request("GET", "a.test", "/")));
    assert_eq!(answer.unwrap().status(), 502);
    assert_eq!(remaining(&declared), "refuse");

    let second = Context { shelf: Arc::new(first.shelf.next()), ..first.clone() };
    let rebuilt = config::load(Source { name: "2", text: &text("mode: audit,") }, |_| None, &second).unwrap();
    assert_eq!(remaining(&rebuilt), "would_refuse", "the bucket was kept, the mode is new");
    let fresh = config::load(Source { name: "3", text: &text("") }, |_| None, &Context::default()).unwrap();
    assert_eq!(remaining(&fresh), "pass");
}
