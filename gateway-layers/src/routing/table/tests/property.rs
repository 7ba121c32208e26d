//! The table against the plain reading, over random rules and requests.

use proptest::{prelude::*, sample::select};

use super::{
    super::{Compared, Table},
    naive::{self, Alternative, Answer, Ask, PathSpec, Spec},
};
use crate::routing::{Found, RuleError};

pub(super) fn any_spec() -> impl Strategy<Value = Spec> {
    prop::collection::vec(any_alternative(), 1..=2).prop_map(|alternatives| Spec { alternatives })
}

fn any_alternative() -> impl Strategy<Value = Alternative> {
    let path = prop_oneof![
        4 => "(/(a|b|\\{x\\}))/?".prop_map(PathSpec::Path),
        2 => "(/(a|b))(/(a|b|\\{y\\}))?(/\\{x\\})/?".prop_map(PathSpec::Path),
        2 => "(/(a|b)){0,1}(/\\{x\\})?/\\{\\*rest\\}".prop_map(PathSpec::Path),
        4 => "(/(a|b)){1,2}|/".prop_map(PathSpec::Prefix),
        1 => regex(),
    ];
    let hosts = prop::sample::subsequence(vec!["h", "*.h", "*.g.h", "a.g.h"], 0..=2);
    let methods = prop::sample::subsequence(vec!["GET", "HEAD", "PUT"], 0..=2);
    let headers = prop::sample::subsequence(vec!["x", "y"], 0..=2);
    let one = |name| {
        (0..=1_usize, select(vec![None, Some("1"), Some("2")]))
            .prop_map(move |(count, value)| vec![(name, value); count])
    };
    let from = select(vec![None, None, Some("10."), Some("10.1.")]);
    let values = (select(vec![None, Some("1"), Some("2")]), select(vec![None, Some("1")]));
    (path, hosts, methods, prop::bool::weighted(0.1), (headers, values), one("q"), one("c"), from).prop_map(
        |(path, hosts, methods, head_apart, (headers, (first, second)), query, cookies, from)| {
            let headers = headers.into_iter().zip([first, second]).collect();
            Alternative { hosts, path, methods, head_apart, headers, query, cookies, from }
        },
    )
}

#[cfg(feature = "regex")]
fn regex() -> impl Strategy<Value = PathSpec> {
    select(naive::REGEXES).prop_map(|(text, ..)| PathSpec::Regex(text))
}

#[cfg(not(feature = "regex"))]
fn regex() -> impl Strategy<Value = PathSpec> {
    Just(PathSpec::Prefix("/c".to_owned()))
}

pub(super) fn any_ask() -> impl Strategy<Value = Ask> {
    let host = select(vec!["h", "a.h", "b.g.h", "a.g.h", "g.h", "other"]);
    let method = select(vec!["GET", "HEAD", "PUT", "POST"]);
    let fields =
        |names: Vec<&'static str>| prop::collection::vec((select(names), select(vec!["1", "2", "3"])), 0..3);
    let client = select(vec!["10.1.0.1", "10.2.0.1", "11.0.0.1"]);
    (
        host,
        "(/[abc]){1,4}/?|/",
        method,
        fields(vec!["x", "y"]),
        fields(vec!["q", "r"]),
        fields(vec!["c"]),
        client,
    )
        .prop_map(|(host, path, method, headers, query, cookies, client)| Ask {
            host: host.to_owned(),
            path,
            method,
            headers,
            query,
            cookies,
            client,
        })
}

/// The rules that a table takes, and the table.
pub(super) fn accepted(mut specs: Vec<Spec>) -> (Vec<Spec>, Table<usize>) {
    loop {
        let rules = specs.iter().enumerate().map(|(number, spec)| (spec.rule(number), number));
        match Table::new(rules) {
            Ok(table) => return (specs, table),
            Err(errors) => {
                let refused: Vec<usize> = errors.iter().map(RuleError::index).collect();
                let mut index = 0..;
                specs.retain(|_| index.next().is_some_and(|index| !refused.contains(&index)));
            }
        }
    }
}

pub(super) fn found(table: &Table<usize>, ask: &Ask) -> Answer {
    match table.find(&ask.head(), std::time::SystemTime::UNIX_EPOCH) {
        Found::Rule(hit) => Answer::Rule(*hit.value),
        Found::MethodNotAllowed(methods) => Answer::Methods(format!("{methods:?}")),
        Found::Nothing => Answer::Nothing,
        Found::UnknownHost => Answer::UnknownHost,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn finds_what_a_plain_reading_finds(
        specs in prop::collection::vec(any_spec(), 0..14),
        asks in prop::collection::vec(any_ask(), 30),
    ) {
        let (specs, table) = accepted(specs);
        for ask in asks {
            let found = found(&table, &ask);
            prop_assert_eq!(&found, &naive::answer(&specs, &ask), "{:?}", ask);
            let compared = table.compared(&ask.head(), std::time::SystemTime::UNIX_EPOCH);
            prop_assert_eq!(compared.len(), specs.len());
            let serving = compared.iter().find(|(_, compared)| *compared == Compared::Serves);
            let texts: Vec<String> = specs.iter().enumerate().map(|(n, spec)| spec.rule(n).to_string()).collect();
            let expected = match found {
                Answer::Rule(number) => Some(texts[number].as_str()),
                _ => None,
            };
            prop_assert_eq!(serving.map(|(text, _)| *text), expected, "what is explained is what is found");
        }
    }

    #[test]
    fn many_candidates_at_one_place_are_found_like_few(
        values in prop::collection::vec((any_alternative(), select(vec!["x", "y"]), 0..40_u8), 10..40),
        asks in prop::collection::vec((any_ask(), 0..40_u8), 30),
    ) {
        const NUMBERS: [&str; 40] = [
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17",
            "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32", "33",
            "34", "35", "36", "37", "38", "39",
        ];
        let specs = values.into_iter().map(|(mut one, name, value)| {
            one.path = PathSpec::Prefix("/".to_owned());
            one.hosts.clear();
            one.headers.retain(|(known, _)| *known != name);
            one.headers.push((name, Some(NUMBERS[usize::from(value)])));
            Spec { alternatives: vec![one] }
        });
        let (specs, table) = accepted(specs.collect());
        for (mut ask, value) in asks {
            ask.headers.insert(0, ("x", NUMBERS[usize::from(value)]));
            prop_assert_eq!(found(&table, &ask), naive::answer(&specs, &ask), "{:?}", ask);
        }
    }
}
