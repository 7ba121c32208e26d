use std::{
    borrow::Cow,
    collections::HashMap,
    time::{Duration, Instant},
};

use gateway_core::{Clock, Key, key::BucketKey};
use http::Request;
use proptest::prelude::*;

use crate::rate_limit::{
    Algorithm, Left, Quota, Table,
    rate::{Cell, Rate},
    table::{Answer, Ask, Purpose, SHARDS},
    ticks::Ticks,
};

fn key(number: u32) -> BucketKey {
    let key = Key::custom(move |_| Some(Cow::Owned(number.to_be_bytes().to_vec())));
    key.of(&Request::new(()).into_parts().0).unwrap()
}

fn ask(number: u32, quota: Quota) -> Option<Ask> {
    let rate = Rate::new(Algorithm::TokenBucket, quota, Ticks::NANOS);
    Some(Ask { key: key(number), rate, spare: key(u32::MAX) })
}

fn take(table: &Table, number: u32, quota: Quota, now: Instant) -> Answer {
    table.ask(&[ask(number, quota)], now, Purpose::Charge).unwrap()
}

#[test]
fn a_flood_of_keys_neither_grows_the_table_nor_resets_a_key_over_its_limit() {
    let now = Clock::default().now();
    let table = Table::new(640, now);
    let quota = Quota::per_hour(1);
    assert!(take(&table, 0, quota, now).passes);
    let flooded = (1..20_000).filter(|&number| take(&table, number, quota, now).passes).count();
    assert!(table.len() <= 640 + SHARDS);
    assert!(flooded <= 640 + SHARDS, "the rest shared the spare buckets: {flooded}");
    assert!(!take(&table, 0, quota, now).passes);
}

#[test]
fn buckets_that_are_full_again_make_room() {
    let start = Clock::default().now();
    // Room for ten in each shard, so that ten new keys find room wherever they fall.
    let table = Table::new(10 * SHARDS, start);
    let quota = Quota::per_second(1);
    (0..20_000).for_each(|number| assert!(take(&table, number, quota, start).left.requests == 0));
    let later = start + Duration::from_secs(5);
    assert!((30_000..30_010).all(|number| take(&table, number, quota, later).passes));
}

#[test]
fn looking_takes_nothing() {
    let now = Clock::default().now();
    let table = Table::new(64, now);
    let quota = Quota::per_second(1);
    let look = || table.ask(&[ask(1, quota)], now, Purpose::Look).unwrap();
    assert!(look().passes);
    assert!(take(&table, 1, quota, now).passes);
    assert!(!look().passes);
    let both = [ask(2, quota), ask(3, quota)];
    assert!(table.ask(&both, now, Purpose::Look).unwrap().passes);
    assert_eq!(table.len(), 1);
}

#[test]
fn threads_that_ask_for_the_same_buckets_in_any_order_finish_and_charge_exactly() {
    let now = Clock::default().now();
    let table = Table::new(10_000, now);
    let quota = |requests| Quota::per_hour(requests);
    let passed = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4_u32)
            .map(|thread| {
                let table = &table;
                scope.spawn(move || {
                    let mut asks: Vec<_> = (0..6).map(|number| ask(number, quota(1_000))).collect();
                    asks.rotate_left(thread as usize);
                    (0..400).filter(|_| table.ask(&asks, now, Purpose::Charge).unwrap().passes).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert_eq!(passed, 1_000);
    assert!((0..6).all(|number| !take(&table, number, quota(1_000), now).passes));
}

proptest! {
    /// Against the plainest model there is: a list of cells, all asked, then all charged or none.
    #[test]
    fn several_limits_are_charged_all_or_none(
        quotas in prop::collection::vec((1_u32..6, 1_u64..50, any::<bool>()), 1..12),
        steps in prop::collection::vec((0_u64..20, any::<u16>(), prop::collection::vec(0_u32..3, 12)), 1..60),
    ) {
        let epoch = Clock::default().now();
        let table = Table::new(100_000, epoch);
        let mut model: HashMap<(usize, u32), Cell> = HashMap::new();
        let mut now = 0;
        for (gap, counts, keys) in steps {
            now += gap;
            let asks: Vec<_> = quotas.iter().enumerate().map(|(index, &(requests, period, slides))| {
                let quota = Quota::per(requests, Duration::from_nanos(period));
                let algorithm = if slides { Algorithm::SlidingWindow } else { Algorithm::TokenBucket };
                let rate = Rate::new(algorithm, quota, Ticks::NANOS);
                let key = key(keys[index]).nth(u32::try_from(index).unwrap());
                (counts >> index & 1 == 1).then_some(Ask { key, rate, spare: key })
            }).collect();
            let mut charged = Vec::new();
            let mut refused = Vec::new();
            for (index, ask) in asks.iter().enumerate() {
                let Some(ask) = ask else { continue };
                let name = (index, keys[index]);
                match ask.rate.take(model.get(&name).copied().unwrap_or_default(), now) {
                    Ok(after) => charged.push((name, after, ask.rate.left(after, now).requests)),
                    Err(wait) => refused.push(wait),
                }
            }
            let answer = table.ask(&asks, epoch + Duration::from_nanos(now), Purpose::Charge);
            match (answer, refused.iter().max()) {
                (None, _) => prop_assert!(charged.is_empty() && refused.is_empty()),
                (Some(answer), Some(&longest)) => {
                    prop_assert_eq!((answer.passes, answer.left), (false, Left { requests: 0, more_in: longest }));
                }
                (Some(answer), None) => {
                    prop_assert!(answer.passes);
                    prop_assert_eq!(Some(answer.left.requests), charged.iter().map(|&(_, _, left)| left).min());
                    model.extend(charged.into_iter().map(|(name, after, _)| (name, after)));
                }
            }
        }
    }
}
