//! The part of an upstream that says when an endpoint is left alone.

use std::{borrow::Cow, ops::RangeInclusive, time::Duration};

use gateway_core::upstream::{
    Balance, Panic,
    health::{Checks, Ejection, HttpProbe, Probe, Rhythm, SuccessRate},
};
use http::{HeaderName, HeaderValue};

use super::{
    Section, Words,
    balance::check_share,
    value::{Value, Wrong},
};

/// ```yaml
/// health:
///   panic: use_all               # use_all | refuse: what happens when almost all are out; must be said
///   panic_below: 0.2             # which part of the endpoints is almost none
///   active:
///     http: {path: /healthz, host: a.test, headers: {x: y}, expect: [200-299]}   # or `tcp: true`
///     port: 9000                 # the endpoint's own by default
///     timeout: 2s
///     healthy_interval: 10s
///     unhealthy_interval: 2s
///     jitter: 0.2
///     healthy_after: 2
///     unhealthy_after: 3
///     at_once: 16
///   passive:
///     consecutive: 5             # 0 for never
///     base: 30s
///     longest: 300s
///     most: 0.5
///     success_rate: {interval: 10s, hosts: 5, requests: 100, deviations: 1.9}    # off by default
/// ```
pub(super) fn read(upstream: &mut Section<'_>, balance: &mut Balance) {
    upstream.section("health", |section| {
        let panic = section.required::<Panic>("panic");
        let panic_below = section.or("panic_below", 0.2);
        let checks = section.section("active", active);
        let ejection = section.section("passive", passive);
        section.demand_one_of(&["active", "passive"]);
        check_share(section, "panic_below", panic_below);
        (balance.checks, balance.ejection) = (checks, ejection);
        balance.preference.panic = panic?;
        balance.preference.panic_below = panic_below;
        Some(())
    });
}

fn active(section: &mut Section<'_>) -> Option<Checks> {
    let defaults = (Rhythm::default(), Checks::new(Probe::Tcp));
    let http = section.section("http", http);
    let tcp = section.optional::<bool>("tcp");
    section.demand_one_of(&["http", "tcp"]);
    let port = section.optional::<u32>("port");
    let timeout = section.or("timeout", defaults.1.timeout);
    let healthy_interval = section.or("healthy_interval", defaults.0.healthy_interval);
    let unhealthy_interval = section.or("unhealthy_interval", defaults.0.unhealthy_interval);
    let jitter = section.or("jitter", defaults.0.jitter);
    let healthy_after = section.or("healthy_after", defaults.0.healthy_after);
    let unhealthy_after = section.or("unhealthy_after", defaults.0.unhealthy_after);
    let at_once = section.or("at_once", defaults.1.at_once);
    if section.has("http") && section.has("tcp") {
        section.fail("tcp", "one kind of check at a time: `http` or `tcp`");
    }
    if tcp == Some(false) {
        section.fail("tcp", "leave it out, and say which other check there is");
    }
    for (name, time) in [("healthy_interval", healthy_interval), ("unhealthy_interval", unhealthy_interval)] {
        if !(SHORTEST_INTERVAL..=LONGEST).contains(&time) {
            section.fail(name, "an endpoint is checked every 100ms to 1h");
        }
    }
    if timeout.is_zero() || timeout > LONGEST {
        section.fail("timeout", "a check takes more than 0s and at most 1h");
    }
    if !(0.0..=1.0).contains(&jitter) {
        section.fail("jitter", "a part of the interval, from 0 to 1");
    }
    for (name, count) in [("healthy_after", healthy_after), ("unhealthy_after", unhealthy_after)] {
        if count == 0 {
            section.fail(name, "at least one check is needed to judge");
        }
    }
    if !(1..=1_000).contains(&at_once) {
        section.fail("at_once", "from 1 to 1000 checks are under way at once");
    }
    let port = match port.map(u16::try_from) {
        Some(Ok(port)) if port > 0 => Some(port),
        None => None,
        Some(_) => {
            section.fail("port", "a port is a number from 1 to 65535");
            None
        }
    };
    let probe = http.map_or(Probe::Tcp, Probe::Http);
    let rhythm = Rhythm { healthy_interval, unhealthy_interval, jitter, healthy_after, unhealthy_after };
    Some(Checks { probe, rhythm, timeout, port, at_once })
}

fn http(section: &mut Section<'_>) -> Option<HttpProbe> {
    let path = section.or("path", "/".to_owned());
    let host = section.optional::<HeaderValue>("host");
    let headers = section.pairs::<HeaderName, HeaderValue>("headers").into_iter().collect();
    let expect = section.list("expect", |item| item.value::<Statuses>());
    if !path.starts_with('/') || path.parse::<http::Uri>().is_err() {
        section.fail("path", "a path begins with `/`");
    }
    let expect: Vec<_> = expect.into_iter().map(|Statuses(range)| range).collect();
    let expect = if expect.is_empty() { HttpProbe::default().expect } else { expect };
    Some(HttpProbe { path, host, headers, expect })
}

fn passive(section: &mut Section<'_>) -> Option<Ejection> {
    let defaults = Ejection::default();
    let consecutive = section.or("consecutive", defaults.consecutive);
    let base = section.or("base", defaults.base);
    let longest = section.or("longest", defaults.longest.max(base));
    let most = section.or("most", defaults.most);
    let success_rate = section.section("success_rate", success_rate);
    if base.is_zero() || base > LONGEST {
        section.fail("base", "an endpoint is left alone for more than 0s and at most 1h");
    }
    if longest < base || longest > LONGEST {
        section.fail("longest", "it is from `base` to 1h");
    }
    if consecutive == 0 && !section.has("success_rate") {
        section.fail("consecutive", "nothing would eject an endpoint; leave `passive` out instead");
    }
    check_share(section, "most", most);
    Some(Ejection { consecutive, base, longest, most, success_rate })
}

fn success_rate(section: &mut Section<'_>) -> Option<SuccessRate> {
    let defaults = SuccessRate::default();
    let interval = section.or("interval", defaults.interval);
    let hosts = section.or("hosts", defaults.hosts);
    let requests = section.or("requests", defaults.requests);
    let deviations = section.or("deviations", defaults.deviations);
    if !(SHORTEST_INTERVAL..=LONGEST).contains(&interval) {
        section.fail("interval", "endpoints are compared every 100ms to 1h");
    }
    if hosts < 2 {
        section.fail("hosts", "at least 2 endpoints can be compared");
    }
    if requests == 0 {
        section.fail("requests", "at least one request is needed to judge");
    }
    if !(0.0..=100.0).contains(&deviations) {
        section.fail("deviations", "standard deviations, from 0 to 100");
    }
    Some(SuccessRate { interval, hosts, requests, deviations })
}

impl Words for Panic {
    const WORDS: &'static [(&'static str, Self)] = &[("use_all", Self::UseAll), ("refuse", Self::Refuse)];
}

/// `200` or `200-299`.
struct Statuses(RangeInclusive<u16>);

impl Value for Statuses {
    fn wanted() -> Cow<'static, str> {
        "a status such as 200, or several such as 200-299".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let status = |text: &str| {
            let is_status = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_status).ok_or_else(|| Wrong::because("a status has three digits"))
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = status(first)?..=status(last)?;
        if range.is_empty() { Err(Wrong::because("the first is above the last")) } else { Ok(Self(range)) }
    }
}

const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use crate::config::tests::problems_of;

    fn problems(health: &str) -> Vec<String> {
        let upstream = format!("{{endpoints: ['http://a'], health: {{{health}}}}}");
        let text = format!("routes:\n  - {{prefix: /, upstream: {upstream}}}");
        problems_of(&text)
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (health, told) in [
            ("passive: {}", "`panic` is missing"),
            ("panic: refuse", "`active` or `passive` is missing"),
            ("panic: sometimes, passive: {}", "sometimes"),
            ("panic: refuse, panic_below: 2, passive: {}", "a part is from 0 to 1"),
            ("panic: refuse, active: {}", "`http` or `tcp` is missing"),
            ("panic: refuse, active: {tcp: true, http: {}}", "one kind of check at a time"),
            ("panic: refuse, active: {tcp: false}", "leave it out"),
            ("panic: refuse, active: {tcp: true, healthy_interval: 1ms}", "every 100ms to 1h"),
            ("panic: refuse, active: {tcp: true, timeout: 0s}", "a check takes more than 0s"),
            ("panic: refuse, active: {tcp: true, jitter: 2}", "a part of the interval"),
            ("panic: refuse, active: {tcp: true, healthy_after: 0}", "at least one check is needed"),
            ("panic: refuse, active: {tcp: true, at_once: 0}", "from 1 to 1000"),
            ("panic: refuse, active: {tcp: true, port: 70000}", "a port is a number"),
            ("panic: refuse, active: {http: {path: x}}", "a path begins with `/`"),
            ("panic: refuse, active: {http: {expect: 20}}", "a status has three digits"),
            ("panic: refuse, active: {http: {expect: [299-200]}}", "the first is above the last"),
            ("panic: refuse, passive: {base: 0s}", "left alone for more than 0s"),
            ("panic: refuse, passive: {longest: 1s}", "it is from `base` to 1h"),
            ("panic: refuse, passive: {consecutive: 0}", "nothing would eject an endpoint"),
            ("panic: refuse, passive: {most: 1.5}", "a part is from 0 to 1"),
            ("panic: refuse, passive: {success_rate: {hosts: 1}}", "at least 2 endpoints"),
            ("panic: refuse, passive: {success_rate: {requests: 0}}", "at least one request is needed"),
            ("panic: refuse, passive: {success_rate: {deviations: -1}}", "standard deviations"),
        ] {
            let problems = problems(health);
            assert!(problems.len() == 1 && problems[0].contains(told), "{health}: {problems:#?}");
        }
    }

    #[test]
    fn both_kinds_can_be_declared_with_everything() {
        let active = "active: {http: {path: /healthz, host: a.test, headers: {x-check: yes}, expect: [200, 301-302]}, \
                      port: 9000, timeout: 1s, healthy_interval: 5s, unhealthy_interval: 1s, jitter: 0.1, \
                      healthy_after: 1, unhealthy_after: 2, at_once: 4}";
        let passive = "passive: {consecutive: 3, base: 10s, longest: 60s, most: 0.3, success_rate: {}}";
        for health in [active, passive, &format!("{active}, {passive}"), "active: {tcp: true}"] {
            let problems = problems(&format!("panic: use_all, {health}"));
            assert!(problems.is_empty(), "{problems:#?}");
        }
    }
}
