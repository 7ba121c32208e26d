//! The algebra, for every combination of three branches.

use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::aggregate::{
    Branch, Plan,
    checked::Checked,
    freshness::Freshness,
    merge::{Part, Whole, merge},
    outcome::{Failed, Kind},
};

const RULES: [&str; 3] = ["required", "optional", "fallback"];

/// How a branch ends, the code of it, and the status of a whole that cannot do without it.
const ENDS: [(&str, &str, u16); 13] = [
    ("ok", "", 200),
    ("404", "branch_status", 404),
    ("400", "branch_status", 502),
    ("500", "branch_status", 502),
    ("503", "branch_status", 503),
    ("302", "branch_status", 502),
    ("timeout", "branch_timeout", 504),
    ("unreachable", "branch_unreachable", 502),
    ("unavailable", "branch_unavailable", 503),
    ("not json", "branch_not_json", 502),
    ("too large", "branch_too_large", 502),
    ("client's value", "branch_value", 400),
    ("branch's value", "branch_value", 502),
];

#[test]
fn every_combination_of_three_branches_comes_out_as_the_table_says() {
    let choices: Vec<(usize, usize)> =
        (0..RULES.len()).flat_map(|rule| (0..ENDS.len()).map(move |end| (rule, end))).collect();
    let mut count = 0;
    for &one in &choices {
        for &two in &choices {
            for &three in &choices {
                check([one, two, three]);
                count += 1;
            }
        }
    }
    assert_eq!(count, 59_319);
}

fn check(branches: [(usize, usize); 3]) {
    let names = ["a", "b", "c"];
    let plan = plan(branches.map(|(rule, _)| RULES[rule]));
    let ends = branches.iter().zip(&plan.steps).map(|((_, end), step)| match ENDS[*end].0 {
        "ok" => Part::new(step, json!("part"), Freshness::FOREVER, None),
        end => Err(failed(end)),
    });
    let found = merge(&plan, ends.collect());

    let first = branches.iter().position(|&(rule, end)| RULES[rule] == "required" && ENDS[end].0 != "ok");
    if let Some(first) = first {
        let (index, failed) = found.unwrap_err();
        let (_, code, status) = ENDS[branches[first].1];
        let refusal = failed.refusal(names[index]);
        assert_eq!((index, refusal.code(), refusal.status().as_u16()), (first, code, status), "{branches:?}");
        return;
    }
    let mut expected = Map::new();
    let mut notes = Vec::new();
    for ((rule, end), name) in branches.into_iter().zip(names) {
        let (end, code, _) = ENDS[end];
        let instead = if RULES[rule] == "fallback" { json!("instead") } else { Value::Null };
        expected.insert(name.to_owned(), if end == "ok" { json!("part") } else { instead });
        if end != "ok" {
            let mut note = json!({"branch": name, "code": code});
            if let Ok(status) = end.parse::<u16>() {
                note["status"] = status.into();
            }
            if RULES[rule] == "fallback" {
                note["fallback"] = true.into();
            }
            notes.push(note);
        }
    }
    let is_complete = notes.is_empty();
    if !is_complete {
        expected.insert("_errors".to_owned(), notes.into());
    }
    let whole = found.unwrap();
    assert_eq!((whole.value, whole.is_complete), (Value::Object(expected), is_complete), "{branches:?}");
    assert_eq!(whole.freshness.to_header() == "no-store", !is_complete, "{branches:?}");
}

fn plan(rules: [&str; 3]) -> Checked {
    let branch = |(name, rule): (&str, &str)| {
        let branch = Branch::new(name, "/").group(name);
        match rule {
            "required" => branch.required(),
            "optional" => branch.optional(),
            _ => branch.fallback(json!("instead")),
        }
    };
    let plan = ["a", "b", "c"].into_iter().zip(rules).map(branch).fold(Plan::everywhere(), Plan::branch);
    Checked::new(plan).unwrap()
}

fn failed(end: &str) -> Failed {
    let kind = match end {
        "timeout" => Kind::Timeout,
        "unreachable" => Kind::Unreachable,
        "unavailable" => Kind::Unavailable,
        "not json" => Kind::NotJson,
        "too large" => Kind::TooLarge,
        "client's value" => Kind::Value { of_client: true },
        "branch's value" => Kind::Value { of_client: false },
        status => {
            let status = StatusCode::from_bytes(status.as_bytes()).unwrap();
            return Failed::by_answer(status, &HeaderMap::new());
        }
    };
    Failed::new(kind, "told to")
}

#[test]
fn a_status_that_passes_brings_what_belongs_to_it() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("7"));
    headers.insert("www-authenticate", HeaderValue::from_static("Bearer"));
    headers.insert("set-cookie", HeaderValue::from_static("a=b"));
    for (status, whole, retry_after, challenge) in [
        (401, 401, true, true),
        (403, 403, true, false),
        (429, 429, true, false),
        (503, 503, true, false),
        (504, 504, true, false),
        (500, 502, false, false),
        (418, 502, false, false),
    ] {
        let failed = Failed::by_answer(StatusCode::from_u16(status).unwrap(), &headers);
        let (head, ()) = http::Request::get("/").body(()).unwrap().into_parts();
        let asked = gateway_core::refusal::Asked::of(&head);
        let answer: http::Response<gateway_core::Body> = failed.refusal("a").into_response(&asked);
        let has = |name: &str| answer.headers().contains_key(name);
        assert_eq!(answer.status().as_u16(), whole);
        assert_eq!((has("retry-after"), has("www-authenticate")), (retry_after, challenge), "{status}");
        assert!(!has("set-cookie"));
    }
    let unchallenged = Failed::by_answer(StatusCode::UNAUTHORIZED, &HeaderMap::new());
    assert_eq!(unchallenged.refusal("a").status(), 502, "a 401 without a challenge is none");
}

proptest! {
    /// The model: groups by name, then every top-level field of the others, first come first served.
    #[test]
    fn merging_is_first_come_first_served_and_groups_come_first(
        answers in proptest::collection::vec((any::<bool>(), proptest::collection::btree_map("[a-e]", 0..9_u8, 0..4)), 1..6),
    ) {
        let branches = answers.iter().enumerate().map(|(index, (is_grouped, _))| {
            let branch = Branch::new(format!("branch{index}"), "/");
            // A group may have the name of somebody's field.
            if *is_grouped { branch.group(char::from(b'a' + u8::try_from(index).unwrap()).to_string()) } else { branch }
        });
        let plan = Checked::new(branches.fold(Plan::everywhere(), Plan::branch)).unwrap();
        let value = |map: &std::collections::BTreeMap<String, u8>| {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), Value::from(*value))).collect())
        };
        let parts = plan.steps.iter().zip(&answers).map(|(step, (_, map))| Part::new(step, value(map), Freshness::FOREVER, None));
        let Whole { value: found, conflicts, is_complete, .. } = merge(&plan, parts.collect()).unwrap();

        let mut model: Vec<(String, Value)> = Vec::new();
        let mut lost = 0;
        for (step, (_, map)) in plan.steps.iter().zip(&answers) {
            model.extend(step.group.clone().map(|group| (group, value(map))));
        }
        for (_, map) in answers.iter().filter(|(is_grouped, _)| !is_grouped) {
            for (key, field) in map {
                match model.iter().any(|(taken, _)| taken == key) {
                    true => lost += 1,
                    false => model.push((key.clone(), Value::from(*field))),
                }
            }
        }
        prop_assert_eq!(found, Value::Object(model.into_iter().collect()));
        prop_assert_eq!((conflicts.len(), is_complete), (lost, true));
    }
}
