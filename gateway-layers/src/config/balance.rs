//! The parts of an upstream that say which endpoint is next.

use std::{sync::Arc, time::Duration};

use gateway_core::{
    Key,
    random::Random,
    upstream::{
        Balance, Member,
        pick::{Affinity, HashPolicy, PeakEwma, Policy},
    },
};

use super::{Section, Words};

/// ```yaml
/// endpoints:
///   - http://10.0.0.1:8080
///   - {url: http://10.0.0.2:8080, weight: 3, priority: 1, zone: b}
/// ```
pub(super) fn members(section: &mut Section<'_>) -> Option<Vec<Member>> {
    section.demand("endpoints");
    let mut asked = 0;
    let members = section.list("endpoints", |item| {
        asked += 1;
        item.either::<String, _>(|url| Some(Member::new(url)), member)
    });
    // What is wrong with an item is told already.
    (members.len() == asked && section.has("endpoints")).then_some(members)
}

fn member(section: &mut Section<'_>) -> Option<Member> {
    let url = section.required::<String>("url");
    let weight = section.or("weight", 1_u32);
    let priority = section.or("priority", 0_u32);
    let zone = section.optional::<String>("zone");
    let Ok(priority) = u8::try_from(priority) else {
        section.fail("priority", "a group has a number from 0, which comes first, to 255");
        return None;
    };
    if weight > MOST_WEIGHT {
        section.fail("weight", "a weight is at most 1000000");
    }
    Some(Member { weight, priority, zone: zone.map(Into::into), ..Member::new(url?) })
}

/// ```yaml
/// balance: least_requests        # round_robin | random | least_requests | power_of_two | peak_ewma
/// balance:
///   policy: maglev               # those, or ring_hash | maglev, which need a key
///   key: header:x-user           # as in `rate_limit`; also cookie:NAME, query:NAME; several in a list
///   seed: 0                      # the same on all gateways that should agree
///   at_most: 1.25                # times the fair share that a key may fill its endpoint; off by default
///   decay: 10s                   # of latencies, for peak_ewma
///   slow_start: 30s              # over which a new endpoint comes to its whole weight; off by default
///   zone: b                      # the gateway's own; off by default
///   enough: 0.7                  # which part of a group, or of the zone, is enough
/// ```
pub(super) fn read(upstream: &mut Section<'_>) -> Balance {
    let random = Random::default();
    let short = |name: Name| {
        Some(Balance { policy: name.policy(None, PeakEwma::DECAY, &random)?, ..Balance::default() })
    };
    let balance = upstream.either("balance", |name: Plain| short(name.0), |section| long(section, &random));
    balance.unwrap_or_default()
}

fn long(section: &mut Section<'_>, random: &Random) -> Option<Balance> {
    let name = section.or("policy", Name::RoundRobin);
    let keys = section.list("key", |item| item.value::<Key>());
    let seed = section.optional::<u64>("seed");
    let at_most = section.optional::<f64>("at_most");
    let decay = section.optional::<Duration>("decay");
    let slow_start = section.or("slow_start", Duration::ZERO);
    let zone = section.optional::<String>("zone");
    let enough = section.or("enough", 0.7);
    let key = keys.into_iter().reduce(Key::and);
    if let Some(key) = &key {
        section.check_key("key", key);
    }
    let is_hash = matches!(name, Name::RingHash | Name::Maglev);
    if is_hash && !section.has("key") {
        section.fail("policy", "it needs `key`: what of a request leads to its endpoint");
    }
    for given in ["key", "seed", "at_most"] {
        if !is_hash && section.has(given) {
            section.fail(given, "only `ring_hash` and `maglev` look at keys");
        }
    }
    if name != Name::PeakEwma && section.has("decay") {
        section.fail("decay", "only `peak_ewma` looks at latencies");
    }
    if decay.is_some_and(|decay| decay.is_zero() || decay > LONGEST) {
        section.fail("decay", "latencies are remembered for more than 0s and at most 1h");
    }
    if at_most.is_some_and(|times| !(1.0..=1_000.0).contains(&times)) {
        section.fail("at_most", "from 1 times the fair share, such as 1.25, to 1000 times");
    }
    if slow_start > LONGEST {
        section.fail("slow_start", "an endpoint comes to its weight within at most 1h");
    }
    check_share(section, "enough", enough);
    let affinity = at_most.map_or(Affinity::STRICT, Affinity::at_most);
    let by = key.map(|key| HashPolicy::by(key).seed(seed.unwrap_or_default()).affinity(affinity));
    let policy = name.policy(by, decay.unwrap_or(PeakEwma::DECAY), random)?;
    let mut balance = Balance { policy, slow_start, ..Balance::default() };
    (balance.preference.zone, balance.preference.enough) = (zone.map(Arc::from), enough);
    Some(balance)
}

pub(super) fn check_share(section: &mut Section<'_>, name: &'static str, share: f64) {
    if !(0.0..=1.0).contains(&share) {
        section.fail(name, "a part is from 0 to 1, such as 0.5 for half of the endpoints");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    RoundRobin,
    Random,
    LeastRequests,
    PowerOfTwo,
    PeakEwma,
    RingHash,
    Maglev,
}

impl Name {
    fn policy(self, by: Option<HashPolicy>, decay: Duration, random: &Random) -> Option<Policy> {
        Some(match self {
            Self::RoundRobin => Policy::round_robin(),
            Self::Random => Policy::random(random),
            Self::LeastRequests => Policy::least_requests(),
            Self::PowerOfTwo => Policy::power_of_two(random),
            Self::PeakEwma => Policy::peak_ewma(random, decay),
            Self::RingHash => Policy::ring_hash(by?),
            Self::Maglev => Policy::maglev(by?),
        })
    }
}

impl Words for Name {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("round_robin", Self::RoundRobin),
        ("random", Self::Random),
        ("least_requests", Self::LeastRequests),
        ("power_of_two", Self::PowerOfTwo),
        ("peak_ewma", Self::PeakEwma),
        ("ring_hash", Self::RingHash),
        ("maglev", Self::Maglev),
    ];
}

/// One that needs no key.
#[derive(Clone, Copy)]
struct Plain(Name);

impl Words for Plain {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("round_robin", Self(Name::RoundRobin)),
        ("random", Self(Name::Random)),
        ("least_requests", Self(Name::LeastRequests)),
        ("power_of_two", Self(Name::PowerOfTwo)),
        ("peak_ewma", Self(Name::PeakEwma)),
    ];
}

const LONGEST: Duration = Duration::from_secs(3600);
const MOST_WEIGHT: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use crate::config::tests::problems_of;

    fn problems(upstream: &str) -> Vec<String> {
        let text = format!("routes:\n  - {{prefix: /, upstream: {{{upstream}}}}}");
        problems_of(&text)
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (upstream, told) in [
            ("endpoints: []", "an upstream needs at least one endpoint"),
            ("balance: random", "`endpoints` is missing"),
            ("endpoints: [{url: 'http://a', weight: -1}]", "weight"),
            ("endpoints: [{weight: 2}]", "`url` is missing"),
            ("endpoints: [{url: 'http://a', weight: 2000000}]", "a weight is at most 1000000"),
            ("endpoints: [{url: 'http://a', priority: 256}]", "a group has a number from 0"),
            ("endpoints: ['http://a'], balance: maglev", "expected"),
            ("endpoints: ['http://a'], balance: {policy: maglev}", "it needs `key`"),
            (
                "endpoints: ['http://a'], balance: {key: client_addr}",
                "only `ring_hash` and `maglev` look at keys",
            ),
            (
                "endpoints: ['http://a'], balance: {policy: maglev, key: principal}",
                "nobody says who the caller is",
            ),
            (
                "endpoints: ['http://a'], balance: {policy: maglev, key: client_addr, at_most: 0.5}",
                "from 1 times",
            ),
            ("endpoints: ['http://a'], balance: {decay: 1s}", "only `peak_ewma` looks at latencies"),
            ("endpoints: ['http://a'], balance: {policy: peak_ewma, decay: 0s}", "latencies are remembered"),
            ("endpoints: ['http://a'], balance: {enough: 2}", "a part is from 0 to 1"),
            ("endpoints: ['http://a'], balance: {slow_start: 2h}", "within at most 1h"),
        ] {
            let problems = problems(upstream);
            assert!(problems.len() == 1 && problems[0].contains(told), "{upstream}: {problems:#?}");
        }
    }

    #[test]
    fn every_policy_can_be_declared() {
        for balance in [
            "round_robin",
            "random",
            "least_requests",
            "power_of_two",
            "peak_ewma",
            "{policy: peak_ewma, decay: 5s, slow_start: 30s, zone: a, enough: 0.5}",
            "{policy: ring_hash, key: 'header:x-user', seed: 7}",
            "{policy: maglev, key: ['cookie:sid', 'query:user'], at_most: 1.25}",
        ] {
            let endpoints = "endpoints: ['http://a', {url: 'http://b', weight: 3, priority: 1, zone: a}]";
            let problems = problems(&format!("{endpoints}, balance: {balance}"));
            assert!(problems.is_empty(), "{balance}: {problems:#?}");
        }
    }
}
