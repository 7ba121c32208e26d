//! Any documents and any rules.

use proptest::prelude::*;

use super::model::{Doc, Rule, Rules};

/// Texts whose characters are written in several ways, names among them.
fn text() -> impl Strategy<Value = Vec<(String, String)>> {
    let part = prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "c", "x y", "ä", "\u{1F600}", "日本", "0123456789"])
            .prop_map(|plain| (plain.to_owned(), plain.to_owned())),
        2 => prop::sample::select(vec![
            (r"\u0061", "a"), (r"\u0062", "b"), (r"\uD83D\uDE00", "\u{1F600}"), (r"\ud83d\ude00", "\u{1F600}"),
            (r#"\""#, "\""), (r"\\", "\\"), (r"\/", "/"), (r"\n", "\n"), (r"\b", "\u{8}"), (r"\f", "\u{c}"),
            (r"\r", "\r"), (r"\t", "\t"), (r"\u0000", "\0"), (r"\u00e4", "ä"),
        ]).prop_map(|(written, meant)| (written.to_owned(), meant.to_owned())),
    ];
    prop::collection::vec(part, 0..4)
}

pub(super) fn name() -> impl Strategy<Value = Vec<(String, String)>> {
    let usual = prop::sample::select(vec![("a", "a"), ("b", "b"), ("c", "c"), (r"\u0061", "a"), ("d", "d")]);
    prop_oneof![
        6 => usual.prop_map(|(written, meant)| vec![(written.to_owned(), meant.to_owned())]),
        1 => text(),
        1 => Just(vec![("x".repeat(300), "x".repeat(300))]),
    ]
}

pub(super) fn doc() -> impl Strategy<Value = Doc> {
    let plain = prop::sample::select(vec!["0", "-1", "12.5e-3", "4111111111111234", "true", "false", "null"]);
    let leaf = prop_oneof![plain.prop_map(|plain| Doc::Plain(plain.to_owned())), text().prop_map(Doc::Text)];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Doc::Array),
            3 => prop::collection::vec((name(), inner), 0..5).prop_map(Doc::Object),
        ]
    })
}

fn field() -> impl Strategy<Value = String> {
    let step = prop::sample::select(vec!["a", "b", "c", "*", "**"]);
    (prop::collection::vec(step, 0..3), prop::sample::select(vec!["a", "b", "c", "d", "*"])).prop_map(
        |(mut steps, last)| {
            steps.push(last);
            steps.join(".")
        },
    )
}

fn rules(rule: impl Strategy<Value = Rule> + 'static) -> impl Strategy<Value = Rules> {
    prop::collection::btree_map(field(), rule.boxed(), 1..5).prop_map(|rules| rules.into_iter().collect())
}

pub(super) fn edits() -> impl Strategy<Value = Rules> {
    let to = prop::sample::select(vec!["a", "b", "d", "e"]);
    rules(prop_oneof![
        2 => Just(Rule::Drop),
        2 => to.prop_map(|to| Rule::Rename(to.to_owned())),
        3 => Just(Rule::Allow),
    ])
    .prop_flat_map(|mut rules| {
        // `*` cannot be renamed.
        rules.retain(|(field, rule)| !(field.ends_with('*') && matches!(rule, Rule::Rename(_))));
        // A field may be renamed and allowed.
        let renamed = |(field, rule): &(String, Rule)| matches!(rule, Rule::Rename(_)).then(|| field.clone());
        let renamed: Vec<String> = rules.iter().filter_map(renamed).collect();
        prop::sample::subsequence(renamed.clone(), 0..=renamed.len()).prop_map(move |allowed| {
            let allowed = allowed.into_iter().map(|field| (field, Rule::Allow));
            rules.iter().cloned().chain(allowed).collect()
        })
    })
}

pub(super) fn masks() -> impl Strategy<Value = Rules> {
    rules(prop_oneof![Just(Rule::Drop), Just(Rule::Replace), (0_usize..5).prop_map(Rule::KeepLast)])
}
