use std::{
    borrow::Cow,
    fmt::{Arguments, Write},
};

use super::{
    node::{Budget, Content, Entry, Node, Scalar, Style},
    problem::{Problem, Problems, excerpt},
};

/// Where variables come from.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Puts the variables into every scalar below `node`. It happens after the parsing, so no value can add a key,
/// an item or a comment; keys are never touched.
pub(super) fn interpolate(
    node: &mut Node,
    path: &mut String,
    lookup: Lookup<'_>,
    budget: &mut Budget,
    problems: &mut Problems,
) {
    match &mut node.content {
        Content::Broken | Content::Sketch => {}
        Content::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                within(path, format_args!("[{index}]"), |path| {
                    interpolate(item, path, lookup, budget, problems)
                });
            }
        }
        Content::Map(entries) => entries.retain_mut(|Entry { name, key, value }| {
            let dot = if path.is_empty() { "" } else { "." };
            within(path, format_args!("{dot}{}", excerpt(name)), |path| {
                if name.contains("${") {
                    let message = "a key cannot come from the environment";
                    problems.push(Problem::new(key.place, path.as_str(), message));
                    return false;
                }
                interpolate(value, path, lookup, budget, problems);
                true
            })
        }),
        Content::Scalar(scalar) if scalar.text.contains("${") => {
            let filled = Filled::of(&scalar.text, lookup, budget);
            if filled.wrong.is_empty() {
                filled.apply(scalar);
                return;
            }
            for message in filled.wrong {
                problems.push(Problem::new(node.place, path.as_str(), message));
            }
            node.content = Content::Broken;
        }
        Content::Scalar(_) => {}
    }
}

/// Does something one step further on the path.
fn within<T>(path: &mut String, step: Arguments<'_>, work: impl FnOnce(&mut String) -> T) -> T {
    let length = path.len();
    path.write_fmt(step).expect("a string takes every text");
    let done = work(path);
    path.truncate(length);
    done
}

/// A text with its variables filled in.
#[derive(Default)]
struct Filled {
    text: String,
    /// Whether there was any variable, and not only `$${`.
    variables: bool,
    from_environment: bool,
    wrong: Vec<String>,
}

impl Filled {
    fn of(text: &str, lookup: Lookup<'_>, budget: &mut Budget) -> Self {
        let mut filled = Self::default();
        let mut rest = text;
        while let Some((before, variable)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                filled.text.push_str(before);
                filled.text.push_str("${");
                rest = variable;
                continue;
            }
            filled.text.push_str(before);
            let Some((inside, after)) = variable.split_once('}') else {
                filled.wrong.push(NO_VARIABLE.to_owned());
                return filled;
            };
            match filled.value(inside, lookup) {
                Ok(value) if budget.spend(value.len()) => filled.text.push_str(&value),
                Ok(_) => {
                    filled.wrong.push("the variables make the document too large".to_owned());
                    return filled;
                }
                Err(wrong) => filled.wrong.push(wrong),
            }
            rest = after;
        }
        filled.text.push_str(rest);
        filled
    }

    /// What stands for the variable that is written so between its braces.
    fn value<'a>(&mut self, inside: &'a str, lookup: Lookup<'_>) -> Result<Cow<'a, str>, String> {
        self.variables = true;
        let (name, default) = match inside.split_once(':') {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(in_name) {
            return Err(NO_VARIABLE.to_owned());
        }
        let shown = excerpt(name);
        match default {
            Some(default) if default.contains("${") => {
                return Err(format!("the default of `{shown}` cannot hold another variable"));
            }
            Some(default) if default.starts_with(['-', '=']) => {
                let sign = &default[..1];
                return Err(format!(
                    "the default of `{shown}` begins with `{sign}`, as in a shell; leave it out"
                ));
            }
            _ => {}
        }
        match (lookup(name), default) {
            (Some(value), _) => {
                self.from_environment = true;
                Ok(value.into())
            }
            (None, Some(default)) => Ok(default.into()),
            (None, None) => {
                Err(format!("the environment has no `{shown}`, and ${{{shown}}} names no default"))
            }
        }
    }

    fn apply(self, scalar: &mut Scalar) {
        let written = std::mem::replace(&mut scalar.text, self.text.into());
        if self.variables {
            scalar.style = Style::Interpolated;
        }
        scalar.written = self.from_environment.then_some(written);
    }
}

const NO_VARIABLE: &str =
    "`${` begins a variable, as in ${NAME} or ${NAME:default}; write `$${` for the characters themselves";
