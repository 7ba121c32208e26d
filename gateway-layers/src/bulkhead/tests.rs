use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use gateway_core::{
    Body, Clock, Explanation, Facts, Key, Mode, Refusal, Verdict,
    explain::Explain,
    meter::Meter,
    testing::{BodySender, channel, contract},
};
use http::{HeaderName, Request, Response, request::Parts};
use http_body::{Body as _, Frame};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{BulkheadLayer, Gates};

fn get() -> Request<Body> {
    Request::new(Body::empty())
}

fn from(tenant: &str) -> Request<Body> {
    Request::get("/").header("x-tenant", tenant).body(Body::empty()).unwrap()
}

/// Answers at once with a body that ends when its sender is dropped; the senders are kept here.
fn streams()
-> (Streams, impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone)
{
    let streams = Streams::default();
    let kept = Arc::clone(&streams);
    let service = service_fn(move |request: Request<Body>| {
        let (sender, body) = channel();
        let path = request.uri().path().to_owned();
        kept.lock().unwrap().push((path, sender));
        std::future::ready(Ok::<_, Infallible>(Response::new(body)))
    });
    (streams, service)
}

type Streams = Arc<Mutex<Vec<(String, BodySender)>>>;

fn code(answer: &Response<impl Sized>) -> &'static str {
    answer.extensions().get::<Refusal>().map_or("passed", Refusal::code)
}

#[tokio::test]
async fn keeps_the_contract() {
    contract::check(BulkheadLayer::new(1000)).await;
    contract::check(BulkheadLayer::off()).await;
    contract::check(BulkheadLayer::new(1).mode(Mode::Off)).await;
    contract::check(BulkheadLayer::new(1000).queue(10).by(Key::client_addr())).await;
    contract::check(BulkheadLayer::new(1).queue(1000)).await;
}

#[tokio::test]
async fn a_place_is_held_until_the_body_ends_however_it_ends() {
    let meter = Meter::default();
    let layer = BulkheadLayer::new(1).meter(&meter, "orders");
    let (streams, service) = streams();
    let service = layer.layer(service);
    let ask = async || service.clone().oneshot(get()).await.unwrap();
    let in_flight = |number| {
        let line = format!("gateway_bulkhead_in_flight{{place=\"orders\"}} {number}\n");
        assert!(meter.render().contains(&line), "{}", meter.render());
    };

    let first = ask().await;
    in_flight(1);
    let refused = ask().await;
    assert_eq!((code(&refused), &refused.headers()["retry-after"]), ("bulkhead_full", &"1".parse().unwrap()));
    streams.lock().unwrap().clear();
    let mut body = pin!(first.into_body());
    assert!(poll_fn(|cx| body.as_mut().poll_frame(cx)).await.is_none());
    in_flight(0);

    let dropped = ask().await;
    assert_eq!(code(&ask().await), "bulkhead_full");
    drop(dropped);
    let broken = ask().await;
    let (_, sender) = streams.lock().unwrap().pop().unwrap();
    sender.fail("broken").await;
    assert!(Body::collect_limited(broken.into_body(), 10).await.is_err());
    assert_eq!(code(&ask().await), "passed");
    in_flight(0);
    assert!(
        meter.render().contains("gateway_bulkhead_rejected_total{place=\"orders\",reason=\"full\"} 2"),
        "{}",
        meter.render()
    );
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_go_in_in_the_order_in_which_they_came() {
    let (streams, service) = streams();
    let service = BulkheadLayer::new(1).queue(3).layer(service);
    let first = service.clone().oneshot(get()).await.unwrap();
    let mut waiting: Vec<_> = (0..4)
        .map(|number| {
            let request = Request::get(format!("/{number}")).body(Body::empty()).unwrap();
            Box::pin(service.clone().oneshot(request))
        })
        .collect();
    assert!(waiting[..3].iter_mut().all(|future| poll(future).is_pending()));
    let Poll::Ready(Ok(refused)) = poll(&mut waiting[3]) else { panic!("the queue is full") };
    assert_eq!(code(&refused), "bulkhead_full");

    drop(waiting.remove(0));
    drop(first);
    let mut late = Box::pin(service.clone().oneshot(get()));
    assert!(poll(&mut late).is_pending(), "nobody overtakes");
    assert!(poll(&mut waiting[1]).is_pending());
    let Poll::Ready(Ok(second)) = poll(&mut waiting[0]) else { panic!("it is its turn") };
    drop(second);
    // Its turn came, and it leaves before it noticed: the next goes in.
    drop(waiting.remove(1));
    assert!(poll(&mut late).is_ready());
    let served: Vec<_> = streams.lock().unwrap().iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(served, ["/", "/1", "/"]);
}

#[tokio::test(start_paused = true)]
async fn waits_no_longer_than_its_own_time_and_the_requests_deadline() {
    let meter = Meter::default();
    let (_streams, service) = streams();
    let layer = BulkheadLayer::new(1).queue(9).wait(Duration::from_secs(2)).meter(&meter, "orders");
    let service = layer.layer(service);
    let _first = service.clone().oneshot(get()).await.unwrap();
    let clock = Clock::default();
    let waited = async |deadline: Option<u64>| {
        let mut request = get();
        let facts = Facts::of(request.extensions_mut(), &clock).clone();
        if let Some(seconds) = deadline {
            facts.tighten_deadline(facts.arrived() + Duration::from_secs(seconds));
        }
        let answer = service.clone().oneshot(request).await.unwrap();
        assert_eq!((answer.status().as_u16(), code(&answer)), (503, "bulkhead_timeout"));
        assert_eq!(answer.headers()["retry-after"], "1");
        (clock.now() - facts.arrived()).as_secs()
    };
    assert_eq!([waited(None).await, waited(Some(1)).await, waited(Some(9)).await], [2, 1, 2]);
    let text = meter.render();
    assert!(
        text.contains("gateway_bulkhead_rejected_total{place=\"orders\",reason=\"timeout\"} 3"),
        "{text}"
    );
    assert!(text.contains("gateway_bulkhead_queued{place=\"orders\"} 0"), "{text}");
}

#[tokio::test]
async fn keys_have_places_of_their_own_and_are_forgotten_when_they_are_empty() {
    let gates = Arc::new(Gates::new(1_000));
    let (_streams, service) = streams();
    let tenant = Key::header(HeaderName::from_static("x-tenant"));
    let service = BulkheadLayer::new(1).by(tenant).gates(Arc::clone(&gates)).layer(service);
    let ask = async |request| service.clone().oneshot(request).await.unwrap();
    let (a, b, nobody) = (ask(from("a")).await, ask(from("b")).await, ask(get()).await);
    assert_eq!([code(&a), code(&b), code(&nobody)], ["passed"; 3]);
    assert_eq!([code(&ask(from("a")).await), code(&ask(get()).await)], ["bulkhead_full"; 2]);
    assert_eq!(gates.len(), 3);
    drop((a, b));
    assert_eq!(gates.len(), 1);
    drop(nobody);
    assert!(gates.is_empty());
    assert_eq!(code(&ask(from("a")).await), "passed");
}

#[tokio::test]
async fn keys_that_find_no_room_share_spare_places() {
    let (_streams, service) = streams();
    let tenant = Key::header(HeaderName::from_static("x-tenant"));
    let gates = Arc::new(Gates::new(16));
    let service = BulkheadLayer::new(2).by(tenant).gates(Arc::clone(&gates)).layer(service);
    let mut passed = Vec::new();
    for number in 0..500 {
        let answer = service.clone().oneshot(from(&number.to_string())).await.unwrap();
        if code(&answer) == "passed" {
            passed.push(answer);
        }
    }
    assert!(gates.len() <= 16);
    assert_eq!(passed.len(), 16 + 16 * 2, "one for each key that has a place, two for each spare one");
    drop(passed);
    assert!(gates.is_empty());
}

#[tokio::test]
async fn audit_counts_and_lets_everything_pass() {
    let meter = Meter::default();
    let (_streams, service) = streams();
    let layer = BulkheadLayer::new(1).queue(1).mode(Mode::Audit).meter(&meter, "orders");
    let service = layer.layer(service);
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(service.clone().oneshot(get()).await.unwrap());
    }
    assert!(answers.iter().all(|answer| code(answer) == "passed"));
    let text = meter.render();
    assert!(text.contains("gateway_bulkhead_rejected_total{place=\"orders\",reason=\"full\"} 3"), "{text}");
    assert!(text.contains("gateway_bulkhead_in_flight{place=\"orders\"} 5"), "{text}");
}

#[tokio::test]
async fn says_how_full_it_is() {
    struct End;
    impl Explain for End {
        fn explain(&self, _: &Parts, _: &mut Vec<Explanation>) {}
    }
    let (_streams, service) = streams();
    let layer = BulkheadLayer::new(1);
    let said = || {
        let mut say = Vec::new();
        layer.layer(End).explain(&get().into_parts().0, &mut say);
        (say[0].verdict, say[0].why.clone().into_owned())
    };
    assert_eq!(said(), (Verdict::Pass, "all requests: 0 of 1 inside, 0 of 0 waiting".to_owned()));
    let _answer = layer.layer(service).oneshot(get()).await.unwrap();
    assert_eq!(said(), (Verdict::Refuse, "all requests: 1 of 1 inside, 0 of 0 waiting".to_owned()));
}

fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Ten thousand requests on several threads, some of which leave at any moment: in the queue, while they are served,
/// while they read.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn never_more_than_its_number_inside_and_no_place_is_lost_in_a_storm_of_clients_that_leave() {
    const INSIDE: usize = 7;
    let (inside, most, served) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let counts = Arc::new((inside, most, served));
    let counting = Arc::clone(&counts);
    let service = service_fn(move |_: Request<Body>| {
        let counts = Arc::clone(&counting);
        async move {
            let here = Inside::new(counts);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Response::new(Body::new(OneFrame(Some(here)))))
        }
    });
    let meter = Meter::default();
    let layer = BulkheadLayer::new(INSIDE as u32).queue(5_000).meter(&meter, "storm");
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..10_000_u32 {
        let service = layer.layer(service.clone());
        tasks.spawn(async move {
            let mut call = Box::pin(service.oneshot(get()));
            for _ in 0..number % 5 {
                tokio::task::yield_now().await;
                let polled = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
                if let Poll::Ready(answer) = polled {
                    return drop(answer);
                }
            }
            if number % 3 == 0 {
                return;
            }
            let answer = call.await.unwrap();
            if number % 2 == 0 {
                drop(Body::collect_limited(answer.into_body(), 1_000).await);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let (inside, most, served) = &*counts;
    assert_eq!(inside.load(Ordering::SeqCst), 0);
    assert!((1..=INSIDE).contains(&most.load(Ordering::SeqCst)), "{most:?}");
    assert!(served.load(Ordering::SeqCst) > 1_000, "{served:?}");
    let text = meter.render();
    assert!(text.contains("gateway_bulkhead_in_flight{place=\"storm\"} 0"), "{text}");
    assert!(text.contains("gateway_bulkhead_queued{place=\"storm\"} 0"), "{text}");
}

type StormCounts = Arc<(AtomicUsize, AtomicUsize, AtomicUsize)>;

struct Inside(StormCounts);

impl Inside {
    fn new(counts: StormCounts) -> Self {
        let now = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
        counts.1.fetch_max(now, Ordering::SeqCst);
        counts.2.fetch_add(1, Ordering::SeqCst);
        Self(counts)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A body of one frame; who is inside leaves with it.
struct OneFrame(Option<Inside>);

impl http_body::Body for OneFrame {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|_| Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}
