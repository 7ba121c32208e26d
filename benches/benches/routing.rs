//! What it costs to find a rule, by the number of rules and by what they ask about; to build a table; and to reach a
//! table that may be replaced at any time.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up ends")]

use std::{
    hint::black_box,
    sync::{Arc, RwLock},
    time::{Duration, SystemTime},
};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use gateway_layers::routing::{Found, LiveTable, Rule, Table};
use http::{HeaderName, Method, Request, request::Parts};

const ROUTES: [u32; 3] = [10, 1_000, 100_000];

fn curve(criterion: &mut Criterion) {
    for (name, rule, target) in KINDS {
        let mut group = criterion.benchmark_group(format!("routing, {name}"));
        group
            .measurement_time(Duration::from_secs(2))
            .warm_up_time(Duration::from_millis(300))
            .sample_size(30);
        for routes in ROUTES {
            let table = table(routes, rule);
            // Spread over the table, so that not one path through the caches is measured.
            let heads: Vec<Parts> =
                (0..64).map(|at| target(routes / 64 * at + at % routes.min(64))).collect();
            let mut next = 0;
            group.bench_function(BenchmarkId::from_parameter(routes), |bencher| {
                bencher.iter(|| {
                    next = (next + 1) % heads.len();
                    matches!(black_box(&table).find(&heads[next], SystemTime::UNIX_EPOCH), Found::Rule(_))
                });
            });
        }
        group.finish();
    }
}

/// Regular expressions with one beginning are tried one by one.
fn regex(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("routing, regular expressions with one beginning");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300)).sample_size(30);
    for routes in [1, 10, 100] {
        let table = table(routes, |n| Rule::regex(&format!("/r/{n}-[a-z]+/[0-9]+")));
        let head = head("h", &format!("/r/{}-orders/17", routes - 1), &[]);
        group.bench_function(BenchmarkId::from_parameter(routes), |bencher| {
            bencher.iter(|| matches!(black_box(&table).find(&head, SystemTime::UNIX_EPOCH), Found::Rule(_)));
        });
    }
    group.finish();
}

fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("routing, building 10,000 rules");
    group.measurement_time(Duration::from_secs(3)).sample_size(10);
    for (name, rule, _) in KINDS {
        group.bench_function(*name, |bencher| bencher.iter(|| table(10_000, rule)));
    }
    group.finish();
}

fn swap(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("routing, reaching a table that may be replaced");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300)).sample_size(30);
    let fixed = Arc::new(Table::<()>::default());
    group.bench_function("fixed", |bencher| bencher.iter(|| black_box(&fixed).reads_time()));
    let locked = RwLock::new(Arc::new(Table::<()>::default()));
    group.bench_function("RwLock<Arc>", |bencher| {
        bencher.iter(|| {
            let table = Arc::clone(&black_box(&locked).read().unwrap());
            table.reads_time()
        });
    });
    let live = LiveTable::default();
    group.bench_function("a count of its own", |bencher| {
        bencher.iter(|| black_box(&live).table().reads_time())
    });
    let swapped = arc_swap::ArcSwap::from(fixed);
    group.bench_function("ArcSwap, as RoutingLayer does", |bencher| {
        bencher.iter(|| black_box(&swapped).load().reads_time());
    });
    group.finish();
}

type Kind = (&'static str, fn(u32) -> Rule, fn(u32) -> Parts);

const KINDS: &[Kind] = &[
    ("prefixes", |n| Rule::prefix(format!("/svc{n}")), |n| head("h", &format!("/svc{n}/orders"), &[])),
    (
        "hosts",
        |n| match n % 2 {
            0 => Rule::prefix("/").host(format!("shop{n}.example.com")),
            _ => Rule::prefix("/").host(format!("*.shop{n}.example.com")),
        },
        |n| head(&format!("{}shop{n}.example.com", if n % 2 == 0 { "" } else { "a." }), "/orders", &[]),
    ),
    (
        "parameters and methods",
        |n| Rule::path(format!("/svc{n}/users/{{user}}/orders/{{order}}")).method(Method::GET),
        |n| head("h", &format!("/svc{n}/users/7/orders/42"), &[]),
    ),
    (
        "a header's value at one path",
        |n| Rule::prefix("/").header(TENANT, format!("tenant{n}")),
        |n| head("h", "/orders", &[("x-tenant", &format!("tenant{n}"))]),
    ),
    (
        "host, parameter, header and query",
        |n| {
            Rule::path("/users/{user}")
                .host(format!("shop{n}.example.com"))
                .header(TENANT, "a")
                .query("version", "2")
        },
        |n| head(&format!("shop{n}.example.com"), "/users/7?page=1&version=2", &[("x-tenant", "a")]),
    ),
];

const TENANT: HeaderName = HeaderName::from_static("x-tenant");

fn table(routes: u32, rule: impl Fn(u32) -> Rule) -> Table<()> {
    Table::new((0..routes).map(|n| (rule(n).name(n.to_string()), ()))).unwrap()
}

fn head(host: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let request = Request::builder().uri(target).header("host", host).header("user-agent", "bench");
    let request = headers.iter().fold(request, |request, &(name, value)| request.header(name, value));
    request.body(()).unwrap().into_parts().0
}

criterion_group!(benches, curve, regex, build, swap);
criterion_main!(benches);
