//! The rules against another implementation of RFC 9111, `http-cache-semantics`.
//!
//! Where the two are known to differ, nothing is generated: it takes `proxy-revalidate` for stale at once, lets
//! `max-stale` lift `no-cache` and a lifetime that nobody told, does not read the age in `Date`, and stores cookies with
//! `public`. Of what is just at the end of `max-stale` it says no, and RFC 9111, 5.2.1.2 yes ("no more than").

use std::time::{Duration, SystemTime};

use gateway_core::Clock;
use http::{HeaderMap, Request, Response};
use http_cache_semantics::{CacheOptions, CachePolicy};
use proptest::{option, prelude::*, sample::select};

use super::{
    entry::About,
    freshness::{Exchange, format_date},
    request::{Terms, Wish},
    reuse::acceptable,
    storable::{Asked, check},
    targets::Targets,
};

#[derive(Clone, Debug)]
struct Story {
    status: u16,
    authorization: bool,
    flags: [bool; 5],
    max_age: Option<u64>,
    s_maxage: Option<u64>,
    expires: Option<i64>,
    age: Option<u64>,
    elapsed: u64,
    no_cache: bool,
    asked_max_age: Option<u64>,
    min_fresh: Option<u64>,
    max_stale: Option<u64>,
}

prop_compose! {
    fn story()(
        status in select(vec![200_u16, 200, 200, 200, 200, 200, 200, 203, 204, 206, 299, 301, 302, 307, 308, 404, 410, 418, 500, 503]),
        authorization in any::<bool>(),
        flags in any::<[bool; 5]>(),
        max_age in option::of(0_u64..90),
        s_maxage in option::weighted(0.3, 0_u64..90),
        expires in option::of(-10_i64..90),
        age in option::weighted(0.3, 0_u64..30),
        elapsed in 0_u64..60,
        no_cache in prop::bool::weighted(0.2),
        asked_max_age in option::weighted(0.3, 1_u64..40),
        min_fresh in option::weighted(0.3, 1_u64..40),
        max_stale in option::weighted(0.3, 0_u64..40),
    ) -> Story {
        Story {
            status, authorization, flags, max_age, s_maxage, expires, age, elapsed, no_cache, asked_max_age,
            min_fresh, max_stale,
        }
    }
}

impl Story {
    fn wall() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
    }

    fn answer(&self) -> Response<()> {
        let [no_store, private, public, must_revalidate, no_cache] = self.flags;
        let mut control: Vec<String> = Vec::new();
        for (is_set, word) in [
            // Each forbids most; both together would leave little to compare.
            (no_store && private, "no-store"),
            (private && !public, "private"),
            (public, "public"),
            (must_revalidate, "must-revalidate"),
            (no_cache && must_revalidate, "no-cache"),
        ] {
            control.extend(is_set.then(|| word.to_owned()));
        }
        control.extend(self.max_age.map(|seconds| format!("max-age={seconds}")));
        control.extend(self.s_maxage.map(|seconds| format!("s-maxage={seconds}")));
        let mut response = Response::builder().status(self.status).header("etag", "\"a\"");
        response = response.header("date", format_date(Self::wall()));
        if !control.is_empty() {
            response = response.header("cache-control", control.join(", "));
        }
        if let Some(expires) = self.expires {
            let offset = Duration::from_secs(expires.unsigned_abs());
            let moment = if expires < 0 { Self::wall() - offset } else { Self::wall() + offset };
            response = response.header("expires", format_date(moment));
        }
        if let Some(age) = self.age {
            response = response.header("age", age);
        }
        response.body(()).unwrap()
    }

    fn first(&self) -> Request<()> {
        let request = Request::get("http://a.test/");
        let request = if self.authorization { request.header("authorization", "a") } else { request };
        request.body(()).unwrap()
    }

    fn second(&self) -> Request<()> {
        let mut control: Vec<String> = Vec::new();
        control.extend(self.no_cache.then(|| "no-cache".to_owned()));
        control.extend(self.asked_max_age.map(|seconds| format!("max-age={seconds}")));
        control.extend(self.min_fresh.map(|seconds| format!("min-fresh={seconds}")));
        control.extend(self.max_stale.map(|seconds| format!("max-stale={seconds}")));
        let mut request = self.first();
        if !control.is_empty() {
            request.headers_mut().insert("cache-control", control.join(", ").parse().unwrap());
        }
        request
    }

    /// Whether the two are known to differ.
    fn is_disputed(&self) -> bool {
        let lifetime =
            self.s_maxage.or(self.max_age).or(self.expires.map(|expires| expires.max(0).unsigned_abs()));
        let Some(most) = self.max_stale else { return false };
        let age = self.age.unwrap_or(0) + self.elapsed;
        let [.., must_revalidate, no_cache] = self.flags;
        lifetime.is_none_or(|lifetime| age.checked_sub(lifetime) == Some(most))
            || self.s_maxage.is_some()
            || (no_cache && must_revalidate)
    }

    /// What they say: whether the second request is answered by the answer to the first.
    fn theirs(&self) -> bool {
        let options = CacheOptions {
            cache_heuristic: 0.0,
            immutable_min_time_to_live: Duration::ZERO,
            ..CacheOptions::default()
        };
        let policy = CachePolicy::new_options(&self.first(), &self.answer(), Self::wall(), options);
        let now = Self::wall() + Duration::from_secs(self.elapsed);
        policy.is_storable() && policy.before_request(&self.second(), now).satisfies_without_revalidation()
    }

    /// What we say.
    fn ours(&self) -> bool {
        let (head, ()) = self.answer().into_parts();
        let none = HeaderMap::new();
        let asked = Asked { headers: &none, identified: self.authorization, set_cookie: false };
        let Ok(storable) = check(asked, head.status, &head.headers, Self::wall()) else { return false };
        let received = Clock::default().now();
        let exchange = Exchange { asked: received, received, received_wall: Self::wall() };
        let about = About::new(head.status, head.headers, storable, exchange, (Targets::default().of(1), 0));
        let terms: Terms = match Wish::of(&self.second().into_parts().0, false) {
            Wish::Look(terms) => terms,
            _ => return false,
        };
        acceptable(&about, &terms, received + Duration::from_secs(self.elapsed)).is_ok()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn two_caches_of_one_mind(story in story().prop_filter("disputed", |story| !story.is_disputed())) {
        prop_assert_eq!(story.ours(), story.theirs());
    }
}

#[test]
fn the_comparison_is_about_something() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let stories = (0..2_000).map(|_| story().new_tree(&mut runner).unwrap().current());
    let used = stories.filter(Story::theirs).count();
    assert!((100..1_900).contains(&used), "{used} of 2,000 stories end with a hit");
}
