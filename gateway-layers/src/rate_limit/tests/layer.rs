use std::time::Duration;

use gateway_core::{
    Admit, Body, Clock, Facts, Key, Mode, Stamp, Verdict,
    meter::{Decisions, Meter},
    testing::contract,
};
use http::{HeaderMap, HeaderName, Request, Response, request::Parts};
use tower::{Layer, ServiceExt, service_fn};

use crate::rate_limit::{Algorithm, Fields, Limit, MissingKey, Quota, RateLimitLayer};

fn request(key: Option<&str>, facts: Option<&Facts>) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    if let Some(key) = key {
        request.headers_mut().insert("x-api-key", key.parse().unwrap());
    }
    if let Some(facts) = facts {
        request.extensions_mut().insert(facts.clone());
    }
    request
}

fn by_api_key(quota: Quota) -> RateLimitLayer {
    RateLimitLayer::new(quota).by(Key::header(HeaderName::from_static("x-api-key")))
}

async fn status(layer: &RateLimitLayer, request: Request<Body>) -> u16 {
    let ok = |_: Request<Body>| async { Ok::<_, std::convert::Infallible>(Response::new(Body::empty())) };
    layer.layer(service_fn(ok)).oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn keeps_the_contract_and_is_one_limit_through_one_clone_and_through_many() {
    contract::check(RateLimitLayer::new(Quota::per_second(1_000_000))).await;
    let layer = RateLimitLayer::new(Quota::per_hour(7));
    assert_eq!(contract::passed(&layer, 1_000, contract::request).await, (7, 0));
    let layer = RateLimitLayer::new(Quota::per_hour(7));
    assert_eq!(contract::passed(&layer, 3, contract::request).await, (3, 3));
    assert_eq!(contract::passed(&layer, 1_000, contract::request).await, (1, 0));
}

#[tokio::test]
async fn counts_every_key_apart_and_across_services_of_one_layer() {
    let layer = by_api_key(Quota::per_hour(1));
    assert_eq!(status(&layer, request(Some("a"), None)).await, 200);
    assert_eq!(status(&layer, request(Some("b"), None)).await, 200);
    assert_eq!(status(&layer.clone(), request(Some("a"), None)).await, 429);
}

#[tokio::test]
async fn tokens_come_back_with_the_arrival_times_of_requests() {
    let layer = by_api_key(Quota::per_second(1));
    let first = Facts::arrived_at(Clock::default().now());
    let later = Facts::arrived_at(first.arrived() + Duration::from_secs(1));
    assert_eq!(status(&layer, request(Some("a"), Some(&first))).await, 200);
    assert_eq!(status(&layer, request(Some("a"), Some(&first))).await, 429);
    assert_eq!(status(&layer, request(Some("a"), Some(&later))).await, 200);
}

#[tokio::test]
async fn leaving_the_key_out_gains_nothing_unless_told_so() {
    for (missing, expected) in
        [(MissingKey::Share, [200, 429]), (MissingKey::Refuse, [429, 429]), (MissingKey::Skip, [200, 200])]
    {
        let layer = by_api_key(Quota::per_hour(1)).missing(missing);
        let found = [status(&layer, request(None, None)).await, status(&layer, request(None, None)).await];
        assert_eq!(found, expected, "{missing:?}");
    }
}

#[tokio::test]
async fn audit_counts_and_lets_pass_and_off_does_nothing() {
    let meter = Meter::default();
    let audit = by_api_key(Quota::per_hour(0)).mode(Mode::Audit).meter(&meter, "here");
    assert_eq!(status(&audit, request(Some("a"), None)).await, 200);
    let off = by_api_key(Quota::per_hour(0)).mode(Mode::Off);
    assert_eq!(status(&off, request(Some("a"), None)).await, 200);
    let would_refuse = Decisions::new(&meter, "rate_limit", "here").value(Verdict::WouldRefuse);
    assert_eq!(would_refuse, 1);
}

#[test]
fn explains_by_the_same_decision_without_taking_a_token() {
    let rule = by_api_key(Quota::per_hour(1)).into_rule();
    let mut head = request(Some("a"), None).into_parts().0;
    let explained = |head: &Parts| {
        let mut said = Vec::new();
        rule.explain(head, &mut said);
        said.pop().unwrap().verdict
    };
    assert_eq!(explained(&head), Verdict::Pass);
    assert_eq!(explained(&head), Verdict::Pass);
    assert!(rule.admit(&mut head, &mut Stamp::default()).is_ok());
    assert_eq!(explained(&head), Verdict::Refuse);
}

async fn headers(layer: &RateLimitLayer, key: &str) -> (u16, HeaderMap) {
    let ok = |_: Request<Body>| async { Ok::<_, std::convert::Infallible>(Response::new(Body::empty())) };
    let answer = layer.layer(service_fn(ok)).oneshot(request(Some(key), None)).await.unwrap();
    (answer.status().as_u16(), answer.headers().clone())
}

fn two_limits() -> RateLimitLayer {
    let key = || Key::header(HeaderName::from_static("x-api-key"));
    let daily = Quota::per(3, Duration::from_secs(86_400));
    RateLimitLayer::limits([
        Limit::new("burst", Quota::per_hour(2)).by(key()),
        Limit::new("daily", daily).algorithm(Algorithm::SlidingWindow).by(Key::everyone()),
    ])
}

#[tokio::test]
async fn what_one_limit_refuses_takes_nothing_from_the_others() {
    let meter = Meter::default();
    let layer = two_limits().meter(&meter, "here");
    let mut statuses = Vec::new();
    for key in ["a", "a", "a", "a", "b", "c"] {
        statuses.push(status(&layer, request(Some(key), None)).await);
    }
    assert_eq!(statuses, [200, 200, 429, 429, 200, 429], "the day has room for three of all callers");
    let text = meter.render();
    for (limit, count) in [("burst", 2), ("daily", 1)] {
        let line = format!("gateway_rate_limit_exceeded_total{{place=\"here\",limit=\"{limit}\"}} {count}");
        assert!(text.contains(&line), "{text}");
    }
}

#[tokio::test]
async fn answers_tell_the_tightest_limit_whether_they_pass_or_not() {
    let wide = |name: &str| Limit::new(name, Quota::per_second(1_000_000));
    let sliding = wide("b").algorithm(Algorithm::SlidingWindow);
    contract::check(RateLimitLayer::limits([wide("a"), sliding]).fields(Fields::Draft10)).await;
    let layer = two_limits().fields(Fields::Draft10);
    let (code, passed) = headers(&layer, "a").await;
    assert_eq!(code, 200);
    assert_eq!(passed["ratelimit-policy"], r#""burst";q=2;w=3600, "daily";q=3;w=86400"#);
    assert_eq!(passed["ratelimit"], r#""burst";r=1;t=1800"#);
    assert!(!passed.contains_key("retry-after"));
    headers(&layer, "a").await;
    let (code, refused) = headers(&layer, "a").await;
    assert_eq!(code, 429);
    assert!(refused["ratelimit"].to_str().unwrap().starts_with(r#""burst";r=0;t="#), "{refused:?}");
    let after = |name: &str, mark: &str| {
        let value = refused[name].to_str().unwrap();
        value.rsplit(mark).next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(after("retry-after", ";"), after("ratelimit", "t="), "never earlier than t");
    assert!(!format!("{refused:?}").contains("pk="));

    let audit = two_limits().fields(Fields::Legacy).mode(Mode::Audit);
    for _ in 0..3 {
        headers(&audit, "a").await;
    }
    let (code, answer) = headers(&audit, "a").await;
    assert_eq!(
        (code, &answer["x-ratelimit-limit"], &answer["x-ratelimit-remaining"]),
        (200, &"2".parse().unwrap(), &"0".parse().unwrap())
    );
}

#[tokio::test]
async fn a_sliding_window_frees_a_day_bit_by_bit() {
    let layer = RateLimitLayer::new(Quota::per(4, Duration::from_secs(100)))
        .algorithm(Algorithm::SlidingWindow)
        .by(Key::everyone());
    let start = Clock::default().now();
    let at = |seconds| Facts::arrived_at(start + Duration::from_secs(seconds));
    let mut statuses = Vec::new();
    for (seconds, count) in [(0, 5), (99, 1), (124, 1), (126, 2), (149, 1), (151, 1)] {
        for _ in 0..count {
            statuses.push(status(&layer, request(None, Some(&at(seconds)))).await);
        }
    }
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429, 429, 200, 429, 429, 200]);
}
