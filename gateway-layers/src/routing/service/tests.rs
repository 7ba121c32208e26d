use axum::{
    Router,
    extract::Path,
    routing::{get, post},
};
use gateway_core::{
    Clock, RescueLayer,
    meter::Meter,
    testing::{Behaviour, Inner, Probe, contract},
};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::routing::{LiveTable, NotFound, Rule, Stack};

#[tokio::test]
async fn keeps_the_contract_towards_the_wrapped_service() {
    contract::check(RoutingLayer::new([]).unwrap()).await;
    let elsewhere = (Rule::path("/elsewhere"), Stack::new(NotFound));
    contract::check(RoutingLayer::new([elsewhere]).unwrap()).await;
}

#[tokio::test]
async fn a_request_that_is_refused_at_the_edge_is_answered_with_that() {
    let service = RoutingLayer::new([(Rule::prefix("/"), Stack::new(NotFound))]).unwrap().layer(NotFound);
    let mut request = Request::new(Body::empty());
    let refusal = Refusal::new(StatusCode::BAD_REQUEST, "bad_path", "no");
    Facts::of(request.extensions_mut(), &Clock::default()).doom(refusal);
    assert_eq!(service.oneshot(request).await.unwrap().status(), 400);
}

#[tokio::test]
async fn the_stack_of_a_rule_is_called_only_when_it_is_ready() {
    let inner = Inner::Bare(Probe::new(Behaviour::Echo));
    let mut service = RoutingLayer::new([(Rule::prefix("/"), Stack::new(inner))]).unwrap().layer(NotFound);
    for _ in 0..3 {
        let ready = ServiceExt::<Request<Body>>::ready(&mut service).await.unwrap();
        let answer = ready.call(contract::request()).await.unwrap();
        assert_eq!(Body::collect_limited(answer.into_body(), 10).await.unwrap(), "probe");
    }
}

#[tokio::test]
async fn a_stack_finds_its_route_among_the_facts() {
    let tell = service_fn(|request: Request<Body>| async move {
        let route = Facts::get(request.extensions()).and_then(Facts::route).map(|route| format!("{route:?}"));
        Ok::<_, BoxError>(Response::new(Body::from(route.unwrap_or_default())))
    });
    let rule = Rule::path("/orders/{id}").name("orders");
    let service = RoutingLayer::new([(rule, Stack::new(tell))]).unwrap().layer(NotFound);
    let answer = service.oneshot(ask("GET", "/orders/7")).await.unwrap();
    assert_eq!(Body::collect_limited(answer.into_body(), 100).await.unwrap(), "orders (/orders/{id})");
}

#[tokio::test]
async fn a_stack_finds_the_named_parts_of_the_path_whatever_became_of_it() {
    let tell = service_fn(|mut request: Request<Body>| async move {
        *request.uri_mut() = "/rewritten".parse().unwrap();
        let params = Facts::get(request.extensions()).and_then(Facts::path_params);
        Ok::<_, BoxError>(Response::new(Body::from(format!("{params:?}"))))
    });
    let rule = Rule::path("/{shop}/items/{*rest}").or(Rule::path("/items/{id}")).or(Rule::prefix("/plain"));
    let service = RoutingLayer::new([(rule, Stack::new(tell))]).unwrap().layer(NotFound);
    for (path, expected) in [
        ("/a%20b/items/x/y?z=1", r#"Some({"shop": "a%20b", "rest": "x/y"})"#),
        ("/items/7", r#"Some({"id": "7"})"#),
        ("/plain/7", "None"),
    ] {
        let answer = service.clone().oneshot(ask("GET", path)).await.unwrap();
        assert_eq!(Body::collect_limited(answer.into_body(), 100).await.unwrap(), expected, "{path}");
    }
}

/// An axum application keeps what the gateway's rules do not take.
#[tokio::test]
async fn an_axum_application_stands_behind_the_rules() {
    let rules = [
        (Rule::prefix("/api").method(Method::GET), Stack::new(service_fn(gateway))),
        (Rule::path("/items/{id}").host("shop.test"), Stack::new(service_fn(gateway))),
    ];
    let layer = RoutingLayer::new(rules).unwrap();
    let app = Router::new()
        .route("/", get(async || "app"))
        .route("/api", post(async || "app"))
        .route("/items/{id}", get(async |Path(id): Path<String>| format!("app {id}")));
    let with = |layer: RoutingLayer| layer.layer(app.clone());
    let body = async |layer: &RoutingLayer, method, path| {
        let answer = with(layer.clone()).oneshot(ask(method, path)).await.unwrap();
        let status = answer.status().as_u16();
        let body = Body::collect_limited(answer.into_body(), 1000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    let text = |text: &str| (200, text.to_owned());
    assert_eq!(body(&layer, "GET", "/").await, text("app"));
    assert_eq!(body(&layer, "GET", "/api/x").await, text("gateway"));
    assert_eq!(body(&layer, "GET", "/items/7").await, text("app 7"), "another host");
    assert_eq!(body(&layer, "GET", "/nothing").await.0, 404, "the application's own");
    assert_eq!(body(&layer, "POST", "/api").await.0, 405);
    let quiet = layer.clone().method_not_allowed(false);
    assert_eq!(body(&quiet, "POST", "/api").await, text("app"));
    // And in front of the application's own routes, inside of it.
    let rescued = ServiceBuilder::new().layer(RescueLayer::default()).layer(layer);
    let wrapped = Router::new().fallback_service(rescued.service(app.clone()));
    let answer = wrapped.oneshot(ask("GET", "/api").map(axum::body::Body::new)).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn an_unknown_host_is_misdirected_if_that_is_asked_for() {
    let rules = || [(Rule::path("/a").host("shop.test"), Stack::new(NotFound))];
    let layer = RoutingLayer::new(rules()).unwrap();
    let status = async |layer: &RoutingLayer, path| {
        layer.layer(NotFound).oneshot(ask("GET", path)).await.unwrap().status().as_u16()
    };
    assert_eq!(status(&layer, "/a").await, 404);
    let meter = Meter::default();
    let strict = layer.misdirected(true).meter(&meter);
    assert_eq!(status(&strict, "/a").await, 421);
    assert!(meter.render().contains("gateway_routing_total{outcome=\"misdirected\"} 1"));
    let known = RoutingLayer::new([(Rule::path("/a").host("h.test"), Stack::new(NotFound))]).unwrap();
    assert_eq!(status(&known.misdirected(true), "/b").await, 404);
}

#[tokio::test]
async fn a_table_is_replaced_without_touching_requests_in_flight() {
    let (send, receive) = tokio::sync::oneshot::channel::<()>();
    let receive = std::sync::Arc::new(tokio::sync::Mutex::new(receive));
    let slow = service_fn(move |_: Request<Body>| {
        let receive = std::sync::Arc::clone(&receive);
        async move {
            (&mut *receive.lock().await).await.unwrap();
            Ok::<_, BoxError>(Response::new(Body::from("old")))
        }
    });
    let live = LiveTable::new(Table::new([(Rule::path("/a"), Stack::new(slow))]).unwrap());
    let service = RoutingLayer::of(&live).layer(NotFound);
    let in_flight = tokio::spawn(service.clone().oneshot(ask("GET", "/a")));
    tokio::task::yield_now().await;
    let old = std::sync::Arc::downgrade(&live.table());
    live.replace(Table::new([(Rule::path("/b"), Stack::new(service_fn(gateway)))]).unwrap());
    assert_eq!(service.clone().oneshot(ask("GET", "/a")).await.unwrap().status(), 404);
    assert_eq!(service.oneshot(ask("GET", "/b")).await.unwrap().status(), 200);
    send.send(()).unwrap();
    let answer = in_flight.await.unwrap().unwrap();
    assert_eq!(Body::collect_limited(answer.into_body(), 10).await.unwrap(), "old");
    assert!(old.upgrade().is_none(), "nobody keeps the old table");
}

#[tokio::test]
async fn a_window_follows_the_layers_clock() {
    let (clock, hands) = Clock::manual();
    let opens = clock.wall() + std::time::Duration::from_secs(60);
    let rule = Rule::path("/sale").after(opens);
    let layer = RoutingLayer::new([(rule, Stack::new(service_fn(gateway)))]).unwrap().clock(&clock);
    let status = async || layer.layer(NotFound).oneshot(ask("GET", "/sale")).await.unwrap().status();
    assert_eq!(status().await, 404);
    hands.advance(std::time::Duration::from_secs(60));
    assert_eq!(status().await, 200);
}

async fn gateway(_: Request<Body>) -> Result<Response<Body>, BoxError> {
    Ok(Response::new(Body::from("gateway")))
}

#[tokio::test]
async fn every_outcome_is_counted() {
    let meter = Meter::default();
    let rule = Rule::path("/a").method(Method::GET);
    let layer = RoutingLayer::new([(rule, Stack::new(NotFound))]).unwrap().meter(&meter);
    for (method, path) in [("GET", "/a"), ("HEAD", "/a"), ("PUT", "/a"), ("GET", "/b")] {
        layer.layer(NotFound).oneshot(ask(method, path)).await.unwrap();
    }
    let text = meter.render();
    for (outcome, count) in [("matched", 2), ("method_not_allowed", 1), ("no_route", 1), ("refused", 0)] {
        let line = format!("gateway_routing_total{{outcome=\"{outcome}\"}} {count}");
        assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
}

#[test]
fn explains_the_choice_by_the_rules_that_were_asked() {
    let rules = [
        (Rule::path("/a").host("h.test").method(Method::PUT), Stack::new(NotFound)),
        (Rule::path("/a").method(Method::GET), Stack::explained(NotFound)),
        (Rule::prefix("/"), Stack::new(NotFound)),
        (Rule::path("/b").host("h.test").method(Method::PUT), Stack::new(NotFound)),
    ];
    let service = RoutingLayer::new(rules).unwrap().layer(NotFound);
    let explain = |service: &Routing<NotFound>, method, path| {
        let mut say = Vec::new();
        service.explain(&ask(method, path).into_parts().0, &mut say);
        say.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        explain(&service, "HEAD", "/a"),
        [
            "routing: skip: PUT h.test/a: not for HEAD",
            "routing: skip: /*: less specific",
            "routing: skip: PUT h.test/b: another path",
            "routing: pass: the rule is GET /a (/a)",
            "routing: refuse: 404: nothing is served at this host and path",
        ]
    );
    assert_eq!(
        explain(&service, "GET", "/c").last().unwrap(),
        "stack: skip: a service that does not explain itself"
    );
    let rules = (0..100).map(|n| (Rule::path(format!("/{n}")).method(Method::GET), Stack::new(NotFound)));
    let service = RoutingLayer::new(rules).unwrap().layer(NotFound);
    let told = explain(&service, "PUT", "/7");
    assert_eq!(told.len(), 1 + MAX_ELSEWHERE + 2);
    assert_eq!(told[0], "routing: skip: GET /7: not for PUT");
    assert_eq!(told[told.len() - 2], "routing: skip: 79 more rules: another host or path");
    assert_eq!(told[told.len() - 1], "routing: refuse: 405: allowed is GET, HEAD");
    let told = explain(&service, "PUT", "/x");
    assert_eq!(told[told.len() - 2], "routing: skip: no rule; on to what is behind");
}

fn ask(method: &str, path: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("host", "h.test");
    request.body(Body::empty()).unwrap()
}
