use std::{pin::pin, task::Waker};

use http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::{budget::Buffers, testing::channel};

fn of(body: Body, limit: usize) -> (Replay, Body) {
    Replay::of(body, limit, || Buffers::default().lease(None))
}

/// The next frame of a body whose frames are all there.
fn next(body: &mut Body) -> Option<Frame<Bytes>> {
    let mut cx = Context::from_waker(Waker::noop());
    match Pin::new(body).poll_frame(&mut cx) {
        Poll::Ready(frame) => frame.map(|frame| frame.expect("the body is whole")),
        Poll::Pending => panic!("every frame is there"),
    }
}

/// All bytes and the trailers.
fn rest(body: &mut Body) -> (Vec<u8>, Option<HeaderMap>) {
    let (mut bytes, mut trailers) = (Vec::new(), None);
    while let Some(frame) = next(body) {
        match frame.into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    (bytes, trailers)
}

/// A body of these frames and trailers.
struct Frames(VecDeque<Frame<Bytes>>);

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

fn frames(pieces: &[Vec<u8>], trailers: Option<&HeaderMap>) -> Body {
    let data = pieces.iter().map(|piece| Frame::data(Bytes::from(piece.clone())));
    Body::new(Frames(data.chain(trailers.cloned().map(Frame::trailers)).collect()))
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static("x-sum"), HeaderValue::from_static("7"))])
}

proptest! {
    /// Wherever the tries before stopped, the last one reads the same bytes and trailers, and says how many.
    #[test]
    fn the_last_try_reads_what_the_client_sent(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 1..12),
        has_trailers: bool,
        stops in proptest::collection::vec(0..16_usize, 0..4),
    ) {
        let trailers = has_trailers.then(trailers);
        let (replay, mut body) = of(frames(&pieces, trailers.as_ref()), 1 << 10);
        for stop in stops {
            (0..stop).for_each(|_| drop(next(&mut body)));
            body = replay.body().unwrap();
        }
        let mut last = body;
        prop_assert!(!has_trailers || last.size_hint().exact().is_none(), "by its length alone it would lose them");
        prop_assert_eq!(rest(&mut last), (pieces.concat(), trailers));
        prop_assert!(last.is_end_stream());
    }

    /// Past the limit the body streams on whole, and is lost for another try; up to it, it is not.
    #[test]
    fn a_body_is_kept_up_to_the_limit_and_streams_past_it(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 1..12),
        limit in 1..200_usize,
    ) {
        let whole = pieces.concat();
        let (replay, mut first) = of(frames(&pieces, None), limit);
        prop_assert_eq!(&rest(&mut first).0, &whole);
        prop_assert_eq!(replay.lost(), (whole.len() > limit).then_some(Lost::TooLarge));
        if let Ok(mut again) = replay.body() {
            prop_assert_eq!(again.size_hint().exact(), Some(whole.len() as u64));
            prop_assert_eq!(rest(&mut again).0, whole);
        }
    }
}

#[test]
fn what_nobody_read_is_whole_even_if_nothing_is_kept() {
    let large = vec![vec![0; 100]];
    for limit in [0, 10] {
        let (replay, first) = of(frames(&large, None), limit);
        drop(first);
        assert_eq!(rest(&mut replay.body().unwrap()).0.len(), 100);
        assert!(replay.lost().is_some(), "now it was read");
    }
    let (known, mut first) = of(Body::from("12345"), 4);
    assert_eq!(rest(&mut first).0, b"12345");
    assert_eq!(known.lost(), Some(Lost::TooLarge));
    assert_eq!(known.body().err(), Some(Lost::TooLarge));
}

#[test]
fn an_earlier_try_gets_no_more_once_another_one_has_the_body() {
    let (replay, mut first) = of(frames(&[vec![1], vec![2]], None), 10);
    next(&mut first);
    let mut second = replay.body().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let stale = pin!(first).poll_frame(&mut cx);
    assert!(matches!(stale, Poll::Ready(Some(Err(error))) if error.is::<TakenAway>()));
    assert_eq!(rest(&mut second).0, [1, 2]);
}

#[tokio::test]
async fn an_earlier_try_that_waits_is_woken_to_hear_it() {
    let (_sender, body) = channel();
    let (replay, mut first) = of(body, 10);
    let waiting = tokio::spawn(async move {
        std::future::poll_fn(|cx| Pin::new(&mut first).poll_frame(cx)).await.unwrap().is_err()
    });
    tokio::task::yield_now().await;
    let _second = replay.body().unwrap();
    assert!(waiting.await.unwrap());
}

#[tokio::test]
async fn what_was_kept_is_let_go_with_the_last_replay_and_the_body_streams_on() {
    let (sender, body) = channel();
    let (replay, mut first) = of(body, 1 << 10);
    let shared = Arc::clone(replay.0.as_ref().unwrap());
    sender.data("one").await;
    next(&mut first);
    drop(first);
    let mut second = replay.body().unwrap();
    drop(replay);
    assert!(lock(&shared).tape.is_ok(), "the second try was not given it yet");
    assert_eq!(next(&mut second).unwrap().into_data().unwrap(), "one");
    assert!(lock(&shared).tape.is_err());
    sender.data("two").await;
    assert_eq!(next(&mut second).unwrap().into_data().unwrap(), "two");
    drop((second, shared));
    assert!(sender.is_dropped());
}

#[test]
fn a_body_that_two_layers_may_give_again_is_kept_once() {
    let (outer, body) = of(frames(&[vec![1], vec![2]], None), 0);
    let (inner, mut body) = of(body, 10);
    assert!(Arc::ptr_eq(inner.0.as_ref().unwrap(), outer.0.as_ref().unwrap()));
    assert_eq!(rest(&mut body).0, [1, 2]);
    drop(inner);
    assert_eq!(rest(&mut outer.body().unwrap()).0, [1, 2], "the outer one may still need it");

    let mut begun = outer.body().unwrap();
    next(&mut begun);
    let (_wrapped, mut body) = of(begun, 10);
    assert_eq!(rest(&mut body).0, [2], "of a body that was begun there is only the rest");
}

#[test]
fn memory_is_borrowed_for_what_is_kept_and_given_back() {
    let buffers = Buffers::new(5, 5);
    let of = |body| Replay::of(body, 10, || buffers.lease(None));
    let (replay, mut first) = of(frames(&[vec![1, 2, 3], vec![4, 5]], None));
    rest(&mut first);
    assert_eq!((replay.lost(), buffers.used()), (None, 5));
    let (other, mut body) = of(frames(&[vec![6]], None));
    assert_eq!(rest(&mut body).0, [6], "it streams on");
    assert_eq!((other.lost(), buffers.used()), (Some(Lost::NoMemory), 5));
    drop(replay);
    assert_eq!(buffers.used(), 0);
}

#[tokio::test]
async fn a_body_that_broke_off_is_lost() {
    let (sender, body) = channel();
    let (replay, first) = of(body, 1 << 10);
    tokio::spawn(async move { sender.fail("the client left").await });
    assert!(Body::collect_limited(first, 10).await.is_err());
    assert_eq!(replay.lost(), Some(Lost::Broken));
}

#[test]
fn an_empty_body_costs_nothing_and_a_small_one_the_shared_place_and_a_list() {
    let buffers = Buffers::default();
    let measure = |body: Body, max: u64| {
        let mut body = Some(body);
        let counted = allocation_counter::measure(|| {
            let (replay, mut first) = Replay::of(body.take().unwrap(), 1 << 10, || buffers.lease(None));
            rest_without_a_list(&mut first);
            rest_without_a_list(&mut replay.body().unwrap());
        });
        assert_eq!(counted.count_total, max);
    };
    measure(Body::empty(), 0);
    measure(Body::from("a body in one piece"), 2);
}

fn rest_without_a_list(body: &mut Body) {
    while next(body).is_some() {}
}
