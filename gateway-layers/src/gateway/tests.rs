use std::convert::Infallible;

use axum::{Router, routing::get};
use gateway_core::{
    Body, BoxError, Refusal, RescueLayer,
    canonical::CanonicalLayer,
    explain::Explain,
    phase,
    testing::{ScriptedUpstream, Step},
    upstream::Upstream,
};
use http::{Method, Request, Response};
use http_body::Body as HttpBody;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn, util::MapRequestLayer};

use super::*;
use crate::routing::{NotFound, RoutingLayer, Rule, Stack};

#[tokio::test]
async fn is_an_axum_fallback_service() {
    let app = Router::new().route("/own", get(async || "own")).fallback_service(orders());
    assert_eq!(ask(&app, "GET", "/own").await, (200, "own".to_owned()));
    assert_eq!(ask(&app, "GET", "/orders").await, (200, "an order".to_owned()));
    assert_eq!(ask(&app, "GET", "/else").await.0, 404);
}

#[tokio::test]
async fn does_nothing_that_a_service_builder_cannot_do() {
    let rule = Rule::prefix("/orders").method(Method::GET);
    let by_hand = ServiceBuilder::new()
        .layer(RescueLayer::default())
        .layer(CanonicalLayer::deferred())
        .layer(RescueLayer::default())
        .layer(RoutingLayer::new([(rule, Stack::new(service_fn(order)))]).unwrap())
        .service(NotFound);
    let built = orders();
    for method in ["GET", "HEAD", "PUT"] {
        for path in ["/orders", "/orders//7", "/else", "/%00"] {
            assert_eq!(ask(&built, method, path).await, ask(&by_hand, method, path).await, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn an_answer_to_a_wrong_method_names_the_right_ones() {
    let answer = orders().oneshot(request("DELETE", "/orders/7")).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"GET, HEAD".parse().unwrap()));
}

#[tokio::test]
async fn a_panic_in_a_layer_of_a_route_costs_one_request() {
    let panicking = MapRequestLayer::new(|request: Request<Body>| {
        assert!(request.method() != Method::PUT, "boom");
        request
    });
    let gateway = Gateway::builder()
        .route(Rule::prefix("/"), |route| route.layer_at(phase::Shape, panicking).service(service_fn(order)))
        .build()
        .unwrap();
    for _ in 0..2 {
        assert_eq!(ask(&gateway, "PUT", "/").await.0, 500);
        assert_eq!(ask(&gateway, "GET", "/").await.0, 200);
    }
}

#[tokio::test]
async fn a_route_leads_to_its_upstream() {
    let ok = Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let upstream = ScriptedUpstream::start([vec![ok]]).await.unwrap();
    let leads_to = |url: String| {
        let route = |route: RouteBuilder<_, _>| route.upstream(Upstream::new([url]));
        Gateway::builder().route(Rule::prefix("/"), route).build().unwrap()
    };
    assert_eq!(ask(&leads_to(upstream.url()), "GET", "/a?b").await, (200, "ok".to_owned()));
    assert!(upstream.heads()[0].starts_with("GET /a?b HTTP/1.1\r\n"));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(ask(&leads_to(format!("http://{nobody}")), "GET", "/").await.0, 502);
}

#[tokio::test]
async fn one_style_is_worn_by_every_refusal_and_failure() {
    let broken = |_: Request<Body>| async { Err::<Response<Body>, BoxError>("broken".into()) };
    let gateway = Gateway::builder()
        .style(|refusal: &Refusal, _| Response::builder().status(418).body(refusal.code().into()).unwrap())
        .route(Rule::path("/broken"), |route| route.service(service_fn(broken)))
        .route(Rule::path("/a").method(Method::GET), |route| route.service(service_fn(order)))
        .build()
        .unwrap();
    assert_eq!(ask(&gateway, "GET", "/a").await, (200, "an order".to_owned()));
    for (method, path, code) in [
        ("GET", "/else", "no_route"),
        ("PUT", "/a", "method_not_allowed"),
        ("GET", "/broken", "internal_error"),
        ("GET", "/%zz", "bad_path"),
    ] {
        assert_eq!(ask(&gateway, method, path).await, (418, code.to_owned()));
    }
}

#[tokio::test]
async fn routes_may_come_from_a_loop_or_not_at_all() {
    let mut routes = Gateway::builder().routes();
    for path in ["/a", "/b"] {
        routes = routes.route(Rule::path(path), |route| route.service(service_fn(order)));
    }
    let gateway = routes.build().unwrap();
    assert_eq!(ask(&gateway, "GET", "/b").await.0, 200);
    let gateway = Gateway::builder().routes().fallback(service_fn(order)).build().unwrap();
    assert_eq!(ask(&gateway, "GET", "/b").await.0, 200);
    assert_eq!(ask(&Gateway::builder().routes().build().unwrap(), "GET", "/b").await.0, 404);
}

#[test]
fn every_mistake_is_told_with_the_name_of_its_route() {
    let nowhere = || Upstream::new(["nowhere"]);
    let error = Gateway::builder()
        .route(Rule::path("/a/{id}").name("one"), |route| route.upstream(nowhere()))
        .route(Rule::path("/a/{name}").name("two"), |route| route.upstream(nowhere()))
        .route(Rule::path("c").host("*"), |route| route.service(service_fn(order)))
        .build()
        .map(drop)
        .unwrap_err();
    assert_eq!(
        error.to_string().lines().collect::<Vec<_>>(),
        [
            "route `one`: upstream: endpoint `nowhere`: expected http(s)://HOST[:PORT][/PATH]",
            "route `two`: upstream: endpoint `nowhere`: expected http(s)://HOST[:PORT][/PATH]",
            "route `two`: it can never be told apart from the rule `one`; both match `GET /a/any`",
            "route `*c`: host `*`: expected a name such as api.example.com or *.example.com",
            "route `*c`: path `c`: a path starts with `/`",
        ]
    );
    assert!(matches!(&error.problems()[0], Problem::Upstream { route, .. } if route == "one"));
}

#[test]
fn a_route_explains_itself_if_it_is_made_so() {
    let gateway = Gateway::builder()
        .route(Rule::path("/a"), |route| route.stack(|layers| Stack::explained(layers.layer(NotFound))))
        .route(Rule::path("/b"), |route| route.service(service_fn(order)))
        .build()
        .unwrap();
    let last = |path| {
        let mut say = Vec::new();
        gateway.explain(&request("GET", path).into_parts().0, &mut say);
        say.pop().unwrap().to_string()
    };
    assert_eq!(last("/a"), "routing: refuse: 404: nothing is served at this host and path");
    assert_eq!(last("/b"), "stack: skip: a service that does not explain itself");
}

fn orders() -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Service<Request<axum::body::Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    let rule = Rule::prefix("/orders").method(Method::GET);
    Gateway::builder().route(rule, |route| route.service(service_fn(order))).build().unwrap()
}

async fn order(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    Ok(Response::new(Body::from("an order")))
}

fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).header("host", "h.test").body(Body::empty()).unwrap()
}

async fn ask<S, B>(service: &S, method: &str, path: &str) -> (u16, String)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
    B: HttpBody,
    B::Error: Into<BoxError>,
{
    let answer = service.clone().oneshot(request(method, path)).await.unwrap();
    let status = answer.status().as_u16();
    let text = Body::collect_limited(answer.into_body(), 1 << 16).await.unwrap();
    (status, String::from_utf8_lossy(&text).into_owned())
}
