//! Aggregation in code.

use std::{convert::Infallible, time::Duration};

use gateway_core::{
    Body, Clock, Facts,
    budget::Buffers,
    facts::Principal,
    testing::{Behaviour, Inner, Probe},
};
use http::{Request, Response};
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};

use crate::aggregate::{Branch, Composer, Page, Plan};

/// Answers with the target that it was asked for, as JSON that may be kept for a minute; not at all for `/silent`.
async fn echo(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    match request.uri().path() {
        "/silent" => std::future::pending().await,
        "/missing" => Ok(Response::builder().status(404).body(Body::empty()).unwrap()),
        _ => {
            let text = json!({"target": request.uri().to_string()}).to_string();
            Ok(Response::builder().header("cache-control", "max-age=60").body(Body::from(text)).unwrap())
        }
    }
}

fn branch(name: &str, get: &str) -> Branch {
    Branch::new(name, get).service(service_fn(echo)).forward_headers([])
}

async fn json_of(answer: Response<Body>) -> Value {
    serde_json::from_slice(&Body::collect_limited(answer.into_body(), 1 << 20).await.unwrap()).unwrap()
}

fn get(target: &str) -> Request<Body> {
    Request::get(target).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn what_the_branches_say_of_caching_is_said_of_the_whole() {
    let buffers = Buffers::default();
    let plan =
        Plan::at("/p/{id}").branch(branch("a", "/a/{id}?x={x}")).branch(branch("b", "/missing").optional());
    let service = Composer::new(plan).unwrap().buffers(buffers.clone()).service(|page: Page| async move {
        let a = page.ask("a", &[("x", "1&2")]).await?;
        if page.query("b").is_some() {
            page.ask("b", &[]).await?;
        }
        let is_named = page.query("who").is_some() && page.principal().is_some();
        Ok(json!({"a": a, "id": page.parameter("id"), "is_named": is_named}))
    });
    for (target, cache_control, aggregate) in [
        ("/p/%C3%A4", "max-age=60", "complete"),
        ("/p/%C3%A4?who", "max-age=60, private", "complete"),
        ("/p/%C3%A4?b", "no-store", "partial"),
    ] {
        let mut request = get(target);
        Facts::of(request.extensions_mut(), &Clock::default()).set_principal(&Principal::new("shop", "ada"));
        let answer = service.clone().oneshot(request).await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!((&*header("cache-control"), &*header("x-aggregate")), (cache_control, aggregate));
        let value = json_of(answer).await;
        assert_eq!((&value["a"]["target"], &value["id"]), (&json!("/a/%C3%A4?x=1%262"), &json!("ä")));
        let note = json!({"branch": "b", "code": "branch_status", "status": 404});
        assert_eq!(value.get("_errors"), (aggregate == "partial").then(|| json!([note])).as_ref());
    }
    assert_eq!(buffers.used(), 0);

    let silent = Composer::new(Plan::everywhere().branch(branch("a", "/a"))).unwrap();
    let silent = silent.service(|_| async { Ok(json!("nobody was asked")) });
    assert_eq!(silent.oneshot(get("/")).await.unwrap().headers()["cache-control"], "no-store");
}

#[tokio::test(start_paused = true)]
async fn a_required_branch_ends_the_function_and_a_plan_its_time() {
    let probe = Probe::new(Behaviour::Silent);
    let silent = Branch::new("silent", "/").service(Inner::Bare(probe.clone()));
    let plan = Plan::everywhere().branch(silent).branch(branch("missing", "/missing"));
    let composer = Composer::new(plan.timeout(Duration::from_secs(5))).unwrap();
    let both = composer.clone().service(|page: Page| async move {
        let (one, two) = tokio::try_join!(page.ask("silent", &[]), page.ask("missing", &[]))?;
        Ok(json!([one, two]))
    });
    let answer = both.oneshot(get("/")).await.unwrap();
    assert_eq!((answer.status().as_u16(), probe.live()), (404, 0), "the other call is dropped");
    assert_eq!(json_of(answer).await["code"], "branch_status");

    let start = Clock::default().now();
    let alone = composer.clone().service(|page: Page| async move { page.ask("silent", &[]).await });
    assert_eq!(alone.oneshot(get("/")).await.unwrap().status(), 504);
    let forever = composer.clone().service(|_| std::future::pending());
    let answer = forever.oneshot(get("/")).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), json_of(answer).await["code"].as_str().unwrap()),
        (504, "aggregate_timeout")
    );
    assert_eq!(Clock::default().now() - start, Duration::from_secs(10));
    let wrong = composer.service(|page: Page| async move { page.ask("no", &[]).await });
    assert_eq!(wrong.oneshot(get("/")).await.unwrap().status(), 500);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_and_plans_checked() {
    let composer = Composer::new(Plan::at("/p").branch(branch("a", "/a"))).unwrap();
    let service = composer.service(|page: Page| async move { page.ask("a", &[]).await });
    assert_eq!(service.clone().oneshot(get("/q")).await.unwrap().status(), 404);
    let post = Request::post("/p").body(Body::empty()).unwrap();
    assert_eq!(service.clone().oneshot(post).await.unwrap().status(), 405);
    let router = axum::Router::new().route_service("/p", service);
    let request = Request::get("/p").body(axum::body::Body::empty()).unwrap();
    assert_eq!(router.oneshot(request).await.unwrap().status(), 200);

    let plan = Plan::everywhere().branch(Branch::new("a", "/")).branch(branch("b", "/{a.x}"));
    let told = "branch `a`: it has no service, and there is none to wrap; branch `b`: the code that asks keeps the order and passes the values";
    assert_eq!(Composer::new(plan).unwrap_err().to_string(), told);
}
