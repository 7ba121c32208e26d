use std::{borrow::Cow, convert::Infallible, time::Duration};

use gateway_core::{
    Body, Key, Mode,
    gate::{Entry, Gate},
    meter::Meter,
    store::Redis,
    testing::contract,
};
use http::{Request, Response, request::Parts};
use tower::{Layer, ServiceExt, service_fn};

use super::{OnError, SharedRateLimitLayer, Store, script::Exact};
use crate::rate_limit::{Algorithm, Limit, MissingKey, Quota, RateLimitLayer};

/// A Redis that nobody started.
fn nowhere() -> Redis {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    Redis::new(&format!("redis://:hunter2@127.0.0.1:{port}")).unwrap().timeout(Duration::from_secs(5))
}

fn layer(on_error: OnError) -> SharedRateLimitLayer {
    let layer = RateLimitLayer::new(Quota::per_hour(2)).by(Key::everyone());
    layer.shared(Store::new(nowhere(), on_error)).unwrap()
}

async fn statuses(layer: &SharedRateLimitLayer, count: usize) -> Vec<u16> {
    let ok = |_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) };
    let service = layer.layer(service_fn(ok));
    let mut statuses = Vec::new();
    for _ in 0..count {
        let answer = service.clone().oneshot(Request::new(Body::empty())).await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    statuses
}

#[tokio::test]
async fn without_an_answer_each_policy_does_what_it_says() {
    assert_eq!(statuses(&layer(OnError::Allow), 6).await, [200; 6]);
    assert_eq!(statuses(&layer(OnError::Refuse), 6).await, [503; 6]);
    assert_eq!(statuses(&layer(OnError::Local), 6).await, [200, 200, 429, 429, 429, 429]);
    let audit = RateLimitLayer::new(Quota::per_hour(0)).by(Key::everyone()).mode(Mode::Audit);
    assert_eq!(statuses(&audit.shared(Store::new(nowhere(), OnError::Refuse)).unwrap(), 2).await, [200; 2]);
    contract::check(layer(OnError::Allow)).await;
}

#[tokio::test]
async fn nothing_is_asked_for_requests_that_no_limit_counts() {
    let by_header = Key::header("x-api-key".parse().unwrap());
    let meter = Meter::default();
    let store = || Store::new(nowhere().meter(&meter, "here"), OnError::Refuse);
    let skip = RateLimitLayer::new(Quota::per_hour(0)).by(by_header.clone()).missing(MissingKey::Skip);
    assert_eq!(statuses(&skip.shared(store()).unwrap(), 1).await, [200]);
    let refuse = RateLimitLayer::new(Quota::per_hour(9)).by(by_header).missing(MissingKey::Refuse);
    assert_eq!(statuses(&refuse.shared(store()).unwrap(), 1).await, [429]);
    let off = RateLimitLayer::new(Quota::per_hour(0)).mode(Mode::Off);
    assert_eq!(statuses(&off.shared(store()).unwrap(), 1).await, [200]);
    assert!(!meter.render().contains("outcome=\"failed\"} 1"));
}

fn head() -> Parts {
    Request::new(()).into_parts().0
}

fn key(text: &'static str) -> Key {
    Key::custom(move |_| Some(Cow::Borrowed(text.as_bytes())))
}

#[test]
fn names_of_keys_are_the_same_in_every_process_and_tell_everything_apart() {
    let limit = |name: &str, key: Key| Limit::new(name, Quota::per_second(1)).by(key);
    let name = |limit: Limit, change: fn(Store) -> Store| {
        let store = change(Store::new(nowhere(), OnError::Allow));
        let rule = RateLimitLayer::limits([limit]).shared(store).unwrap().into_rule();
        rule.names(&head()).unwrap().remove(0)
    };
    let plain = name(limit("a", key("secret-key")), |store| store);
    assert_eq!(plain, "{gateway}:b4838a523d09ce0c650fa34486ecd089");
    let others = [
        name(limit("b", key("secret-key")), |store| store),
        name(limit("a", key("secret-kez")), |store| store),
        name(limit("a", key("secret").and(key("-key"))), |store| store),
        name(limit("a", key("secret-key")).algorithm(Algorithm::SlidingWindow), |store| store),
        name(limit("a", key("secret-key")), |store| store.scope("orders")),
        name(limit("a", key("secret-key")), |store| store.salt(*b"salt")),
        name(limit("a", key("secret-key")), |store| store.prefix("other")),
    ];
    let all: std::collections::HashSet<_> = others.iter().chain([&plain]).collect();
    assert_eq!(all.len(), others.len() + 1);
    assert!(others.iter().all(|name| !name.contains("secret")));
}

#[test]
fn what_is_too_large_for_exact_numbers_is_an_error() {
    let years = |count: u64| Duration::from_secs(count * 365 * 86_400);
    let sliding = |limit: Limit| limit.algorithm(Algorithm::SlidingWindow);
    assert!(Exact::new(&Limit::new("a", Quota::per(u32::MAX, years(10)))).is_some());
    assert!(Exact::new(&Limit::new("a", Quota::per(1, years(10)).burst(1_000))).is_none());
    assert!(Exact::new(&sliding(Limit::new("a", Quota::per(u32::MAX, Duration::from_millis(1))))).is_some());
    assert!(Exact::new(&sliding(Limit::new("a", Quota::per(u32::MAX, years(10))))).is_some());
    for quota in
        [Quota::per_second(1_000), Quota::per(10_000, Duration::from_secs(86_400)), Quota::per_minute(0)]
    {
        for limit in [Limit::new("a", quota), sliding(Limit::new("a", quota))] {
            let numbers = Exact::new(&limit).unwrap().arguments();
            assert!(numbers.iter().all(|&number| (0..1 << 53).contains(&number)), "{numbers:?}");
        }
    }
}

#[tokio::test]
async fn a_store_that_rests_is_not_waited_for() {
    let rule = layer(OnError::Local).into_rule();
    statuses(&layer(OnError::Local), 3).await;
    let mut waits = 0;
    for _ in 0..6 {
        match rule.enter(&mut head(), &mut gateway_core::Stamp::default()) {
            Entry::Wait(pending) => {
                waits += 1;
                drop(pending.await);
            }
            Entry::Pass | Entry::Refuse(_) => {}
        }
    }
    assert_eq!(waits, 3);
}
