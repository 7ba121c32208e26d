use std::{
    fmt::{Arguments, Write},
    sync::Arc,
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
        Content::Broken => {}
        Content::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                within(path, format_args!("[{index}]"), |path| interpolate(item, path, lookup, budget, problems));
            }
        }
        Content::Map(entries) => {
            for Entry { name, key, value } in entries {
                let dot = if path.is_empty() { "" } else { "." };
                within(path, format_args!("{dot}{}", excerpt(name)), |path| {
                    if name.contains("${") {
                        let message = "a key cannot come from the environment";
                        problems.push(Problem::new(key.place, path.as_str(), message));
                    }
                    interpolate(value, path, lookup, budget, problems);
                });
            }
        }
        Content::Scalar(scalar) if scalar.text.contains("${") => {
            let mut filled = Filled::of(&scalar.text, lookup);
            if !budget.spend(filled.text.len()) {
                filled.wrong.push(("the variables make the document too large".to_owned(), None));
            }
            if filled.wrong.is_empty() {
                filled.apply(scalar);
                return;
            }
            for (message, suggestion) in filled.wrong {
                problems.push(Problem::new(node.place, path.as_str(), message).suggest(suggestion));
            }
            node.content = Content::Broken;
        }
        Content::Scalar(_) => {}
    }
}

/// Does something one step further on the path.
fn within(path: &mut String, step: Arguments<'_>, work: impl FnOnce(&mut String)) {
    let length = path.len();
    path.write_fmt(step).expect("a string takes every text");
    work(path);
    path.truncate(length);
}

/// A text with its variables filled in.
#[derive(Default)]
struct Filled {
    text: String,
    /// Whether there was any variable, and not only `$${`.
    variables: bool,
    from_environment: bool,
    wrong: Vec<(String, Option<String>)>,
}

impl Filled {
    fn of(text: &str, lookup: Lookup<'_>) -> Self {
        let mut filled = Self::default();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, variable) = rest.split_at(start);
            if let Some(before) = before.strip_suffix('$') {
                filled.text.push_str(before);
                filled.text.push_str("${");
                rest = &variable[2..];
                continue;
            }
            filled.text.push_str(before);
            let Some((inside, after)) = variable[2..].split_once('}') else {
                let message = "`${` is not closed; write `$${` for the two characters themselves";
                filled.wrong.push((message.to_owned(), None));
                return filled;
            };
            filled.variable(inside, lookup);
            rest = after;
        }
        filled.text.push_str(rest);
        filled
    }

    fn variable(&mut self, inside: &str, lookup: Lookup<'_>) {
        self.variables = true;
        let (name, default) = match inside.split_once(':') {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_name) {
            let shown = excerpt(name);
            self.wrong.push((format!("`{shown}` is no name of a variable: write ${{NAME}} or ${{NAME:default}}"), None));
            return;
        }
        match default {
            Some(default) if default.contains("${") => {
                self.wrong.push(("a default cannot hold another variable".to_owned(), None));
                return;
            }
            Some(default) if default.starts_with(['-', '=', '?']) => {
                let message = format!("the default of `{name}` is written as in a shell");
                self.wrong.push((message, Some(format!("${{{name}:{}}}", &default[1..]))));
                return;
            }
            _ => {}
        }
        match (lookup(name), default) {
            (Some(value), _) => {
                self.text.push_str(&value);
                self.from_environment = true;
            }
            (None, Some(default)) => self.text.push_str(default),
            (None, None) => {
                let message = format!("the environment has no `{name}`, and ${{{name}}} names no default");
                self.wrong.push((message, None));
            }
        }
    }

    fn apply(self, scalar: &mut Scalar) {
        let written = std::mem::replace(&mut scalar.text, self.text.into());
        if self.variables {
            scalar.style = Style::Interpolated;
        }
        scalar.written = self.from_environment.then(|| Arc::clone(&written));
    }
}
