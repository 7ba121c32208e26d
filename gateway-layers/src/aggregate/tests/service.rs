//! The service over services in memory.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use gateway_core::{
    Body, BoxError, Clock, Explanation, Facts, UpstreamError,
    budget::Buffers,
    error::ErrorKind,
    explain::Explain,
    facts::Principal,
    meter::Meter,
    testing::{Behaviour, Inner, Probe, contract},
};
use http::{HeaderName, Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, buffer::Buffer, limit::ConcurrencyLimit, service_fn};

use crate::aggregate::{AggregateLayer, Branch, Plan};

fn profile() -> Plan {
    Plan::at("/profile/{id}")
        .branch(Branch::new("user", "/users/{id}").group("user"))
        .branch(Branch::new("orders", "/orders?user={id}").group("orders").optional())
}

#[tokio::test]
async fn keeps_the_contract_where_it_passes() {
    contract::check(AggregateLayer::new(profile()).unwrap()).await;
    contract::check(AggregateLayer::off()).await;
}

/// Answers with the target that it was asked for, as JSON.
async fn echo(request: Request<Body>) -> Result<Response<Body>, BoxError> {
    Ok(Response::new(Body::from(json!({"target": request.uri().to_string()}).to_string())))
}

async fn json_of(answer: Response<Body>) -> Value {
    serde_json::from_slice(&Body::collect_limited(answer.into_body(), 1 << 20).await.unwrap()).unwrap()
}

fn get(target: &str) -> Request<Body> {
    Request::get(target).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn each_branch_waits_for_a_permit_of_its_own_and_none_is_kept() {
    let layer = AggregateLayer::new(profile()).unwrap();
    let one_at_a_time = ConcurrencyLimit::new(service_fn(echo), 1);
    let mut service = layer.layer(one_at_a_time);
    for _ in 0..3 {
        let ready = ServiceExt::<Request<Body>>::ready(&mut service).await.unwrap();
        let answer = tower::Service::call(ready, get("/profile/7")).await.unwrap();
        assert_eq!(json_of(answer).await["orders"]["target"], "/orders?user=7");
        // Refused before any branch is asked: the permit goes back, too.
        let ready = ServiceExt::<Request<Body>>::ready(&mut service).await.unwrap();
        let post = Request::post("/profile/7").body(Body::empty()).unwrap();
        assert_eq!(tower::Service::call(ready, post).await.unwrap().status(), 405);
    }
    let buffered = layer.layer(Buffer::new(service_fn(echo), 4));
    assert_eq!(buffered.oneshot(get("/profile/7")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn dropping_the_future_drops_every_branch() {
    let probe = Probe::new(Behaviour::Silent);
    let service = AggregateLayer::new(profile()).unwrap().layer(Inner::Bare(probe.clone()));
    let mut future = Box::pin(service.oneshot(get("/profile/7")));
    for _ in 0..3 {
        std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    }
    assert_eq!(probe.live(), 2);
    drop(future);
    assert_eq!(probe.live(), 0);
}

#[tokio::test]
async fn only_reads_without_a_body_become_several() {
    let service = AggregateLayer::new(profile()).unwrap().layer(service_fn(echo));
    for method in [Method::POST, Method::DELETE, Method::OPTIONS] {
        let request = Request::builder().method(method).uri("/profile/7").body(Body::empty()).unwrap();
        let answer = service.clone().oneshot(request).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["allow"]),
            (405, &"GET, HEAD".parse().unwrap())
        );
    }
    let request = Request::get("/profile/7").body(Body::from("x")).unwrap();
    assert_eq!(service.clone().oneshot(request).await.unwrap().status(), 400);

    let head = Request::head("/profile/7").body(Body::empty()).unwrap();
    let answer = service.clone().oneshot(head).await.unwrap();
    let length = answer.headers()["content-length"].to_str().unwrap().to_owned();
    assert!(Body::collect_limited(answer.into_body(), 9).await.unwrap().is_empty());
    let answer = service.oneshot(get("/profile/7")).await.unwrap();
    let body = Body::collect_limited(answer.into_body(), 1 << 20).await.unwrap();
    assert_eq!(body.len().to_string(), length, "HEAD tells the length that GET has");
}

#[tokio::test]
async fn branches_carry_what_is_named_and_know_what_the_request_knows() {
    let seen: Arc<Mutex<Vec<(String, Request<()>)>>> = Arc::default();
    let log = Arc::clone(&seen);
    let service = service_fn(move |request: Request<Body>| {
        let (head, _) = request.into_parts();
        log.lock().unwrap().push((head.uri.to_string(), Request::from_parts(head, ())));
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::from("{\"id\":[true,8]}"))))
    });
    let name = HeaderName::from_static;
    let plan = Plan::everywhere().branch(Branch::new("plain", "/plain")).branch(
        Branch::new("secret", "/of/{principal.id}/{plain.id.1}").forward_headers([name("authorization")]),
    );
    let mut request = get("/any?x=1");
    for (name, value) in [
        ("host", "shop.example"),
        ("authorization", "Bearer x"),
        ("cookie", "a=b"),
        ("accept-language", "de"),
        ("accept", "text/html"),
        ("accept-encoding", "gzip"),
        ("if-none-match", "\"1\""),
        ("x-forwarded-for", "10.0.0.1"),
        ("via", "1.1 other"),
        ("traceparent", "00-1"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let facts = Facts::of(request.extensions_mut(), &Clock::default()).clone();
    facts.set_principal(&Principal::new("shop", "a/b?c".replace('/', "")));
    let answer = AggregateLayer::new(plan).unwrap().layer(service).oneshot(request).await.unwrap();
    assert_eq!(answer.headers()["vary"], "accept-language, authorization");
    let seen = seen.lock().unwrap();
    let headers = |index: usize| {
        let headers = seen[index].1.headers();
        let mut names: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        names.sort();
        names.join("; ")
    };
    let always = "host: shop.example; traceparent: 00-1; via: 1.1 other";
    assert_eq!(
        headers(0),
        format!("accept-encoding: identity; accept-language: de; accept: application/json; {always}")
    );
    assert_eq!(
        headers(1),
        format!("accept-encoding: identity; accept: application/json; authorization: Bearer x; {always}")
    );
    assert_eq!(seen[1].0, "/of/ab%3Fc/8");
    let branch = Facts::get(seen[0].1.extensions()).unwrap();
    assert_eq!(branch.principal().map(Principal::id), Some("ab?c"));
    assert!(branch.deadline().is_some() && facts.deadline().is_none(), "the deadline is the branch's own");
}

#[tokio::test(start_paused = true)]
async fn each_branch_has_its_time_inside_the_one_deadline() {
    let slow = service_fn(|request: Request<Body>| async move {
        let seconds = request.uri().path()[1..].parse().unwrap();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok::<_, Infallible>(Response::new(Body::from("7")))
    });
    let branch = |name: &str, seconds: u64| Branch::new(name, format!("/{seconds}")).group(name).optional();
    let plan = Plan::everywhere()
        .timeout(Duration::from_secs(10))
        .branch(branch("quick", 1))
        .branch(branch("slow", 5).timeout(Duration::from_secs(2)))
        .branch(branch("late", 4).after("slow"))
        .branch(branch("later", 90).after("late").timeout(Duration::from_secs(80)))
        .branch(branch("never", 1).after("later"));
    let clock = Clock::default();
    let start = clock.now();
    let answer = AggregateLayer::new(plan).unwrap().layer(slow).oneshot(get("/")).await.unwrap();
    assert_eq!(clock.now() - start, Duration::from_secs(10), "the plan's time is over");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["cache-control"]),
        (200, &"no-store".parse().unwrap())
    );
    let timeout = |name: &str| json!({"branch": name, "code": "branch_timeout"});
    assert_eq!(
        json_of(answer).await,
        json!({
            "quick": 7, "slow": null, "late": 7, "later": null, "never": null,
            "_errors": [timeout("slow"), timeout("later"), timeout("never")],
        })
    );
}

#[tokio::test(start_paused = true)]
async fn an_outer_deadline_that_is_closer_holds() {
    let silent = service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
    let mut request = get("/profile/7");
    let facts = Facts::of(request.extensions_mut(), &Clock::default()).clone();
    facts.tighten_deadline(facts.arrived() + Duration::from_secs(3));
    let start = Clock::default().now();
    let answer = AggregateLayer::new(profile()).unwrap().layer(silent).oneshot(request).await.unwrap();
    assert_eq!((answer.status().as_u16(), Clock::default().now() - start), (504, Duration::from_secs(3)));
}

#[tokio::test]
async fn a_required_branch_that_fails_ends_the_wait_for_the_others() {
    let meter = Meter::default();
    let service = service_fn(|request: Request<Body>| async move {
        match request.uri().path() {
            "/orders" => std::future::pending().await,
            _ => Err::<Response<Body>, _>(UpstreamError::new(ErrorKind::Connect)),
        }
    });
    let layer = AggregateLayer::new(profile()).unwrap().meter(&meter, "profile");
    let answer = layer.layer(service).oneshot(get("/profile/7")).await.unwrap();
    assert_eq!(answer.status(), 502);
    let problem = json_of(answer).await;
    assert_eq!(
        (&problem["code"], &problem["detail"]),
        (&json!("branch_unreachable"), &json!("the part `user` could not be had"))
    );
    for counted in [
        "gateway_aggregate_branches_total{place=\"profile\",branch=\"user\",outcome=\"unreachable\"} 1",
        "gateway_aggregate_branches_total{place=\"profile\",branch=\"orders\",outcome=\"dropped\"} 1",
    ] {
        assert!(meter.render().contains(counted), "{}", meter.render());
    }
}

#[tokio::test]
async fn memory_is_taken_from_the_budget_until_the_last_byte_is_gone() {
    let buffers = Buffers::new(1 << 20, 1 << 20);
    let layer = AggregateLayer::new(profile()).unwrap().buffers(buffers.clone());
    let answer = layer.layer(service_fn(echo)).oneshot(get("/profile/7")).await.unwrap();
    let length = buffers.used();
    let body = Body::collect_limited(answer.into_body(), 1 << 20).await.unwrap();
    assert_eq!(body.len(), length, "the answer alone is held now");
    assert_eq!(buffers.used(), 0);

    let answers = (0..100).map(|_| layer.layer(service_fn(echo)).oneshot(get("/profile/7")));
    let tasks: Vec<_> = answers.map(tokio::spawn).collect();
    for task in tasks {
        let answer = task.await.unwrap().unwrap();
        assert_eq!(json_of(answer).await["user"]["target"], "/users/7");
    }
    assert_eq!(buffers.used(), 0, "100 requests side by side gave everything back");

    let poor = layer.clone().buffers(Buffers::new(150, 150));
    let answer = poor.layer(service_fn(echo)).oneshot(get("/profile/7")).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), json_of(answer).await["code"].as_str().unwrap()),
        (503, "branch_no_memory")
    );
    let small = AggregateLayer::new(profile().max_answer(30)).unwrap();
    let answer = small.layer(service_fn(echo)).oneshot(get("/profile/7")).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), json_of(answer).await["code"].as_str().unwrap()),
        (502, "aggregate_too_large")
    );
}

#[tokio::test]
async fn a_value_that_is_missing_is_told_apart_by_whose_it_is() {
    let none = service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Response::builder().status(StatusCode::NOT_FOUND).body(Body::empty()).unwrap())
    });
    let ask = async |plan: Plan, target: &str| {
        let answer = AggregateLayer::new(plan).unwrap().layer(none).oneshot(get(target)).await.unwrap();
        let status = answer.status().as_u16();
        (status, json_of(answer).await["code"].as_str().unwrap_or("none").to_owned())
    };
    let of_client = Plan::everywhere().branch(Branch::new("a", "/a?b=x{query.b}"));
    assert_eq!(ask(of_client.clone(), "/").await, (400, "branch_value".to_owned()));
    assert_eq!(ask(of_client.clone(), "/?b=1&b=2").await, (400, "branch_value".to_owned()));
    assert_eq!(ask(of_client, "/?b=1").await, (404, "branch_status".to_owned()));
    let of_branch =
        Plan::everywhere().branch(Branch::new("a", "/a").optional()).branch(Branch::new("b", "/b/{a.id}"));
    assert_eq!(ask(of_branch, "/").await, (502, "branch_value".to_owned()));
    let with_fallback = Plan::everywhere()
        .branch(Branch::new("a", "/a").fallback(json!({"id": 7})))
        .branch(Branch::new("b", "/b/{a.id}"));
    assert_eq!(
        ask(with_fallback, "/").await,
        (404, "branch_status".to_owned()),
        "the fallback's value counts"
    );
}

#[test]
fn says_what_it_would_do() {
    struct End;
    impl Explain for End {
        fn explain(&self, _: &http::request::Parts, say: &mut Vec<Explanation>) {
            say.push(Explanation::new("end", gateway_core::Verdict::Pass, "here"));
        }
    }
    let plan = profile()
        .branch(Branch::new("x", "/x/{user.id}").fallback(json!({})).timeout(Duration::from_secs(2)));
    let service = AggregateLayer::new(plan).unwrap().layer(End);
    let said = |request: http::request::Builder| {
        let (head, ()) = request.body(()).unwrap().into_parts();
        let mut say = Vec::new();
        service.explain(&head, &mut say);
        say.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        said(Request::get("/profile/7")),
        [
            "aggregate: refuse: answered here, of 3 branches, within 30s",
            "aggregate: pass: branch `user`: required, GET /users/{id}",
            "aggregate: pass: branch `orders`: optional, GET /orders?user={id}",
            "aggregate: pass: branch `x`: with a fallback, GET /x/{user.id}, after user, within 2s",
        ]
    );
    assert_eq!(said(Request::post("/profile/7")), ["aggregate: refuse: 405: allowed is GET, HEAD"]);
    assert_eq!(
        said(Request::get("/")),
        ["aggregate: skip: the plan is for /profile/{id}", "end: pass: here"]
    );
}
