//! Limits that gateways share, with a real Redis that is killed, frozen, emptied and filled with nonsense.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use gateway_layers::{
    core::{
        Body, Clock, Facts, Key,
        meter::Meter,
        random::Random,
        store::{Redis, Script},
    },
    rate_limit::{
        Algorithm, Bucket, Fields, Limit, Quota, RateLimitLayer, Refill, Span, Ticks, Window,
        shared::{OnError, SharedLimiter, SharedRateLimitLayer, Store},
    },
};
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};

use crate::{
    common::{Gateway, get, status},
    parties::{Party, client, folder_with, free_port},
};

fn redis(port: u16) -> Redis {
    Redis::new(&format!("redis://127.0.0.1:{port}")).unwrap()
}

fn cli(port: u16, arguments: &[&str]) -> String {
    client("redis-cli", &[&["-p", &port.to_string()], arguments].concat())
}

/// Two limits of a caller, an hour's and a day's.
fn limits(hour: u32, day: u32) -> RateLimitLayer {
    let daily = Quota::per(day, Duration::from_secs(86_400));
    RateLimitLayer::limits([
        Limit::new("hour", Quota::per_hour(hour)).by(Key::everyone()),
        Limit::new("day", daily).algorithm(Algorithm::SlidingWindow).by(Key::everyone()),
    ])
}

/// One request with a deadline in ten seconds.
async fn ask(layer: &SharedRateLimitLayer) -> u16 {
    let ok = |_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) };
    let clock = Clock::default();
    let mut request = Request::new(Body::empty());
    Facts::of(request.extensions_mut(), &clock).tighten_deadline(clock.now() + Duration::from_secs(10));
    layer.layer(service_fn(ok)).oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn two_gateways_share_one_limit_exactly_and_every_key_ends() {
    let server = Party::redis(free_port());
    let patient = || redis(server.port).timeout(Duration::from_secs(5));
    let instance = || limits(60, 40).shared(Store::new(patient(), OnError::Refuse)).unwrap();
    let instances = [instance(), instance()];
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..200 {
        let layer = instances[number % 2].clone();
        asking.spawn(async move { ask(&layer).await });
    }
    let statuses = asking.join_all().await;
    let count = |code| statuses.iter().filter(|&&status| status == code).count();
    assert_eq!((count(200), count(429)), (40, 160));

    let keys = cli(server.port, &["KEYS", "*"]);
    assert_eq!(keys.lines().count(), 2, "{keys}");
    for key in keys.lines() {
        assert!(key.starts_with("{gateway}:") && key.len() == 42, "{key}");
        let left: i64 = cli(server.port, &["PTTL", key]).trim().parse().unwrap();
        assert!((1..=2 * 86_401_000).contains(&left), "{key} lives for {left} ms");
    }
    // What the day refused took nothing from the hour: 60 - 40 are left.
    let hour = limits(60, 1_000).shared(Store::new(patient(), OnError::Refuse).prefix("gateway")).unwrap();
    cli(
        server.port,
        &[
            "EVAL",
            "for _, key in ipairs(redis.call('KEYS', '*')) do if not string.match(redis.call('GET', key), ':0$') then redis.call('DEL', key) end end",
            "0",
        ],
    );
    let mut passed = 0;
    while ask(&hour).await == 200 {
        passed += 1;
    }
    assert_eq!(passed, 20);
}

#[tokio::test]
async fn the_script_decides_what_the_pure_functions_decide() {
    let server = Party::redis(free_port());
    let redis = redis(server.port).timeout(Duration::from_secs(5));
    let script = Script::new(SharedLimiter::SCRIPT);
    let random = Random::seeded(7);
    // A bucket in nanoseconds, a bucket in microseconds, and a window in microseconds.
    let (fine, coarse) =
        (Quota::per(30, Duration::from_millis(7)).burst(4), Quota::per(9, Duration::from_millis(4)));
    let sliding = Quota::per(6, Duration::from_millis(5));
    let micros = Ticks::of_nanos(1_000);
    let refills = [Refill::new(fine, Ticks::NANOS), Refill::new(coarse, micros)];
    let span = Span::new(sliding, micros);
    let arguments =
        [[0, 7_000_000 / 30, 7_000_000 / 30 * 4, 1_000], [0, 4_000 / 9, 4_000 / 9 * 9, 1], [1, 5_000, 6, 1]];
    let mut buckets = [Bucket::default(); 2];
    let mut window = Window::default();
    let (mut passed, mut refused) = (0, 0);
    for _ in 0..1_000 {
        let chosen = random.next() % 7 + 1;
        let chosen: Vec<usize> = (0..3).filter(|index| chosen >> index & 1 == 1).collect();
        let keys: Vec<String> = chosen.iter().map(|index| format!("{{test}}:{index}")).collect();
        let numbers: Vec<i64> = chosen.iter().flat_map(|&index| arguments[index]).collect();
        let answer = redis.run(&script, &keys, &numbers, None).await.unwrap();
        let now = u64::try_from(answer[0]).unwrap();
        let taken: Vec<bool> = chosen
            .iter()
            .map(|&index| match index {
                0 => buckets[0].take(refills[0], now * 1_000).is_ok(),
                1 => buckets[1].take(refills[1], now).is_ok(),
                _ => window.take(span, now).is_ok(),
            })
            .collect();
        let passes = taken.iter().all(|&taken| taken);
        assert_eq!(answer[1] == 1, passes, "{chosen:?} at {now}: {answer:?}");
        if passes {
            passed += 1;
            for &index in &chosen {
                match index {
                    0 => buckets[0] = buckets[0].take(refills[0], now * 1_000).unwrap(),
                    1 => buckets[1] = buckets[1].take(refills[1], now).unwrap(),
                    _ => window = window.take(span, now).unwrap(),
                }
            }
        } else {
            refused += 1;
        }
        if random.next().is_multiple_of(20) {
            tokio::time::sleep(Duration::from_micros(random.next() % 9_000)).await;
        }
    }
    assert!(passed > 100 && refused > 100, "{passed} passed, {refused} refused");
}

#[tokio::test]
async fn a_server_that_is_emptied_or_holds_nonsense_is_no_error() {
    let server = Party::redis(free_port());
    let patient = redis(server.port).timeout(Duration::from_secs(5));
    let layer =
        limits(3, 1_000).fields(Fields::Draft10).shared(Store::new(patient, OnError::Refuse)).unwrap();
    let spend = async || {
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(ask(&layer).await);
        }
        statuses
    };
    assert_eq!(spend().await, [200, 200, 200, 429]);
    cli(server.port, &["FLUSHALL"]);
    assert_eq!(spend().await, [200, 200, 200, 429]);
    cli(server.port, &["SCRIPT", "FLUSH"]);
    assert_eq!(ask(&layer).await, 429, "the script is sent again, the counts are there");
    for nonsense in
        ["redis.call('LPUSH', key, 'x')", "redis.call('SET', key, 'x')", "redis.call('HSET', key, 'a', 'b')"]
    {
        let fill =
            format!("for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('DEL', key) {nonsense} end");
        cli(server.port, &["EVAL", &fill, "0"]);
        assert_eq!(spend().await, [200, 200, 200, 429], "{nonsense}");
    }
    cli(server.port, &["FLUSHALL"]);
    cli(server.port, &["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(ask(&layer).await, 503, "a server without memory is one that fails");
}

#[tokio::test]
async fn a_server_that_is_killed_costs_what_the_policy_says_and_is_used_again_when_it_is_back() {
    let port = free_port();
    let mut server = Some(Party::redis(port));
    for (on_error, meanwhile) in [(OnError::Allow, 200), (OnError::Refuse, 503), (OnError::Local, 429)] {
        let running = server.take().unwrap_or_else(|| Party::redis(port));
        cli(port, &["FLUSHALL"]);
        let layer = limits(1, 1_000).shared(Store::new(redis(port), on_error)).unwrap();
        assert_eq!([ask(&layer).await, ask(&layer).await], [200, 429]);
        drop(running);
        // With a limit of one in this process, the first is what `local` lets pass.
        let first = ask(&layer).await;
        assert_eq!(first, if on_error == OnError::Local { 200 } else { meanwhile });
        for _ in 0..20 {
            assert_eq!(ask(&layer).await, meanwhile, "{on_error:?}");
        }
        let start = Instant::now();
        for _ in 0..1_000 {
            assert_eq!(ask(&layer).await, meanwhile, "{on_error:?}");
        }
        println!("{on_error:?}: {:?} for a request while the server rests", start.elapsed() / 1_000);
        server = Some(Party::redis(port));
        let back = Instant::now();
        // The server is back when it counts again: the first request passes, and leaves a key.
        while cli(port, &["DBSIZE"]).trim() == "0" {
            ask(&layer).await;
            assert!(back.elapsed() < Duration::from_secs(5), "{on_error:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("{on_error:?}: used again after {:?}", back.elapsed());
        assert_eq!(ask(&layer).await, 429, "it counts");
    }
}

#[tokio::test]
async fn a_frozen_server_costs_three_timeouts_and_then_nothing() {
    let server = Party::redis(free_port());
    let meter = Meter::default();
    let watched = redis(server.port).meter(&meter, "here");
    let layer = limits(1_000, 1_000).shared(Store::new(watched, OnError::Allow)).unwrap();
    assert_eq!(ask(&layer).await, 200);
    server.signal("STOP");
    let mut times = Vec::new();
    for _ in 0..10 {
        let start = Instant::now();
        assert_eq!(ask(&layer).await, 200);
        times.push(start.elapsed());
    }
    println!("ten requests to a frozen server took {times:?}");
    let text = meter.render();
    let counted = |outcome: &str| {
        let line = text.lines().find(|line| line.contains(&format!("outcome=\"{outcome}\"")));
        line.and_then(|line| line.rsplit(' ').next()).unwrap().to_owned()
    };
    assert_eq!([counted("ok"), counted("timed_out")], ["1", "3"], "{text}");
    server.signal("CONT");
}

#[test]
fn two_gateways_with_one_document_share_its_limit() {
    const DOCUMENT: &str = "
listen: 127.0.0.1:0
routes:
  - name: all
    prefix: /
    rate_limit:
      limits:
        - {name: burst, requests: 5, per: 1h, by: everyone}
        - {name: daily, requests: 100, per: 1d, algorithm: sliding_window, by: everyone}
      fields: draft10
      store: {redis: '${REDIS_URL}', on_error: refuse, timeout: 2s}
    upstream: ${UPSTREAM}
";
    let server = Party::redis(free_port());
    let folder = folder_with("page.txt", 100);
    let nginx = Party::nginx(&folder, free_port());
    let url = format!("redis://127.0.0.1:{}", server.port);
    let start = || Gateway::with_document(DOCUMENT, &[("UPSTREAM", &nginx.url()), ("REDIS_URL", &url)]);
    let gateways = [start(), start()];
    let mut statuses = Vec::new();
    for turn in 0..8 {
        let answer = get(gateways[turn % 2].address(), "/page.txt");
        assert!(answer.to_lowercase().contains("ratelimit: \"burst\";r="), "{answer}");
        statuses.push(status(&answer));
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429, 429]);
}
