//! The rules applied to a whole document in memory, by trying everything.

use crate::json::field::{Field, Step};

/// What a rule says, for the rewriter and for the model of it.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    Drop,
    Rename(String),
    Allow,
    Replace,
    KeepLast(usize),
}

pub(super) type Rules = Vec<(String, Rule)>;

/// A document as it is written.
#[derive(Clone, Debug)]
pub(super) enum Doc {
    /// A number or a word.
    Plain(String),
    /// A text, by its parts as they are written and as they are meant.
    Text(Vec<(String, String)>),
    Array(Vec<Self>),
    Object(Vec<(Vec<(String, String)>, Self)>),
}

pub(super) fn meant(parts: &[(String, String)]) -> String {
    parts.iter().map(|(_, meant)| meant.as_str()).collect()
}

pub(super) fn quoted(parts: &[(String, String)]) -> String {
    let written: String = parts.iter().map(|(written, _)| written.as_str()).collect();
    format!("\"{written}\"")
}

impl Doc {
    /// Written with these characters between all tokens, in turn.
    pub(super) fn write(&self, spaces: &mut impl FnMut() -> &'static str) -> String {
        let mut text = spaces().to_owned();
        match self {
            Self::Plain(plain) => text += plain,
            Self::Text(parts) => text += &quoted(parts),
            Self::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| item.write(spaces)).collect();
                text += &format!("[{}{}]", items.join(","), spaces());
            }
            Self::Object(members) => {
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| {
                        format!("{}{}{}:{}", spaces(), quoted(name), spaces(), value.write(spaces))
                    })
                    .collect();
                text += &format!("{{{}{}}}", members.join(","), spaces());
            }
        }
        text + spaces()
    }

    pub(super) fn compact(&self) -> String {
        self.write(&mut || "")
    }
}

/// What the rules make of a whole document in memory; `None` if nothing is left of it.
pub(super) fn model(rules: &[(String, Rule)], doc: &Doc, path: &[String], is_allowed: bool) -> Option<Doc> {
    match doc {
        Doc::Plain(_) | Doc::Text(_) if is_allowed => Some(doc.clone()),
        Doc::Plain(_) | Doc::Text(_) => None,
        Doc::Array(items) => {
            let items = items.iter().filter_map(|item| model(rules, item, path, is_allowed));
            Some(Doc::Array(items.collect()))
        }
        Doc::Object(members) => {
            let mut written = Vec::new();
            let mut taken = std::collections::BTreeSet::new();
            for (name, value) in members {
                let mut path = path.to_vec();
                path.push(meant(name));
                let Some((name, value)) = member(rules, name, value, &path, is_allowed, &mut taken) else {
                    continue;
                };
                written.push((name, value));
            }
            Some(Doc::Object(written))
        }
    }
}

pub(super) fn member(
    rules: &[(String, Rule)],
    name: &[(String, String)],
    value: &Doc,
    path: &[String],
    is_allowed: bool,
    taken: &mut std::collections::BTreeSet<String>,
) -> Option<(Vec<(String, String)>, Doc)> {
    let steps = |field: &str| field.parse::<Field>().unwrap().steps().to_vec();
    let hits = || rules.iter().filter(|(field, _)| matches(&steps(field), path));
    if hits().any(|(_, rule)| matches!(rule, Rule::Drop)) {
        return None;
    }
    let is_allowed = is_allowed || hits().any(|(_, rule)| matches!(rule, Rule::Allow));
    let leads = rules.iter().any(|(field, rule)| matches!(rule, Rule::Allow) && leads(&steps(field), path));
    if !is_allowed && (!leads || path.last().unwrap().len() > Field::MAX_NAME) {
        return None;
    }
    let renamed = hits().find_map(|(_, rule)| match rule {
        Rule::Rename(to) => Some(to.clone()),
        _ => None,
    });
    // The name that a rename gives, here or to a member beside.
    let target = renamed.clone().or_else(|| {
        let beside = |field: &str, to: &str| matches(&field.parse::<Field>().unwrap().sibling(to), path);
        let is_target =
            |(field, rule): &&(String, Rule)| matches!(rule, Rule::Rename(to) if beside(field, to));
        rules.iter().find(is_target).map(|_| path.last().unwrap().clone())
    });
    if target.is_some_and(|target| !taken.insert(target)) {
        return None;
    }
    let cover = hits()
        .filter_map(|(_, rule)| match rule {
            Rule::Replace => Some(0),
            Rule::KeepLast(shown) => Some(*shown),
            _ => None,
        })
        .min();
    let name = match renamed {
        Some(to) => vec![(to.clone(), to)],
        None => name.to_vec(),
    };
    let value = match (cover, value) {
        (None, value) => model(rules, value, path, is_allowed)?,
        (Some(shown), value) => Doc::Text(vec![(covered(shown, value), String::new())]),
    };
    Some((name, value))
}

pub(super) fn covered(shown: usize, value: &Doc) -> String {
    let text = match value {
        Doc::Text(parts) => meant(parts),
        Doc::Plain(plain) if plain.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => plain.clone(),
        _ => String::new(),
    };
    let characters: Vec<char> = text.chars().collect();
    let mut covered = "#".to_owned();
    if characters.len() >= 2 * shown {
        for character in &characters[characters.len() - shown..] {
            match character {
                '"' | '\\' => covered.extend(['\\', *character]),
                '\0'..='\u{1f}' => covered += &format!("\\u{:04x}", u32::from(*character)),
                other => covered.push(*other),
            }
        }
    }
    covered
}

pub(super) fn matches(steps: &[Step], path: &[String]) -> bool {
    match (steps, path) {
        ([], []) => true,
        ([Step::Deep, rest @ ..], _) => {
            matches(rest, path) || path.split_first().is_some_and(|(_, deeper)| matches(steps, deeper))
        }
        ([step, rest @ ..], [name, deeper @ ..]) => is(step, name) && matches(rest, deeper),
        _ => false,
    }
}

/// Whether something below the path may match.
pub(super) fn leads(steps: &[Step], path: &[String]) -> bool {
    match (steps, path) {
        ([], _) => false,
        ([_, ..], []) => true,
        ([Step::Deep, ..], _) => true,
        ([step, rest @ ..], [name, deeper @ ..]) => is(step, name) && leads(rest, deeper),
    }
}

pub(super) fn is(step: &Step, name: &str) -> bool {
    *step == Step::Any || *step == Step::Name(name.to_owned())
}
