//! Keys that are kept somewhere else: when they are asked for, and what happens while they cannot be had.

use std::{
    future::pending,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gateway_core::{Body, Clock, Facts, Refusal, clock::ManualClock, meter::Meter};
use http::{Request, Response};
use serde_json::json;
use tokio::task::yield_now;
use tower::{Layer, ServiceExt, service_fn};

use super::{ISSUER, Signer, claims, key_sets, keys, wall};
use crate::jwt::{Algorithm, JwtLayer, KeyDocument, KeySource, RemoteKeys};

/// A source that answers what it is told to, and counts.
#[derive(Clone, Default)]
struct Source(Arc<Inner>);

#[derive(Default)]
struct Inner {
    fetches: AtomicUsize,
    answer: Mutex<Answer>,
}

#[derive(Clone, Default)]
enum Answer {
    #[default]
    Hangs,
    Fails,
    Is(String, Option<Duration>),
}

impl Source {
    fn says(&self, answer: Answer) {
        *self.0.answer.lock().unwrap() = answer;
    }

    fn has(&self, keys: &[serde_json::Value]) {
        self.says(Answer::Is(json!({"keys": keys}).to_string(), None));
    }

    fn fetches(&self) -> usize {
        self.0.fetches.load(Ordering::SeqCst)
    }
}

impl KeySource for Source {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<KeyDocument, String>> + Send>> {
        self.0.fetches.fetch_add(1, Ordering::SeqCst);
        let answer = self.0.answer.lock().unwrap().clone();
        Box::pin(async move {
            yield_now().await;
            match answer {
                Answer::Hangs => pending().await,
                Answer::Fails => Err("down".to_owned()),
                Answer::Is(text, max_age) => Ok(KeyDocument { body: text.into(), max_age }),
            }
        })
    }

    fn name(&self) -> String {
        "test".to_owned()
    }
}

struct World {
    source: Source,
    layer: JwtLayer,
    clock: Clock,
    hands: ManualClock,
    meter: Meter,
}

impl World {
    fn new() -> Self {
        let (source, meter, (clock, hands)) = (Source::default(), Meter::default(), Clock::manual());
        hands.set_wall(wall());
        let keys = RemoteKeys::new(source.clone(), [Algorithm::Rs256]).clock(clock.clone()).meter(&meter);
        let layer =
            JwtLayer::new(ISSUER, ["orders"], keys).leeway(Duration::from_secs(200_000)).clock(clock.clone());
        Self { source, layer, clock, hands, meter }
    }

    /// Who passed, or the code and `Retry-After`.
    async fn ask(&self, token: &str) -> String {
        ask(&self.layer, token).await
    }

    /// Lets time pass, and everything that waits for it happen.
    async fn pass(&self, seconds: u64) {
        settle().await;
        for _ in 0..seconds {
            self.hands.advance(Duration::from_secs(1));
            settle().await;
        }
    }
}

async fn settle() {
    for _ in 0..8 {
        yield_now().await;
    }
}

async fn ask(layer: &JwtLayer, token: &str) -> String {
    let echo = |request: Request<Body>| async move {
        let caller = Facts::get(request.extensions()).and_then(Facts::principal).unwrap().id().to_owned();
        Ok::<_, std::convert::Infallible>(
            Response::builder().header("x-caller", caller).body(Body::empty()).unwrap(),
        )
    };
    let request =
        Request::get("/").header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
    let answer = layer.layer(service_fn(echo)).oneshot(request).await.unwrap();
    match answer.extensions().get::<Refusal>() {
        Some(refusal) => {
            let after = answer.headers().get("retry-after").map_or("", |value| value.to_str().unwrap());
            format!("{} {after}", refusal.code()).trim_end().to_owned()
        }
        None => answer.headers()["x-caller"].to_str().unwrap().to_owned(),
    }
}

fn token() -> String {
    Signer::new("rs", Algorithm::Rs256).token(&claims())
}

/// A token by a key of another name.
fn new_token() -> String {
    Signer::of("other", Algorithm::Rs256, keys::OTHER_RSA).token(&claims())
}

#[tokio::test]
async fn the_first_requests_wait_for_one_fetch() {
    let world = World::new();
    world.source.has(&[key_sets::rsa_jwk()]);
    assert_eq!(world.source.fetches(), 0, "nothing is fetched before it is needed");
    let token = token();
    let asked: Vec<_> = (0..50)
        .map(|_| {
            let (layer, token) = (world.layer.clone(), token.clone());
            tokio::spawn(async move { ask(&layer, &token).await })
        })
        .collect();
    for answer in asked {
        assert_eq!(answer.await.unwrap(), "ada");
    }
    assert_eq!(world.source.fetches(), 1);
}

#[tokio::test]
async fn without_keys_nobody_knows_and_nobody_waits_for_long() {
    let world = World::new();
    let (layer, token) = (world.layer.clone(), token());
    let asked = tokio::spawn(async move { ask(&layer, &token).await });
    world.pass(4).await;
    assert!(!asked.is_finished());
    world.pass(1).await;
    assert_eq!(asked.await.unwrap(), "keys_unavailable 1");
}

#[tokio::test]
async fn nobody_waits_for_keys_beyond_the_deadline() {
    let world = World::new();
    let mut request = Request::get("/").header("authorization", "Bearer a.b.c").body(Body::empty()).unwrap();
    let facts = Facts::arrived_at(world.clock.now());
    facts.tighten_deadline(world.clock.now() + Duration::from_secs(2));
    request.extensions_mut().insert(facts);
    let nothing = service_fn(|_: Request<Body>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    });
    let asked = tokio::spawn(world.layer.layer(nothing).oneshot(request));
    world.pass(2).await;
    assert!(asked.is_finished());
    assert_eq!(asked.await.unwrap().unwrap().status(), 503);
}

#[tokio::test]
async fn a_source_that_fails_is_asked_again_later_and_later() {
    let world = World::new();
    world.source.says(Answer::Fails);
    assert_eq!(world.ask(&token()).await, "keys_unavailable 1");
    assert_eq!(world.ask(&token()).await, "keys_unavailable 1");
    assert_eq!(world.source.fetches(), 1, "the second did not ask at once");
    world.pass(600).await;
    let fetches = world.source.fetches();
    assert!((14..=17).contains(&fetches), "after 1, 2, 4 ... 32, then every 60 s: {fetches}");
    world.source.has(&[key_sets::rsa_jwk()]);
    world.pass(60).await;
    assert_eq!(world.ask(&token()).await, "ada");
    assert!(world.meter.render().contains("gateway_jwks_keys{source=\"test\"} 1"));
}

#[tokio::test]
async fn a_new_key_is_found_when_a_token_names_it_and_an_old_one_goes() {
    let world = World::new();
    world.source.has(&[key_sets::rsa_jwk()]);
    assert_eq!(world.ask(&token()).await, "ada");
    world.pass(11).await;
    world.source.has(&[key_sets::other_rsa_jwk()]);
    assert_eq!(world.ask(&token()).await, "ada", "remembered");
    assert_eq!(world.ask(&new_token()).await, "ada");
    assert_eq!(world.source.fetches(), 2);
    assert_eq!(world.ask(&token()).await, "token_invalid", "its key is gone, so it is not remembered");
}

#[tokio::test]
async fn a_key_that_changed_under_its_name_is_found_too() {
    let world = World::new();
    world.source.has(&[key_sets::rsa_jwk()]);
    assert_eq!(world.ask(&token()).await, "ada");
    world.pass(11).await;
    let mut changed = key_sets::other_rsa_jwk();
    changed["kid"] = json!("rs");
    world.source.has(&[changed]);
    let token = Signer::of("rs", Algorithm::Rs256, keys::OTHER_RSA).token(&claims());
    assert_eq!(world.ask(&token).await, "ada");
}

#[tokio::test]
async fn a_thousand_unknown_keys_cause_one_fetch() {
    let world = World::new();
    world.source.has(&[key_sets::rsa_jwk()]);
    assert_eq!(world.ask(&token()).await, "ada");
    world.pass(11).await;
    let signer = Signer::of("other", Algorithm::Rs256, keys::OTHER_RSA);
    let before = world.source.fetches();
    let asked: Vec<_> = (0..1_000)
        .map(|number| {
            let mut header = signer.header();
            header["kid"] = json!(format!("unknown-{number}"));
            let forged = format!("{}.{}.AAAA", super::encode(header.to_string()), super::encode("{}"));
            let layer = world.layer.clone();
            tokio::spawn(async move { ask(&layer, &forged).await })
        })
        .collect();
    for answer in asked {
        assert_eq!(answer.await.unwrap(), "token_invalid");
    }
    assert_eq!(world.source.fetches() - before, 1);
}

#[tokio::test]
async fn the_last_good_set_is_used_while_the_source_is_down_but_not_for_ever() {
    let world = World::new();
    world.source.has(&[key_sets::rsa_jwk()]);
    assert_eq!(world.ask(&token()).await, "ada");
    for answer in [
        Answer::Fails,
        Answer::Is("<html>".to_owned(), None),
        Answer::Is("{\"keys\":[]}".to_owned(), None),
        Answer::Is(json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}).to_string(), None),
    ] {
        world.source.says(answer);
        world.pass(900).await;
        assert_eq!(world.ask(&token()).await, "ada");
    }
    assert!(world.source.fetches() > 10);
    assert_eq!(
        world.ask(&new_token()).await,
        "keys_unavailable 1",
        "nobody knows whether the issuer has a new key"
    );
    world.hands.advance(RemoteKeys::MAX_STALE);
    settle().await;
    assert!(world.ask(&token()).await.starts_with("keys_unavailable"), "old keys do not live for ever");
}

#[tokio::test]
async fn a_set_is_fetched_again_before_it_is_old_as_its_source_says() {
    for (max_age, expected) in [(None, 600), (Some(1), 60), (Some(300), 300), (Some(86_400), 3_600)] {
        let world = World::new();
        let set = json!({"keys": [key_sets::rsa_jwk()]}).to_string();
        world.source.says(Answer::Is(set, max_age.map(Duration::from_secs)));
        assert_eq!(world.ask(&token()).await, "ada");
        world.pass(expected - 1).await;
        assert_eq!(world.source.fetches(), 1, "{max_age:?}");
        world.pass(2).await;
        assert_eq!(world.source.fetches(), 2, "{max_age:?}");
    }
}

#[tokio::test]
async fn the_fetch_goes_on_when_the_request_that_caused_it_leaves() {
    let world = World::new();
    world.source.has(&[key_sets::rsa_jwk()]);
    let request =
        Request::get("/").header("authorization", format!("Bearer {}", token())).body(Body::empty()).unwrap();
    let nothing = service_fn(|_: Request<Body>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    });
    let mut leaving = Box::pin(world.layer.layer(nothing).oneshot(request));
    assert!(futures_poll(&mut leaving).await.is_none());
    drop(leaving);
    assert_eq!(world.ask(&token()).await, "ada");
    assert_eq!(world.source.fetches(), 1);
}

async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn nothing_is_left_when_the_layer_goes() {
    let world = World::new();
    world.source.has(&[key_sets::rsa_jwk()]);
    assert_eq!(world.ask(&token()).await, "ada");
    let source = world.source.clone();
    drop(world);
    settle().await;
    assert_eq!(Arc::strong_count(&source.0), 1, "the tasks are gone");
}

#[cfg(feature = "client")]
mod over_the_wire {
    use gateway_core::testing::{ScriptedUpstream, Step};

    use super::*;

    /// An answer for a script; it lives as long as the tests.
    fn answer(body: &str, head: &str) -> Vec<Step> {
        let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{head}\r\n{body}", body.len());
        vec![Step::Send(Box::leak(text.into_boxed_str()))]
    }

    fn layer(url: &str) -> JwtLayer {
        let (clock, hands) = Clock::manual();
        hands.set_wall(wall());
        let keys =
            RemoteKeys::from_url(url, [Algorithm::Rs256]).unwrap().patience(Duration::from_millis(300));
        JwtLayer::new(ISSUER, ["orders"], keys).clock(clock)
    }

    #[tokio::test]
    async fn keys_come_from_a_real_server() {
        let set = json!({"keys": [key_sets::rsa_jwk()]}).to_string();
        let server =
            ScriptedUpstream::start([answer(&set, "cache-control: public, max-age=120\r\n")]).await.unwrap();
        let layer = layer(&format!("{}/.well-known/jwks.json", server.url()));
        for _ in 0..3 {
            assert_eq!(ask(&layer, &token()).await, "ada");
        }
        assert_eq!(server.heads().len(), 1);
        assert!(
            server.heads()[0].starts_with("GET /.well-known/jwks.json HTTP/1.1\r\n"),
            "{:?}",
            server.heads()
        );
        assert!(!server.heads()[0].contains("authorization"), "nothing of the request goes there");
    }

    #[tokio::test]
    async fn a_rotation_is_found_over_the_wire_and_unknown_keys_cost_one_fetch() {
        let set = |keys: &[serde_json::Value]| answer(&json!({"keys": keys}).to_string(), "");
        let both = set(&[key_sets::rsa_jwk(), key_sets::other_rsa_jwk()]);
        let server = ScriptedUpstream::start([set(&[key_sets::rsa_jwk()]), both]).await.unwrap();
        let (clock, hands) = Clock::manual();
        hands.set_wall(wall());
        let keys = RemoteKeys::from_url(&server.url(), [Algorithm::Rs256]).unwrap().clock(clock.clone());
        let layer = JwtLayer::new(ISSUER, ["orders"], keys).clock(clock);
        assert_eq!(ask(&layer, &token()).await, "ada");
        hands.advance(RemoteKeys::REFETCH);
        let asked: Vec<_> = (0..1_000)
            .map(|number| {
                let layer = layer.clone();
                let header = json!({"alg": "RS256", "kid": format!("unknown-{number}")}).to_string();
                let forged = format!("{}.{}.AAAA", super::super::encode(header), super::super::encode("{}"));
                tokio::spawn(async move { ask(&layer, &forged).await })
            })
            .collect();
        for answer in asked {
            assert_eq!(answer.await.unwrap(), "token_invalid");
        }
        assert_eq!(server.heads().len(), 2);
        assert_eq!(ask(&layer, &new_token()).await, "ada");
        assert_eq!(ask(&layer, &token()).await, "ada");
        assert_eq!(server.heads().len(), 2);
    }

    #[tokio::test]
    async fn a_server_that_hangs_or_fails_is_503_and_soon() {
        let error = vec![Step::Send("HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}")];
        let moved = vec![Step::Send(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        )];
        for steps in [vec![Step::Stall], error, moved, vec![Step::Reset], answer("{}", "")] {
            let server = ScriptedUpstream::start([steps]).await.unwrap();
            let answer = ask(&layer(&server.url()), &token()).await;
            assert_eq!(answer, "keys_unavailable 1");
        }
    }
}
