use super::*;
use crate::upstream::{Panic, health::SuccessRate, pick::HashPolicy};

const SECOND: Duration = Duration::from_secs(1);

fn urls(names: &str) -> Vec<Member> {
    names.split(' ').filter(|name| !name.is_empty()).map(Member::new).collect()
}

/// Endpoints that keep the number of their making.
fn set(balance: Balance, names: &str) -> (Endpoints<u32>, crate::clock::ManualClock) {
    let (clock, hands) = Clock::manual();
    let endpoints = Endpoints::new(balance, clock, Counts::default());
    replace(&endpoints, names, 0);
    (endpoints, hands)
}

fn replace(endpoints: &Endpoints<u32>, names: &str, item: u32) {
    endpoints.replace(&urls(names), |_| Ok::<_, ()>(item)).unwrap();
}

/// The endpoints that a request is offered, in their order.
fn offered(endpoints: &Endpoints<u32>, before: Option<&str>) -> Vec<String> {
    let (list, now) = (endpoints.list(), endpoints.now());
    endpoints.look_after(&list, now);
    Course::new(&list, None, before, now).map(|place| list.kept()[place].url().to_string()).collect()
}

fn fail(endpoints: &Endpoints<u32>, url: &str, times: u32) {
    let list = endpoints.list();
    let kept = list.kept().iter().find(|kept| &**kept.url() == url).unwrap();
    for _ in 0..times {
        Visit::begin(endpoints, kept, endpoints.now()).unwrap().failed();
    }
}

fn ejecting() -> Balance {
    Balance { ejection: Some(Ejection::default()), ..Balance::default() }
}

#[test]
fn a_request_is_offered_every_endpoint_once_beginning_in_turn() {
    let (endpoints, _) = set(Balance::default(), "a b c");
    assert_eq!(offered(&endpoints, None), ["a", "b", "c"]);
    let names: Vec<String> = (0..20).map(|number| format!("e{number}")).collect();
    replace(&endpoints, &names.join(" "), 0);
    let mut all = offered(&endpoints, None);
    all.sort();
    let mut names = names;
    names.sort();
    assert_eq!(all, names, "also more than a request can remember");
}

#[test]
fn another_try_begins_elsewhere_and_comes_back_only_at_the_end() {
    let (endpoints, _) = set(Balance::default(), "a b c");
    for before in ["a", "b", "c"] {
        let offered = offered(&endpoints, Some(before));
        assert_eq!((offered.len(), offered.last().map(String::as_str)), (3, Some(before)));
    }
    let (alone, _) = set(Balance::default(), "a");
    assert_eq!(offered(&alone, Some("a")), ["a"]);
}

#[test]
fn what_is_known_of_an_endpoint_survives_a_new_list() {
    let (endpoints, _) = set(ejecting(), "a b c");
    fail(&endpoints, "b", 5);
    assert!(!offered(&endpoints, None).contains(&"b".to_owned()));
    let _under_way = endpoints.list().kept()[2].load().begin();
    replace(&endpoints, "d c b", 1);
    let items: Vec<u32> = endpoints.list().kept().iter().map(|kept| *kept.item()).collect();
    assert_eq!(items, [1, 0, 0]);
    assert!(!offered(&endpoints, None).contains(&"b".to_owned()), "still ejected");
    assert_eq!(endpoints.list().kept()[1].load().under_way(), 1);
    replace(&endpoints, "d", 2);
    replace(&endpoints, "d b", 3);
    assert!(offered(&endpoints, None).contains(&"b".to_owned()), "it was away: nothing is known any more");
}

#[test]
fn an_endpoint_that_vanished_lives_as_long_as_somebody_is_there() {
    let (endpoints, _) = set(Balance::default(), "a b");
    let list = endpoints.list();
    let kept = Arc::downgrade(&list.kept()[0]);
    replace(&endpoints, "b", 0);
    assert!(kept.upgrade().is_some());
    drop(list);
    assert!(kept.upgrade().is_none());
}

#[test]
fn five_failures_in_a_row_eject_for_a_time_that_grows() {
    let (endpoints, hands) = set(ejecting(), "a b c");
    fail(&endpoints, "a", 4);
    assert_eq!(offered(&endpoints, None).len(), 3);
    fail(&endpoints, "a", 1);
    assert_eq!(offered(&endpoints, None).len(), 2);
    hands.advance(29 * SECOND);
    assert_eq!(offered(&endpoints, None).len(), 2);
    hands.advance(SECOND);
    assert_eq!(offered(&endpoints, None).len(), 3, "it is tried again");
    fail(&endpoints, "a", 5);
    hands.advance(59 * SECOND);
    assert_eq!(offered(&endpoints, None).len(), 2);
    hands.advance(SECOND);
    assert_eq!(offered(&endpoints, None).len(), 3);
}

#[test]
fn no_more_than_a_part_is_ejected() {
    let (endpoints, _) = set(ejecting(), "a b c d");
    for url in ["a", "b", "c", "d"] {
        fail(&endpoints, url, 50);
    }
    assert_eq!(offered(&endpoints, None), ["c", "d"]);
    let (alone, _) = set(ejecting(), "a");
    fail(&alone, "a", 50);
    assert_eq!(offered(&alone, None), ["a"]);
}

#[test]
fn when_checks_find_all_unhealthy_the_choice_decides() {
    for (panic, left) in [(Panic::Refuse, 0), (Panic::UseAll, 2)] {
        let preference = Preference { panic, ..Preference::default() };
        let meter = crate::meter::Meter::default();
        let balance = Balance { preference, ..Balance::default() };
        let endpoints = Endpoints::new(balance, Clock::default(), Counts::new(&meter, "shop"));
        replace(&endpoints, "a b", 0);
        assert!(meter.render().contains("gateway_upstream_panic{upstream=\"shop\"} 0"));
        for url in ["a", "b"] {
            endpoints.checked(url, Err("status 503".to_owned()), &Rhythm::default());
        }
        assert_eq!(offered(&endpoints, None).len(), left);
        let shown = meter.render();
        assert!(shown.contains("gateway_upstream_panic{upstream=\"shop\"} 1"), "{shown}");
        let unhealthy = "gateway_upstream_endpoints{upstream=\"shop\",state=\"unhealthy\"} 2";
        assert!(shown.contains(unhealthy), "{shown}");
    }
}

#[test]
fn the_one_that_fails_far_more_is_ejected_at_the_next_comparison() {
    let success_rate = Some(SuccessRate::default());
    let ejection = Some(Ejection { consecutive: 0, success_rate, ..Ejection::default() });
    let (endpoints, hands) = set(Balance { ejection, ..Balance::default() }, "a b c d e f");
    for number in 0..1_000 {
        let list = endpoints.list();
        for kept in list.kept() {
            let visit = Visit::begin(&endpoints, kept, 0).unwrap();
            visit.answered(&**kept.url() == "c" && number % 2 == 0);
        }
    }
    assert_eq!(offered(&endpoints, None).len(), 6);
    hands.advance(10 * SECOND);
    offered(&endpoints, None);
    assert_eq!(offered(&endpoints, None).len(), 5);
    assert!(!offered(&endpoints, None).contains(&"c".to_owned()));
}

#[test]
fn new_endpoints_and_those_that_are_back_start_slowly() {
    let balance = Balance { slow_start: 10 * SECOND, ..ejecting() };
    let (endpoints, hands) = set(balance, "a b");
    let weights = || -> Vec<u64> {
        let (list, now) = (endpoints.list(), endpoints.now());
        endpoints.look_after(&list, now);
        list.candidates().iter().map(|candidate| candidate.weight_at(now)).collect()
    };
    assert_eq!(weights(), [1_000, 1_000], "the first list is warm");
    replace(&endpoints, "a b c", 0);
    hands.advance(5 * SECOND);
    assert_eq!(weights(), [1_000, 1_000, 500]);
    fail(&endpoints, "a", 5);
    hands.advance(30 * SECOND);
    assert_eq!(weights(), [100, 1_000, 1_000], "back after its ejection");
}

#[test]
fn a_key_keeps_its_endpoint_and_nothing_is_allocated() {
    let key = crate::Key::header(http::HeaderName::from_static("x-user"));
    let policy = Policy::maglev(HashPolicy::by(key));
    let (endpoints, _) = set(Balance { policy, ..ejecting() }, "a b c");
    let head = http::Request::get("/").header("x-user", "ada").body(()).unwrap().into_parts().0;
    let key = endpoints.balance().policy.key_of(&head);
    let allocated = allocation_counter::measure(|| {
        let list = endpoints.list();
        let now = endpoints.now();
        endpoints.look_after(&list, now);
        let places = [(); 10].map(|()| Course::new(&list, key, None, now).next());
        assert!(places[0].is_some() && places.iter().all(|&place| place == places[0]));
        Visit::begin(&endpoints, &list.kept()[0], now).unwrap().answered(false);
    });
    assert_eq!(allocated.count_total, 0);
}
