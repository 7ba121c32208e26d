//! The part of the document under `circuit_breaker`, in a route: it guards the endpoints of the route's upstream.

use std::time::Duration;

use gateway_core::Mode;

use super::{EndpointBreakers, Settings};
use crate::config::Section;

/// ```yaml
/// circuit_breaker:
///   window: 10s            # 100ms to 10m
///   minimum: 20            # calls in the window before rates count
///   failure_rate: 0.5      # more than 0, at most 1
///   slow: 2s               # off by default; with `slow_rate`
///   slow_rate: 0.8         # default 0.8
///   open: 5s               # 1ms to 1h
///   open_max: 60s          # the time doubles up to this while probes fail; off by default
///   probes: 3              # 1 to 1000
///   mode: enforce          # enforce | audit | off
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<EndpointBreakers> {
    let window = section.or("window", Duration::from_secs(10));
    let minimum = section.or("minimum", 20_u64);
    let failure_rate = section.or("failure_rate", 0.5);
    let slow = section.optional::<Duration>("slow");
    let slow_rate = section.optional::<f64>("slow_rate");
    let open = section.or("open", Duration::from_secs(5));
    let open_max = section.optional::<Duration>("open_max");
    let probes = section.or("probes", 3_u32);
    let mode = section.or("mode", Mode::Enforce);
    if !(Settings::SHORTEST_WINDOW..=Settings::LONGEST_WINDOW).contains(&window) {
        section.fail("window", "a window lasts from 100ms to 10m");
    }
    if minimum == 0 {
        section.fail("minimum", "at least one call is needed to judge");
    }
    check_rate(section, "failure_rate", failure_rate);
    if let Some(rate) = slow_rate {
        check_rate(section, "slow_rate", rate);
        if slow.is_none() && !section.has("slow") {
            section.fail("slow_rate", "it needs `slow`, the time from which a call is slow");
        }
    }
    if slow.is_some_and(|slow| slow.is_zero()) {
        section.fail("slow", "every call would be slow; leave the key out to judge by failures alone");
    }
    if !(Settings::SHORTEST_OPEN..=Settings::LONGEST_OPEN).contains(&open) {
        section.fail("open", "a circuit stays open from 1ms to 1h");
    }
    if open_max.is_some_and(|most| most < open || most > Settings::LONGEST_OPEN) {
        section.fail("open_max", "it is from `open` to 1h");
    }
    if !(1..=Settings::MOST_PROBES).contains(&probes) {
        section.fail("probes", "from 1 to 1000 calls try whether the upstream is back");
    }
    let mut settings = Settings::default()
        .window(window)
        .minimum(minimum)
        .failure_rate(failure_rate)
        .open(open)
        .open_max(open_max.unwrap_or_default())
        .probes(probes);
    if let Some(slow) = slow {
        settings = settings.slow(slow, slow_rate.unwrap_or(0.8));
    }
    let context = section.context();
    let breakers = EndpointBreakers::new(settings, section.place()).mode(mode);
    Some(breakers.clock(context.clock.clone()).meter(&context.meter).shelf(&context.shelf))
}

fn check_rate(section: &mut Section<'_>, name: &'static str, rate: f64) {
    if rate <= 0.0 || rate > 1.0 {
        section.fail(name, "a rate is more than 0 and at most 1, such as 0.5 for half of the calls");
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::{
        Body,
        testing::{ScriptedUpstream, Step},
    };
    use http::Request;
    use tower::ServiceExt;

    use crate::config::{Context, Source, load};

    fn problems(breaker: &str) -> String {
        let text =
            format!("routes:\n  - {{prefix: /, upstream: 'http://a', circuit_breaker: {{{breaker}}}}}");
        let source = Source { name: "g", text: &text };
        load(source, |_| None, &Context::default()).map(drop).map_err(|error| error.to_string()).unwrap_err()
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (breaker, told) in [
            ("window: 50ms", "a window lasts from 100ms to 10m"),
            ("window: 1h", "a window lasts from 100ms to 10m"),
            ("minimum: 0", "at least one call is needed to judge"),
            ("failure_rate: 0", "a rate is more than 0 and at most 1, such as 0.5 for half of the calls"),
            ("failure_rate: 50%", "found `50%` (did you mean `0.5`?)"),
            ("failure_rate: 50", "a rate is more than 0 and at most 1, such as 0.5 for half of the calls"),
            ("slow_rate: 0.5", "it needs `slow`, the time from which a call is slow"),
            ("slow: 0s", "every call would be slow; leave the key out to judge by failures alone"),
            ("open: 0s", "a circuit stays open from 1ms to 1h"),
            ("open: 10s, open_max: 5s", "it is from `open` to 1h"),
            ("probes: 0", "from 1 to 1000 calls try whether the upstream is back"),
            ("treshold: 5", "unknown key `treshold`"),
        ] {
            let problems = problems(breaker);
            assert!(problems.contains(told) && problems.lines().count() == 1, "{breaker}: {problems}");
        }
    }

    #[tokio::test]
    async fn a_declared_breaker_guards_the_endpoints_of_its_route() {
        let broken = Step::Send("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n");
        let upstream = ScriptedUpstream::start([vec![broken]]).await.unwrap();
        let text = format!(
            "routes:\n  - name: all\n    prefix: /\n    circuit_breaker: {{minimum: 2}}\n    upstream: {}\n",
            upstream.url()
        );
        let context = Context::default();
        let declared = load(Source { name: "g", text: &text }, |_| None, &context).unwrap();
        let ask = async || {
            let request = Request::get("/").header("host", "a").body(Body::empty()).unwrap();
            declared.service().oneshot(request).await.unwrap().status().as_u16()
        };
        assert_eq!([ask().await, ask().await, ask().await], [500, 500, 503]);
        let line = format!("gateway_circuit_state{{place=\"all\",endpoint=\"{}\"}} 2", upstream.url());
        assert!(context.meter.render().contains(&line), "{}", context.meter.render());

        let next = Context { shelf: std::sync::Arc::new(context.shelf.next()), ..context.clone() };
        let declared = load(Source { name: "g", text: &text }, |_| None, &next).unwrap();
        let request = Request::get("/").header("host", "a").body(Body::empty()).unwrap();
        let answer = declared.service().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 503, "it is still open in the next graph");
    }
}
