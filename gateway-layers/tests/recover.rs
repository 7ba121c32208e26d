//! Retries and fallbacks against upstreams that misbehave, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use gateway_core::{
    Body, Clock, Facts, Failure,
    client::Forward,
    error::ErrorKind,
    forwarding::Pseudonym,
    meter::Meter,
    random::Random,
    testing::{ScriptedUpstream, Step, channel},
    upstream::Upstream,
};
use gateway_layers::{
    config::{self, Context, Source},
    fallback::{FallbackLayer, Instead},
    gateway::Gateway,
    retry::RetryLayer,
    routing::Rule,
    timeout::{TimeoutLayer, TryTimeoutLayer},
};
use http::{Request, Response};
use tower::{Layer, ServiceExt};

const OK: Step = Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
const BUSY: Step = Step::Send("HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 4\r\n\r\nbusy");

async fn upstream(script: impl IntoIterator<Item = Vec<Step>>) -> ScriptedUpstream {
    ScriptedUpstream::start(script).await.unwrap()
}

fn forward(url: &str) -> Forward {
    Upstream::new([url]).pseudonym(Pseudonym::new("test").unwrap()).build().unwrap()
}

fn request(method: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder().method(method).uri("/x").header("host", "a.test").body(body.into()).unwrap()
}

async fn text(answer: Response<Body>) -> String {
    let bytes = Body::collect_limited(answer.into_body(), 1 << 20).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The URL of a port that nobody listens on.
async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn what_may_be_repeated_is_answered_after_all_that_can_go_wrong_on_the_way() {
    let upstream = upstream([
        vec![Step::Reset],
        vec![Step::Send("HTTP/1.1 200 OK\r\ncontent-le"), Step::Close],
        vec![OK],
        vec![Step::Send("what is this?\r\n\r\n"), Step::Close],
        vec![BUSY],
        vec![OK],
    ])
    .await;
    let service = RetryLayer::default().layer(forward(&upstream.url()));
    for _ in 0..2 {
        let answer = service.clone().oneshot(request("GET", "")).await.unwrap();
        assert_eq!(text(answer).await, "ok");
    }
    assert_eq!(upstream.heads().len(), 6);
}

#[tokio::test]
async fn an_error_page_that_nobody_wants_does_not_cost_its_connection() {
    let down = upstream([vec![BUSY]]).await;
    let service = FallbackLayer::answer(Instead::json("{}")).layer(forward(&down.url()));
    for _ in 0..20 {
        let answer = service.clone().oneshot(request("GET", "")).await.unwrap();
        assert_eq!(text(answer).await, "{}");
        // The connection comes back a moment later; on a busy machine perhaps not each time.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(down.heads().len(), 20);
    assert!(down.connections() < 20, "{} connections", down.connections());
}

#[tokio::test]
async fn another_try_goes_to_another_endpoint_whoever_else_asks_meanwhile() {
    let (down, up) = (upstream([vec![Step::Reset]]).await, upstream([vec![OK]]).await);
    let both = Upstream::new([down.url(), up.url()]).pseudonym(Pseudonym::new("test").unwrap());
    let both = both.build().unwrap();
    // Somebody else takes a turn between any two tries, so that taking turns alone would meet the same endpoint again.
    let crowded = both.clone();
    let taking_turns = tower::service_fn(move |request: Request<Body>| {
        let (crowded, forward) = (crowded.clone(), crowded.clone());
        async move {
            let outcome = forward.oneshot(request).await;
            drop(crowded.oneshot(self::request("GET", "")).await);
            outcome
        }
    });
    let service = RetryLayer::default().tries(2).layer(taking_turns);
    for _ in 0..4 {
        let mut get = request("GET", "");
        Facts::of(get.extensions_mut(), &Clock::default());
        assert_eq!(text(service.clone().oneshot(get).await.unwrap()).await, "ok");
    }
}

#[tokio::test]
async fn a_post_that_may_have_arrived_is_never_sent_twice() {
    let scripts = [
        vec![Step::ReadBody, Step::Reset],
        vec![Step::ReadBody, Step::Close],
        vec![Step::ReadBody, Step::Send("HTTP/1.1 200 OK\r\nconte"), Step::Close],
        vec![Step::ReadBody, BUSY],
        vec![Step::Reset],
    ];
    for script in scripts {
        let upstream = upstream([script.clone(), vec![Step::ReadBody, OK]]).await;
        let meter = Meter::default();
        let service = RetryLayer::default().meter(&meter, "pay").layer(forward(&upstream.url()));
        let outcome = service.oneshot(request("POST", "pay 1")).await;
        assert!(outcome.is_err() || outcome.unwrap().status() == 503);
        assert_eq!(upstream.heads().len(), 1, "{script:?}");
        let why = "gateway_retries_abandoned_total{place=\"pay\",reason=\"method\"} 1";
        assert!(meter.render().contains(why), "{script:?}: {}", meter.render());
    }
}

#[tokio::test]
async fn a_post_that_cannot_have_arrived_is_sent_again_whole() {
    let url = nobody().await;
    let meter = Meter::default();
    let retry = RetryLayer::default().meter(&meter, "pay");
    let other = upstream([vec![Step::ReadBody, OK]]).await;
    let service = FallbackLayer::service(forward(&other.url())).layer(retry.layer(forward(&url)));
    let (sender, body) = channel();
    tokio::spawn(async move { sender.data("pay ").await && sender.data("1").await });
    let answer = service.oneshot(request("POST", body)).await.unwrap();
    assert_eq!(answer.headers()["x-fallback"], "upstream_connect");
    assert_eq!(text(answer).await, "ok");
    assert!(String::from_utf8_lossy(&other.bodies()[0]).contains("pay "));
    assert!(meter.render().contains("gateway_retries_total{place=\"pay\"} 2"), "{}", meter.render());
}

#[tokio::test]
async fn a_put_is_sent_again_byte_for_byte() {
    let upstream =
        upstream([vec![Step::ReadBody, Step::Reset], vec![Step::Reset], vec![Step::ReadBody, OK]]).await;
    let service = RetryLayer::default().layer(forward(&upstream.url()));
    let document: Vec<u8> = (0..60_000_u32).map(|number| (number % 251) as u8).collect();
    let answer = service.oneshot(request("PUT", document.clone())).await.unwrap();
    assert_eq!(text(answer).await, "ok");
    assert_eq!(upstream.bodies(), [document.clone(), document]);
    let lengths = upstream.heads();
    assert!(lengths.iter().all(|head| head.contains("content-length: 60000")), "{lengths:?}");
}

#[tokio::test]
async fn a_large_upload_streams_and_is_sent_once() {
    let upstream = upstream([vec![Step::ReadBody, BUSY], vec![Step::ReadBody, OK]]).await;
    let meter = Meter::default();
    let service = RetryLayer::default().meter(&meter, "files").layer(forward(&upstream.url()));
    let large = vec![7; 1 << 20];
    let answer = service.oneshot(request("PUT", large.clone())).await.unwrap();
    assert_eq!((answer.status().as_u16(), text(answer).await.as_str()), (503, "busy"));
    assert_eq!(upstream.bodies(), [large]);
    let why = "gateway_retries_abandoned_total{place=\"files\",reason=\"body\"} 1";
    assert!(meter.render().contains(why), "{}", meter.render());
}

#[tokio::test]
async fn an_answer_that_began_is_never_tried_again() {
    let upstream = upstream([
        vec![Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"), Step::Reset],
        vec![OK],
    ])
    .await;
    let tries = RetryLayer::default().layer(forward(&upstream.url()));
    let service = FallbackLayer::answer(Instead::json("{}")).layer(tries);
    let answer = service.oneshot(request("GET", "")).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(Body::collect_limited(answer.into_body(), 100).await.is_err(), "it breaks off visibly");
    assert_eq!(upstream.heads().len(), 1);
}

#[tokio::test]
async fn an_upload_is_taken_from_a_try_that_took_too_long() {
    let upstream = upstream([vec![Step::Stall], vec![Step::ReadBody, OK]]).await;
    let one_try = TryTimeoutLayer::new(Duration::from_millis(50)).layer(forward(&upstream.url()));
    let tries = RetryLayer::default().tries(9).layer(one_try);
    let service = TimeoutLayer::new(Duration::from_secs(30)).layer(tries);
    let answer = service.oneshot(request("PUT", "document")).await.unwrap();
    assert_eq!(text(answer).await, "ok");
    assert_eq!(upstream.bodies().last().unwrap(), b"document");
}

#[tokio::test]
async fn a_failure_that_stays_is_answered_by_the_other_upstream() {
    let down = upstream([vec![Step::ReadBody, Step::Reset]]).await;
    let other = upstream([vec![Step::ReadBody, OK]]).await;
    let tries = RetryLayer::default().tries(2).layer(forward(&down.url()));
    let service = FallbackLayer::service(forward(&other.url())).layer(tries);
    let answer = service.clone().oneshot(request("PUT", "document")).await.unwrap();
    assert_eq!(answer.headers()["x-fallback"], "upstream_reset");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(text(answer).await, "ok");
    assert_eq!((down.bodies().len(), other.bodies()), (2, vec![b"document".to_vec()]));

    let error = service.oneshot(request("POST", "pay 1")).await.unwrap_err();
    assert_eq!(error.failure().unwrap().kind(), ErrorKind::Reset);
    assert_eq!((down.bodies().len(), other.bodies().len()), (3, 1), "nothing is paid twice");
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_waiting_and_the_try() {
    let upstream = upstream([vec![Step::Stall]]).await;
    let service = RetryLayer::default().layer(forward(&upstream.url()));
    let (sender, body) = channel();
    let waiting = tokio::spawn(service.oneshot(request("PUT", body)));
    while upstream.heads().is_empty() {
        tokio::task::yield_now().await;
    }
    waiting.abort();
    while !sender.is_dropped() {
        tokio::task::yield_now().await;
    }
    assert!(waiting.await.is_err_and(|error| error.is_cancelled()));
}

/// Hundreds of requests side by side, against an upstream that goes wrong in every way it knows, by chance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_every_body_arrives_whole_and_no_post_twice() {
    let random = Random::seeded(7);
    let script = (0..900).map(|_| match random.next() % 12 {
        0 => vec![Step::Reset],
        1 => vec![Step::ReadBody, Step::Reset],
        2 => vec![Step::ReadBody, Step::Send("HTTP/1.1 200 O"), Step::Close],
        3 => vec![Step::ReadBody, BUSY],
        _ => vec![Step::ReadBody, OK],
    });
    let upstream = upstream(script.chain([vec![Step::ReadBody, OK]])).await;
    let service = RetryLayer::default()
        .random(random.clone())
        .backoff(Duration::from_millis(1), Duration::from_millis(5))
        .layer(forward(&upstream.url()));
    let body = |number: usize| {
        let mut body = format!("{number} ").into_bytes();
        body.resize(10 + (number * 7919) % 50_000, b'x');
        body
    };
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..300 {
        let service = service.clone();
        let method = if number % 3 == 0 { "POST" } else { "PUT" };
        let request = request(method, body(number));
        requests.spawn(async move {
            let answer = service.oneshot(request).await.ok()?;
            let is_well = answer.status() == 200;
            drop(Body::collect_limited(answer.into_body(), 100).await);
            is_well.then_some(number)
        });
    }
    let well = requests.join_all().await.into_iter().flatten().count();
    assert!(well > 200, "{well} of 300");
    let mut seen = std::collections::HashMap::new();
    for found in upstream.bodies() {
        let number = String::from_utf8_lossy(&found).split(' ').next().unwrap().parse().unwrap();
        assert!(found == body(number), "the body of {number} has {} bytes", found.len());
        *seen.entry(number).or_insert(0) += 1;
    }
    let twice: Vec<_> = seen.iter().filter(|&(number, &times)| number % 3 == 0 && times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert!(seen.values().any(|&times| times > 1), "others are tried again");
}

#[tokio::test]
async fn the_builder_knows_the_order_of_all_that_recovers() {
    let shaky = upstream([vec![Step::Reset], vec![OK]]).await;
    let gateway = Gateway::builder()
        .route(Rule::prefix("/"), |route| {
            route
                .layer(TimeoutLayer::new(Duration::from_secs(5)))
                .layer(FallbackLayer::answer(Instead::json("{}")))
                .layer(RetryLayer::default())
                .layer(TryTimeoutLayer::new(Duration::from_secs(1)))
                .upstream(Upstream::new([shaky.url()]))
        })
        .build()
        .unwrap();
    let Ok(answer) = gateway.oneshot(request("GET", "")).await;
    assert_eq!(text(answer).await, "ok");
}

#[tokio::test]
async fn a_declared_route_recovers_as_a_written_one() {
    let shaky = upstream([vec![Step::Reset], vec![BUSY], vec![OK], vec![Step::ReadBody, BUSY]]).await;
    let other = upstream([vec![Step::ReadBody, OK]]).await;
    let text_of = format!(
        "routes:\n\
         - name: all\n  prefix: /\n  timeout: {{request: 5s, per_try: 1s}}\n  retry: {{tries: 3, backoff: 1ms}}\n\
         \x20 fallback: {{upstream: '{other}', credentials: pass}}\n  upstream: '{shaky}'\n",
        other = other.url(),
        shaky = shaky.url()
    );
    let context = Context::default();
    let declared = config::load(Source { name: "test", text: &text_of }, |_| None, &context).unwrap();
    let ask = async |request: Request<Body>| {
        let Ok(answer) = declared.service().oneshot(request).await;
        let why = answer.headers().get("x-fallback").map(|why| why.to_str().unwrap().to_owned());
        (text(answer).await, why)
    };
    assert_eq!(ask(request("GET", "")).await, ("ok".to_owned(), None));
    let instead = ("ok".to_owned(), Some("status_503".to_owned()));
    assert_eq!(ask(request("PUT", "document")).await, instead);
    assert_eq!(shaky.bodies().len(), 3, "three tries");
    assert_eq!(other.bodies(), [b"document"]);
    let metrics = context.meter.render();
    for line in [
        "gateway_retries_total{place=\"all\"} 4",
        "gateway_retries_abandoned_total{place=\"all\",reason=\"tries\"} 1",
        "gateway_fallbacks_total{place=\"all\",reason=\"status_503\"} 1",
        "gateway_buffered_bytes 0",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}
