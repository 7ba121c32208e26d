//! Three real upstreams behind one forwarder.

use std::{sync::Arc, time::Duration};

use gateway_core::{
    Body, Clock, Facts, Refusal, UpstreamError, Verdict,
    client::Forward,
    explain::Explain,
    identity::Shelf,
    meter::Meter,
    testing::{ScriptedUpstream, Step},
    upstream::{EndpointGuard, TryEnd, Upstream},
};
use http::{Request, Response};
use tower::ServiceExt;

use super::super::{
    EndpointBreakers, Settings, State, Ticket,
    endpoints::{Guard, pack, unpack},
};

const OK: Step = Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
const BROKEN: Step = Step::Send("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
const SHORT: Step = Step::Send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok");

fn quick() -> Settings {
    Settings::default().minimum(3).probes(1)
}

async fn upstream(script: impl IntoIterator<Item = Vec<Step>>) -> ScriptedUpstream {
    ScriptedUpstream::start(script).await.unwrap()
}

async fn ask(forward: &Forward) -> Result<Response<Body>, UpstreamError> {
    let mut answer = forward.clone().oneshot(Request::new(Body::empty())).await?;
    let body = std::mem::take(answer.body_mut());
    if let Ok(whole) = Body::collect_limited(body, 100).await {
        *answer.body_mut() = whole.into();
    }
    Ok(answer)
}

#[tokio::test]
async fn a_dead_one_of_three_gets_no_traffic_until_its_probe_finds_it_back() {
    let (clock, hands) = Clock::manual();
    let meter = Meter::default();
    // Dead for its first three requests and the first probe.
    let script = vec![vec![BROKEN]; 4].into_iter().chain([vec![OK]]);
    let (dead, second, third) =
        (upstream(script).await, upstream([vec![OK]]).await, upstream([vec![OK]]).await);
    let breakers = EndpointBreakers::new(quick(), "orders").clock(clock).meter(&meter);
    let urls = [dead.url(), second.url(), third.url()];
    let forward = breakers.guard(Upstream::new(urls)).build().unwrap();
    let failed_of = async |requests: usize| {
        let mut failed = 0;
        for _ in 0..requests {
            failed += usize::from(ask(&forward).await.unwrap().status() != 200);
        }
        failed
    };
    assert_eq!(failed_of(60).await, 3, "the minimum, and nobody after that");
    assert_eq!(dead.heads().len(), 3);
    assert_eq!(second.heads().len() + third.heads().len(), 57);
    assert_eq!(breakers.breaker(&dead.url()).state(), State::Open);
    let gauge =
        |state| format!("gateway_circuit_state{{place=\"orders\",endpoint=\"{}\"}} {state}", dead.url());
    assert!(meter.render().contains(&gauge(2)), "{}", meter.render());

    hands.advance(Duration::from_secs(5));
    assert_eq!((failed_of(60).await, dead.heads().len()), (1, 4), "one probe, which fails");
    hands.advance(Duration::from_secs(5));
    assert_eq!(failed_of(60).await, 0, "the probe succeeds");
    assert_eq!(breakers.breaker(&dead.url()).state(), State::Closed);
    assert!(dead.heads().len() > 4 + 10, "it takes its turns again");
    assert!(meter.render().contains(&gauge(0)), "{}", meter.render());
}

#[tokio::test]
async fn nobody_notices_one_that_refuses_connections_and_it_is_not_tried_for_ever() {
    let (alive, gone) = (upstream([vec![OK]]).await, upstream([]).await);
    let urls = [gone.url(), alive.url()];
    drop(gone);
    let breakers = EndpointBreakers::new(quick(), "orders");
    let forward = breakers.guard(Upstream::new(urls.clone())).build().unwrap();
    // Aborting a server's task takes a moment; until then connections may still be accepted and closed.
    tokio::task::yield_now().await;
    for _ in 0..20 {
        assert_eq!(ask(&forward).await.unwrap().status(), 200);
    }
    assert_eq!(breakers.breaker(&urls[0]).state(), State::Open);
    assert_eq!(breakers.breaker(&urls[1]).state(), State::Closed);
}

#[tokio::test]
async fn with_all_of_them_open_the_answer_says_when_to_come_back_and_nothing_is_sent() {
    let (clock, hands) = Clock::manual();
    let (first, second) = (upstream([vec![BROKEN]]).await, upstream([vec![BROKEN]]).await);
    let breakers = EndpointBreakers::new(quick(), "orders").clock(clock);
    let forward = breakers.guard(Upstream::new([first.url(), second.url()])).build().unwrap();
    for _ in 0..5 {
        assert_eq!(ask(&forward).await.unwrap().status(), 503);
    }
    hands.advance(Duration::from_millis(1200));
    ask(&forward).await.unwrap();
    let sent = first.heads().len() + second.heads().len();
    assert_eq!(sent, 6);
    let refused = ask(&forward).await.unwrap();
    assert_eq!(refused.extensions().get::<Refusal>().map(Refusal::code), Some("circuit_open"));
    assert_eq!(refused.headers()["retry-after"], "4", "the nearest of both");
    assert_eq!(first.heads().len() + second.heads().len(), sent);

    let mut say = Vec::new();
    forward.explain(&Request::new(()).into_parts().0, &mut say);
    let verdicts: Vec<_> = say.iter().map(|explanation| explanation.verdict).collect();
    assert_eq!(verdicts, [Verdict::Skip, Verdict::Skip, Verdict::Refuse]);
    assert!(say[0].why.ends_with("open for another 3.8s"), "{}", say[0].why);
}

#[tokio::test]
async fn a_body_that_breaks_off_a_deadline_and_a_client_that_leaves_are_told_apart() {
    let breakers = EndpointBreakers::new(quick(), "orders");
    let single = async |steps: Vec<Step>| {
        let upstream = upstream([steps]).await;
        let forward = breakers.guard(Upstream::new([upstream.url()])).build().unwrap();
        let breaker = breakers.breaker(&upstream.url());
        (upstream, forward, breaker)
    };
    let (_short, forward, breaker) = single(vec![SHORT, Step::Close]).await;
    for _ in 0..3 {
        assert_eq!(ask(&forward).await.unwrap().status(), 200);
    }
    assert_eq!(breaker.state(), State::Open, "three heads, three broken bodies");

    let (_silent, forward, breaker) = single(vec![Step::Stall]).await;
    let give_up = async |deadline: Option<Duration>| {
        let mut request = Request::new(Body::empty());
        let facts = Facts::of(request.extensions_mut(), &Clock::default());
        if let Some(deadline) = deadline {
            facts.tighten_deadline(facts.arrived() + deadline);
        }
        tokio::time::timeout(Duration::from_millis(20), forward.clone().oneshot(request)).await.map(drop)
    };
    for _ in 0..5 {
        assert!(give_up(None).await.is_err());
    }
    assert_eq!(breaker.state(), State::Closed);
    for _ in 0..3 {
        assert!(give_up(Some(Duration::from_millis(5))).await.is_ok(), "504");
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn an_endpoint_that_stays_keeps_its_circuit_in_the_next_graph() {
    let shelf = Arc::new(Shelf::default());
    let breakers = |shelf: &Arc<Shelf>, settings| EndpointBreakers::new(settings, "orders").shelf(shelf);
    let graph = |shelf: &Arc<Shelf>| {
        let upstream = Upstream::new(["http://127.0.0.1:1", "http://127.0.0.1:2"]);
        breakers(shelf, quick()).guard(upstream).build().unwrap()
    };
    let first = graph(&shelf);
    breakers(&shelf, quick()).breaker("http://127.0.0.1:1").force_open();
    drop(first);
    let next = Arc::new(shelf.next());
    drop(graph(&next));
    let state = |settings, url| breakers(&next, settings).breaker(url).state();
    assert_eq!(state(quick(), "http://127.0.0.1:1"), State::ForcedOpen);
    assert_eq!(state(quick().minimum(9), "http://127.0.0.1:1"), State::ForcedOpen, "thresholds may change");
    assert_eq!(state(quick(), "http://127.0.0.1:2"), State::Closed);
    assert_eq!(state(quick().window(Duration::from_secs(1)), "http://127.0.0.1:1"), State::Closed);
}

#[test]
fn a_guard_allocates_nothing_on_the_way_through() {
    let breakers = EndpointBreakers::new(quick(), "orders");
    let guard = Guard::new(&breakers, &"http://a".into());
    let head = Response::new(()).into_parts().0;
    let counted = allocation_counter::measure(|| {
        let ticket = guard.admit().unwrap();
        assert!(guard.answered(ticket, &head));
        let ticket = guard.admit().unwrap();
        guard.settle(ticket, TryEnd::Abandoned);
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_ticket_survives_its_way_through_the_forwarder() {
    let ticket = Ticket { generation: 54_321, start: 7_000_000_123_000, half_opened: false };
    assert_eq!(unpack(pack(ticket)), Some(ticket));
}
