//! The layer as a service: what it answers, writes and takes away.

use std::time::Duration;

use gateway_core::{
    Body, Clock, Explanation, Facts, Gate, Mode, Refusal, Verdict,
    clock::ManualClock,
    meter::{Decisions, Meter},
    phase::Staged,
    testing::contract,
};
use http::{HeaderName, Request, Response};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use super::{ISSUER, NOW, Signer, claims, claims_with, wall};
use crate::jwt::{Algorithm, JwtLayer, TokenPlace};

fn signer() -> Signer {
    Signer::new("es", Algorithm::Es256)
}

fn layer() -> (JwtLayer, ManualClock) {
    let (clock, hands) = Clock::manual();
    hands.set_wall(wall());
    let layer = JwtLayer::new(ISSUER, ["orders"], [signer().key()]).clock(clock);
    (layer.tenant("org").header(HeaderName::from_static("x-user"), "sub"), hands)
}

fn bearer(token: &str) -> Request<Body> {
    with(&[("authorization", &format!("Bearer {token}"))])
}

fn with(headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = contract::request();
    for (name, value) in headers {
        request.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    request
}

/// The status, the code and the challenge; or who passed, and what of the request's headers the service behind saw.
async fn answer(layer: &JwtLayer, request: Request<Body>) -> String {
    let echo = |request: Request<Body>| async move {
        let caller = Facts::get(request.extensions()).and_then(Facts::principal);
        let caller = caller.map_or("nobody", |caller| caller.id());
        let seen = ["x-user", "x_user", "authorization", "cookie"].iter().filter_map(|name| {
            let value = request.headers().get(*name)?;
            Some(format!(" {name}={value:?}"))
        });
        Ok::<_, std::convert::Infallible>(Response::new(Body::from(
            caller.to_owned() + &seen.collect::<String>(),
        )))
    };
    let answer = layer.layer(service_fn(echo)).oneshot(request).await.unwrap();
    if let Some(refusal) = answer.extensions().get::<Refusal>() {
        let challenge = answer.headers().get("www-authenticate");
        let challenge = challenge.map_or("", |value| value.to_str().unwrap());
        return format!("{} {} {challenge}", refusal.status().as_u16(), refusal.code());
    }
    String::from_utf8(Body::collect_limited(answer.into_body(), 1_000).await.unwrap().to_vec()).unwrap()
}

const MISSING: &str = "401 token_missing Bearer realm=\"gateway\"";
const INVALID: &str = "401 token_invalid Bearer realm=\"gateway\", error=\"invalid_token\", error_description=\"the token is not valid here\"";
const EXPIRED: &str = "401 token_invalid Bearer realm=\"gateway\", error=\"invalid_token\", error_description=\"the token has expired\"";
const SEVERAL: &str = "400 invalid_request Bearer realm=\"gateway\", error=\"invalid_request\", error_description=\"the request carries more than one token\"";

#[tokio::test]
async fn keeps_the_contract() {
    let (layer, _) = layer();
    let token = signer().token(&claims());
    contract::check_with(layer.clone(), || bearer(&token)).await;
    contract::check(layer.clone().optional()).await;
    contract::check(layer.mode(Mode::Audit)).await;
}

#[tokio::test]
async fn each_request_gets_the_answer_that_the_rfc_says() {
    let (layer, _) = layer();
    let good = signer().token(&claims());
    let expired = signer().token(&claims_with("exp", json!(NOW - 60)));
    let authorization = format!("Bearer {good}");
    for (request, expected) in [
        (bearer(&good), "ada x-user=\"ada\""),
        (with(&[("authorization", &format!("bEaReR {good}"))]), "ada x-user=\"ada\""),
        (with(&[]), MISSING),
        (with(&[("authorization", "Basic YTpi")]), MISSING),
        (with(&[("authorization", &good)]), MISSING),
        (bearer(""), INVALID),
        (bearer("x"), INVALID),
        (bearer(&expired), EXPIRED),
        (bearer(&format!("{good} {good}")), INVALID),
        (with(&[("authorization", &authorization), ("authorization", &authorization)]), SEVERAL),
        (with(&[("authorization", "Basic YTpi"), ("authorization", &authorization)]), SEVERAL),
    ] {
        let shown = format!("{:?}", request.headers());
        assert_eq!(answer(&layer, request).await, expected, "{shown}");
    }
}

#[tokio::test]
async fn who_the_caller_is_is_never_its_own_word() {
    let (layer, _) = layer();
    assert_eq!(layer.owned_headers(), ["x-user"]);
    let spoofed = || with(&[("x-user", "root"), ("x_user", "root"), ("x-user", "root")]);
    let optional = layer.clone().optional();
    assert_eq!(answer(&optional, spoofed()).await, "nobody");
    assert_eq!(answer(&layer.clone().mode(Mode::Off), spoofed()).await, "nobody");
    assert_eq!(answer(&layer.clone().mode(Mode::Audit), spoofed()).await, "nobody");
    let mut request = bearer(&signer().token(&claims()));
    request.headers_mut().extend(spoofed().headers().clone());
    assert_eq!(answer(&layer, request).await, "ada x-user=\"ada\"");
    let absent = layer.clone().header(HeaderName::from_static("x-user"), "absent");
    let layer = JwtLayer::new(ISSUER, ["orders"], [signer().key()])
        .header(HeaderName::from_static("x-user"), "absent");
    let (clock, hands) = Clock::manual();
    hands.set_wall(wall());
    let mut request = bearer(&signer().token(&claims()));
    request.headers_mut().extend(spoofed().headers().clone());
    assert_eq!(answer(&layer.clock(clock), request).await, "ada", "a claim that is not there");
    assert_eq!(absent.owned_headers().len(), 2);
}

#[tokio::test]
async fn the_token_stays_here_unless_it_is_to_go_on() {
    let (layer, _) = layer();
    let token = signer().token(&claims());
    assert_eq!(
        answer(&layer.clone().forward(true), bearer(&token)).await,
        "ada x-user=\"ada\" authorization=Sensitive"
    );
    let cookie = layer.clone().place(TokenPlace::Cookie("session".to_owned()));
    let request = with(&[("cookie", &format!("a=1; session={token}; b=2"))]);
    assert_eq!(answer(&cookie, request).await, "ada x-user=\"ada\" cookie=\"a=1; b=2\"");
    let header = layer.clone().place(TokenPlace::Header(HeaderName::from_static("x_user")));
    assert_eq!(answer(&header, with(&[("authorization", "Basic x")])).await, MISSING);
}

#[tokio::test]
async fn no_token_may_be_nobody_but_a_bad_one_is_refused() {
    let layer = layer().0.optional();
    assert_eq!(answer(&layer, with(&[])).await, "nobody");
    assert_eq!(answer(&layer, with(&[("authorization", "Basic x")])).await, "nobody authorization=Sensitive");
    assert_eq!(answer(&layer, bearer("x")).await, INVALID);
}

#[tokio::test]
async fn audit_takes_nothing_away_and_lets_pass() {
    let meter = Meter::default();
    let layer = layer().0.mode(Mode::Audit).meter(&meter, "here");
    assert_eq!(answer(&layer, bearer("x")).await, "nobody authorization=Sensitive");
    let good = bearer(&signer().token(&claims()));
    assert_eq!(answer(&layer, good).await, "ada x-user=\"ada\" authorization=Sensitive");
    let decisions = Decisions::new(&meter, "jwt", "here");
    assert_eq!((decisions.value(Verdict::WouldRefuse), decisions.value(Verdict::Pass)), (1, 1));
}

#[tokio::test]
async fn a_remembered_token_still_expires() {
    let meter = Meter::default();
    let (layer, hands) = layer();
    let layer = layer.meter(&meter, "here");
    let token = signer().token(&claims());
    for _ in 0..3 {
        assert_eq!(answer(&layer.clone(), bearer(&token)).await, "ada x-user=\"ada\"");
    }
    assert!(meter.render().contains("gateway_jwt_cache_hits_total{place=\"here\"} 2"), "{}", meter.render());
    hands.advance(Duration::from_secs(629));
    assert_eq!(answer(&layer, bearer(&token)).await, "ada x-user=\"ada\"");
    hands.advance(Duration::from_secs(1));
    assert_eq!(answer(&layer, bearer(&token)).await, EXPIRED);
    hands.set_wall(wall() - Duration::from_secs(91));
    assert_eq!(answer(&layer, bearer(&token)).await, INVALID, "a clock that is set back");
}

#[tokio::test]
async fn without_an_audience_nothing_passes_unless_any_is_good() {
    let (clock, hands) = Clock::manual();
    hands.set_wall(wall());
    let layer = JwtLayer::new(ISSUER, [""; 0], [signer().key()]).clock(clock);
    let token = signer().token(&claims());
    assert_eq!(answer(&layer, bearer(&token)).await, INVALID);
    assert_eq!(answer(&layer.clone().any_audience(), bearer(&token)).await, "ada");
    let none = signer().token(&claims_with("aud", Value::Null));
    assert_eq!(answer(&layer.any_audience(), bearer(&none)).await, "ada");
}

#[tokio::test]
async fn another_issuer_passes_only_where_any_is_good_and_is_another_caller_there() {
    let (clock, hands) = Clock::manual();
    hands.set_wall(wall());
    let layer = JwtLayer::new(ISSUER, ["orders"], [signer().key()]).clock(clock);
    let other = signer().token(&claims_with("iss", "https://elsewhere.test".into()));
    let none = signer().token(&claims_with("iss", Value::Null));
    let number = signer().token(&claims_with("iss", 7.into()));
    for token in [&other, &none, &number] {
        assert_eq!(answer(&layer, bearer(token)).await, INVALID);
    }
    let layer = layer.any_issuer();
    assert_eq!(answer(&layer, bearer(&other)).await, "ada");
    assert_eq!(answer(&layer, bearer(&none)).await, "ada");
    assert_eq!(answer(&layer, bearer(&number)).await, INVALID);
}

#[test]
fn explains_by_the_same_decision() {
    let gate = layer().0.into_gate();
    for (request, expected) in [
        (bearer(&signer().token(&claims())), "jwt: pass: a token of ada"),
        (with(&[]), "jwt: refuse: there is no token in bearer"),
        (bearer("a.b"), "jwt: refuse: it has fewer than three parts"),
        (bearer(&signer().token(&claims_with("aud", json!("x")))), "jwt: refuse: its `aud` is somebody else"),
    ] {
        let mut said: Vec<Explanation> = Vec::new();
        gate.explain(&request.into_parts().0, &mut said);
        assert_eq!(said[0].to_string(), expected);
    }
}
