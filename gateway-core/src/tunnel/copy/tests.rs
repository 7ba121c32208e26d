use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

const TIMES: Times = Times { idle: Duration::from_secs(300), longest: None };

/// A tunnel whose pipes hold so many bytes, with its far ends.
fn tunnel(
    pipe: usize,
    is_websocket: bool,
    times: Times,
) -> (Copy<DuplexStream, DuplexStream>, DuplexStream, DuplexStream) {
    let (client, near_client) = duplex(pipe);
    let (upstream, near_upstream) = duplex(pipe);
    let copy = Copy::new(near_client, near_upstream, is_websocket, times, &Clock::default());
    (copy, client, upstream)
}

async fn run(mut copy: Copy<DuplexStream, DuplexStream>) -> (End, (u64, u64)) {
    let end = std::future::poll_fn(|cx| copy.poll(cx)).await;
    (end, copy.bytes())
}

/// The same, told to drain when it has been polled once.
async fn run_drained(mut copy: Copy<DuplexStream, DuplexStream>) -> (End, (u64, u64)) {
    std::future::poll_fn(|cx| {
        assert!(copy.poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    copy.drain(&Random::seeded(1));
    run(copy).await
}

#[tokio::test(start_paused = true)]
async fn all_bytes_arrive_both_ways_at_once_whatever_the_pipes_hold() {
    for pipe in [1, 7, 4_096, 100_000] {
        let (copy, client, upstream) = tunnel(pipe, false, TIMES);
        let up: Vec<u8> = (0..50_000_u32).map(|at| at as u8).collect();
        let down: Vec<u8> = (0..30_000_u32).map(|at| (at / 7) as u8).collect();
        let running = tokio::spawn(run(copy));
        let (down_sent, up_sent) = (down.clone(), up.clone());
        let client = tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(client);
            let mut got = Vec::new();
            let sent = async { write.write_all(&up_sent).await.unwrap() };
            let read = async {
                got.resize(30_000, 0);
                read.read_exact(&mut got).await.unwrap();
            };
            tokio::join!(sent, read);
            got
        });
        let (mut read, mut write) = tokio::io::split(upstream);
        let mut got = Vec::new();
        let (all, ()) = tokio::join!(read.read_to_end(&mut got), async {
            write.write_all(&down_sent).await.unwrap();
        });
        all.unwrap();
        assert!(got == up, "up through {pipe}");
        assert!(client.await.unwrap() == down, "down through {pipe}");
        drop((read, write));
        assert_eq!(running.await.unwrap(), (End::Client, (50_000, 30_000)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_side_that_has_said_all_may_still_listen() {
    for upstream_first in [false, true] {
        let (copy, mut client, mut upstream) = tunnel(64, false, TIMES);
        let running = tokio::spawn(run(copy));
        let (first, second) = match upstream_first {
            true => (&mut upstream, &mut client),
            false => (&mut client, &mut upstream),
        };
        first.write_all(b"that is all").await.unwrap();
        first.shutdown().await.unwrap();
        let mut heard = String::new();
        second.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "that is all");
        second.write_all(b"well then").await.unwrap();
        second.shutdown().await.unwrap();
        let mut heard = String::new();
        first.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "well then");
        let end = if upstream_first { End::Upstream } else { End::Client };
        assert_eq!(running.await.unwrap().0, end);
    }
}

#[tokio::test(start_paused = true)]
async fn silence_ends_it_and_a_byte_of_either_side_prolongs_it() {
    let (copy, mut client, mut upstream) = tunnel(64, false, TIMES);
    let start = Clock::default().now();
    let running = tokio::spawn(run(copy));
    for at in 0..3 {
        let side = if at == 1 { &mut upstream } else { &mut client };
        tokio::time::sleep(Duration::from_secs(299)).await;
        side.write_all(b"x").await.unwrap();
    }
    assert_eq!(running.await.unwrap(), (End::Idle, (2, 1)));
    let lasted = Clock::default().now() - start;
    assert!(lasted.abs_diff(Duration::from_secs(3 * 299 + 300)) < Duration::from_secs(1), "{lasted:?}");
}

#[tokio::test(start_paused = true)]
async fn it_lasts_no_longer_than_it_may() {
    let times = Times { longest: Some(Duration::from_secs(700)), ..TIMES };
    let (copy, mut client, _upstream) = tunnel(64, false, times);
    let start = Clock::default().now();
    let running = tokio::spawn(run(copy));
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(200)).await;
        client.write_all(b"x").await.unwrap();
    }
    assert_eq!(running.await.unwrap().0, End::TooLong);
    assert!((Clock::default().now() - start).abs_diff(Duration::from_secs(700)) < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_holds_one_chunk() {
    let (mut copy, mut client, _upstream) = tunnel(1 << 20, false, TIMES);
    // Its pipe to the upstream is full from here on.
    let (_taken, nobody) = duplex(1);
    copy.upstream = nobody;
    client.write_all(&[b'x'; 1 << 19]).await.unwrap();
    assert_eq!(run(copy).await, (End::Idle, (8 * 1024, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_drain_says_good_bye_to_both_sides_of_a_websocket_and_waits_for_theirs() {
    let (copy, mut client, mut upstream) = tunnel(64, true, TIMES);
    let text = [0x81, 2, b'h', b'i'];
    upstream.write_all(&text).await.unwrap();
    let running = tokio::spawn(run_drained(copy));

    let mut heard = [0; 8];
    client.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, [0x81, 2, b'h', b'i', 0x88, 2, 0x03, 0xe9]);
    let mut heard = [0; 8];
    upstream.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard[..2], [0x88, 0x82], "masked");

    client.write_all(&[0x81, 0x81, 0, 0, 0, 0, b'x', 0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
    upstream.write_all(&GOING_AWAY).await.unwrap();
    for side in [&mut client, &mut upstream] {
        assert_eq!(side.read(&mut [0]).await.unwrap(), 0, "nothing more is said");
    }
    assert_eq!(running.await.unwrap().0, End::Drain);
}

#[tokio::test(start_paused = true)]
async fn a_good_bye_does_not_stand_within_a_frame() {
    let (copy, mut client, mut upstream) = tunnel(64, true, TIMES);
    upstream.write_all(&[0x82, 5, 1, 2]).await.unwrap();
    let running = tokio::spawn(run_drained(copy));
    let mut heard = [0; 4];
    client.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, [0x82, 5, 1, 2]);
    // The rest of the frame, and one more that nobody gets.
    upstream.write_all(&[3, 4, 5, 0x81, 1, b'x']).await.unwrap();
    let mut heard = [0; 7];
    client.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, [3, 4, 5, 0x88, 2, 0x03, 0xe9]);
    drop((client, upstream));
    assert_eq!(running.await.unwrap().0, End::Drain);
}

#[tokio::test(start_paused = true)]
async fn another_protocol_hears_nothing_of_a_drain() {
    let (copy, mut client, mut upstream) = tunnel(64, false, TIMES);
    let running = tokio::spawn(run_drained(copy));
    client.write_all(b"on").await.unwrap();
    let mut heard = [0; 2];
    upstream.read_exact(&mut heard).await.unwrap();
    upstream.write_all(b"and on").await.unwrap();
    drop(upstream);
    let mut heard = String::new();
    client.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "and on");
    drop(client);
    assert_eq!(running.await.unwrap().0, End::Drain);
}
