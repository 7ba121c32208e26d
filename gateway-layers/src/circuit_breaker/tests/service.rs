use std::{
    convert::Infallible,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use gateway_core::{
    Body, BoxError, Clock, Explanation, Facts, Key, Mode, UpstreamError, Verdict,
    error::ErrorKind,
    explain::Explain,
    meter::Meter,
    testing::{Behaviour, Inner, Probe, channel, contract},
};
use http::{HeaderName, Request, Response, StatusCode, request::Parts};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::super::{CircuitBreakerLayer, Head, Outcome, Settings, State};

fn get() -> Request<Body> {
    Request::new(Body::empty())
}

/// Opens after two failures.
fn quick() -> Settings {
    Settings::default().minimum(2).probes(1)
}

async fn status(layer: &CircuitBreakerLayer, answer: u16, request: Request<Body>) -> u16 {
    let service = service_fn(move |_: Request<Body>| async move {
        Ok::<_, BoxError>(Response::builder().status(answer).body(Body::empty())?)
    });
    layer.layer(service).oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn keeps_the_contract() {
    contract::check(CircuitBreakerLayer::new(Settings::default().minimum(1_000_000))).await;
    contract::check(CircuitBreakerLayer::off()).await;
    contract::check(CircuitBreakerLayer::default().mode(Mode::Off)).await;
    let keyed = CircuitBreakerLayer::new(Settings::default().minimum(1_000_000));
    contract::check(keyed.by(Key::client_addr(), 100)).await;
}

#[tokio::test]
async fn opens_probes_and_closes_and_says_when_to_come_back() {
    let (clock, hands) = Clock::manual();
    let meter = Meter::default();
    let layer = CircuitBreakerLayer::new(quick()).clock(clock).meter(&meter, "orders");
    let shown = |line: &str| {
        let text = meter.render();
        assert!(text.contains(line), "{line}\n{text}");
    };
    shown("gateway_circuit_state{place=\"orders\",endpoint=\"*\"} 0");
    assert_eq!([status(&layer, 500, get()).await, status(&layer, 502, get()).await], [500, 502]);
    assert_eq!(layer.breaker().unwrap().state(), State::Open);
    shown("gateway_circuit_state{place=\"orders\",endpoint=\"*\"} 2");

    hands.advance(Duration::from_millis(1500));
    let unasked = service_fn(|_: Request<Body>| async { Err::<Response<Body>, BoxError>("asked".into()) });
    let answer = layer.layer(unasked).oneshot(get()).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"4".parse().unwrap()));
    shown("gateway_circuit_rejected_total{place=\"orders\",endpoint=\"*\"} 1");

    hands.advance(Duration::from_millis(3500));
    assert_eq!(status(&layer, 200, get()).await, 200);
    assert_eq!(layer.breaker().unwrap().state(), State::Closed);
    for to in ["open", "half_open", "closed"] {
        shown(&format!("gateway_circuit_transitions_total{{place=\"orders\",endpoint=\"*\",to=\"{to}\"}} 1"));
    }
    assert_eq!(status(&layer, 200, get()).await, 200);
}

#[tokio::test]
async fn an_error_counts_and_is_passed_on_as_it_is() {
    let layer = CircuitBreakerLayer::new(quick());
    let failing = |kind| {
        let service =
            service_fn(
                move |_: Request<Body>| async move { Err::<Response<Body>, _>(UpstreamError::new(kind)) },
            );
        layer.layer(service).oneshot(get())
    };
    for _ in 0..5 {
        let error = failing(ErrorKind::RequestBody).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RequestBody, "the client's fault opens nothing");
    }
    for _ in 0..2 {
        assert_eq!(failing(ErrorKind::Reset).await.unwrap_err().kind(), ErrorKind::Reset);
    }
    assert_eq!(failing(ErrorKind::Reset).await.unwrap().status(), 503);
}

#[tokio::test]
async fn a_client_that_leaves_is_no_failure_and_gives_its_probe_back_but_a_deadline_that_passed_is_one() {
    let (clock, hands) = Clock::manual();
    let layer = CircuitBreakerLayer::new(quick()).clock(clock.clone());
    let mut service = layer.layer(Inner::Bare(Probe::new(Behaviour::Silent)));
    let mut cx = Context::from_waker(Waker::noop());
    let mut drop_after = |time: Duration, deadline: Option<Duration>| {
        let mut request = get();
        let facts = Facts::of(request.extensions_mut(), &clock).clone();
        if let Some(deadline) = deadline {
            facts.tighten_deadline(facts.arrived() + deadline);
        }
        assert!(Service::<Request<Body>>::poll_ready(&mut service, &mut cx).is_ready());
        let mut future = Box::pin(service.call(request));
        let is_waiting = future.as_mut().poll(&mut cx).is_pending();
        hands.advance(time);
        is_waiting
    };
    let (second, state) = (Duration::from_secs(1), || layer.breaker().unwrap().state());
    for _ in 0..10 {
        assert!(drop_after(second, None) && drop_after(second, Some(2 * second)));
    }
    assert_eq!(state(), State::Closed);
    assert!(drop_after(second, Some(second)) && drop_after(second, Some(second)));
    assert_eq!(state(), State::Open);

    hands.advance(Duration::from_secs(5));
    for _ in 0..3 {
        assert!(
            drop_after(Duration::ZERO, None),
            "each takes the probe's place that the one before gave back"
        );
        assert_eq!(state(), State::HalfOpen);
    }
    assert!(drop_after(second, Some(second)));
    assert_eq!(state(), State::Open);
}

#[tokio::test]
async fn a_body_that_breaks_off_turns_a_success_into_a_failure() {
    let layer = CircuitBreakerLayer::new(quick());
    let answer = async |breaks: bool| {
        let (sender, body) = channel();
        let mut body = Some(body);
        let service = service_fn(move |_: Request<Body>| {
            std::future::ready(body.take().map(Response::new).ok_or_else(|| BoxError::from("called twice")))
        });
        let answer = layer.layer(service).oneshot(get()).await.unwrap();
        tokio::spawn(async move {
            sender.data("half").await;
            if breaks {
                sender.fail("broken").await;
            }
        });
        Body::collect_limited(answer.into_body(), 100).await.is_ok()
    };
    assert!(answer(false).await && !answer(true).await);
    assert_eq!(layer.breaker().unwrap().state(), State::Open, "one of two");
}

#[tokio::test]
async fn slow_calls_open_it_if_they_should() {
    let (clock, hands) = Clock::manual();
    let settings = quick().slow(Duration::from_secs(2), 1.0);
    let layer = CircuitBreakerLayer::new(settings).clock(clock);
    let service = layer.layer(service_fn(|request: Request<Body>| {
        hands.advance(Duration::from_secs(if request.uri().path() == "/slow" { 2 } else { 1 }));
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::empty())))
    }));
    let ask = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        service.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!([ask("/").await, ask("/slow").await, ask("/slow").await], [200; 3]);
    assert_eq!(layer.breaker().unwrap().state(), State::Closed, "two of three");
    hands.advance(Duration::from_secs(20));
    assert_eq!([ask("/slow").await, ask("/slow").await, ask("/slow").await], [200, 200, 503]);
}

#[tokio::test]
async fn audit_counts_and_holds_nothing_back() {
    let meter = Meter::default();
    let layer = CircuitBreakerLayer::new(quick()).mode(Mode::Audit).meter(&meter, "orders");
    for _ in 0..5 {
        assert_eq!(status(&layer, 500, get()).await, 500);
    }
    assert!(meter.render().contains("gateway_circuit_rejected_total{place=\"orders\",endpoint=\"*\"} 3"));
}

#[tokio::test]
async fn every_key_has_a_circuit_of_its_own_and_none_that_is_open_makes_room() {
    let name = HeaderName::from_static("x-host");
    let layer = CircuitBreakerLayer::new(quick()).by(Key::header(name), 16);
    let from = |key: &str| Request::get("/").header("x-host", key).body(Body::empty()).unwrap();
    for _ in 0..2 {
        assert_eq!(status(&layer, 500, from("bad")).await, 500);
    }
    assert_eq!(status(&layer, 200, from("bad")).await, 503);
    assert_eq!(status(&layer, 200, from("good")).await, 200);
    assert_eq!(status(&layer, 200, get()).await, 200);
    for key in 0..500 {
        status(&layer, 200, from(&key.to_string())).await;
    }
    assert_eq!(status(&layer, 200, from("bad")).await, 503, "it is still open");
}

#[tokio::test]
async fn circuits_that_are_closed_and_idle_make_room_for_others() {
    let (clock, hands) = Clock::manual();
    let name = HeaderName::from_static("x-host");
    let layer = CircuitBreakerLayer::new(quick()).by(Key::header(name), 1).clock(clock);
    let from = |key: u32| Request::get("/").header("x-host", key).body(Body::empty()).unwrap();
    for round in 0..3 {
        for key in 0..200 {
            status(&layer, 200, from(1_000 * round + key)).await;
        }
        hands.advance(Duration::from_secs(20));
    }
    let fails_alone = 5_000;
    for _ in 0..2 {
        status(&layer, 500, from(fails_alone)).await;
    }
    assert_eq!(status(&layer, 200, from(fails_alone)).await, 503);
    assert_eq!(
        layer.breaker().unwrap().state(),
        State::Closed,
        "it had a circuit of its own, not the spare one"
    );
}

#[tokio::test]
async fn an_operator_can_force_it() {
    let layer = CircuitBreakerLayer::new(quick());
    let breaker = layer.breaker().unwrap();
    breaker.force_open();
    assert_eq!(status(&layer, 200, get()).await, 503);
    breaker.force_closed();
    for _ in 0..5 {
        assert_eq!(status(&layer, 500, get()).await, 500);
    }
    breaker.reset();
    for _ in 0..2 {
        assert_eq!(status(&layer, 500, get()).await, 500);
    }
    assert_eq!(status(&layer, 500, get()).await, 503);
}

#[tokio::test]
async fn a_classifier_of_ones_own_decides() {
    let layer = CircuitBreakerLayer::new(quick()).classify(|answer: Result<Head<'_>, &_>| {
        let is_busy = answer.is_ok_and(|head| head.status == StatusCode::TOO_MANY_REQUESTS);
        if is_busy { Outcome::Failure } else { Outcome::Success }
    });
    assert_eq!([status(&layer, 500, get()).await, status(&layer, 500, get()).await], [500; 2]);
    assert_eq!([status(&layer, 429, get()).await, status(&layer, 429, get()).await], [429; 2]);
    assert_eq!(status(&layer, 200, get()).await, 503);
}

#[tokio::test]
async fn says_its_state_in_words() {
    struct End;
    impl Explain for End {
        fn explain(&self, _: &Parts, _: &mut Vec<Explanation>) {}
    }
    let (clock, hands) = Clock::manual();
    let layer = CircuitBreakerLayer::new(quick()).clock(clock);
    let said = |verdict, words: &str| {
        let mut say = Vec::new();
        layer.layer(End).explain(&get().into_parts().0, &mut say);
        assert_eq!((say[0].verdict, &*say[0].why), (verdict, words));
    };
    said(Verdict::Pass, "one for all: closed: 0 of 0 calls failed in 10s");
    status(&layer, 500, get()).await;
    said(Verdict::Pass, "one for all: closed: 1 of 1 calls failed in 10s");
    status(&layer, 500, get()).await;
    said(Verdict::Refuse, "one for all: open for another 5s");
    hands.advance(Duration::from_secs(5));
    said(Verdict::Pass, "one for all: open until now: it would be the first probe");
    assert_eq!(layer.breaker().unwrap().state(), State::Open, "explaining changes nothing");
}

#[test]
fn a_call_that_is_polled_to_its_end_is_settled_once() {
    let layer = CircuitBreakerLayer::new(quick());
    let mut service = layer.layer(service_fn(|_: Request<Body>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::empty())))
    }));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10 {
        let future = pin!(service.call(get()));
        assert!(matches!(future.poll(&mut cx), Poll::Ready(Ok(_))));
    }
    let breaker = layer.breaker().unwrap();
    let calls = breaker.kept.circuit.totals(&breaker.settings, 0).calls;
    assert_eq!(calls, 10);
}
