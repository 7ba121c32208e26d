//! A plan that can be carried out.

use std::{collections::HashMap, time::Duration};

use http::{HeaderName, HeaderValue, header};
use serde_json::Value;

use super::{
    Branch, Plan, PlanError,
    field::Field,
    outcome::Rule,
    path::Pattern,
    shape::Shape,
    template::{RESERVED, Source, Template},
};
use crate::routing::Stack;

/// A [`Plan`] without mistakes.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) pattern: Option<Pattern>,
    pub(super) steps: Vec<Step>,
    pub(super) timeout: Duration,
    pub(super) max_answer: usize,
    pub(super) errors: Option<String>,
    /// The value of `Vary`, if a branch carries any header of the client's.
    pub(super) vary: Option<HeaderValue>,
    /// Whether the answer is for its caller alone.
    pub(super) is_private: bool,
}

/// A [`Branch`] without mistakes.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) template: Template,
    /// As it was written.
    pub(super) get: String,
    pub(super) service: Option<Stack>,
    pub(super) rule: Rule,
    pub(super) timeout: Option<Duration>,
    pub(super) max_body: usize,
    pub(super) forward: Vec<HeaderName>,
    pub(super) group: Option<String>,
    pub(super) shape: Shape,
    /// The branches that end before this one is asked.
    pub(super) after: Vec<usize>,
    /// The fields of its answer that other branches need.
    pub(super) needed: Vec<Field>,
}

impl Checked {
    /// A plan that is carried out as it stands.
    pub(super) fn new(plan: Plan) -> Result<Self, PlanError> {
        Self::check(plan, false)
    }

    /// A plan whose branches are asked by code, which passes the values.
    pub(super) fn by_hand(plan: Plan) -> Result<Self, PlanError> {
        Self::check(plan, true)
    }

    fn check(plan: Plan, by_hand: bool) -> Result<Self, PlanError> {
        let mut problems = Vec::new();
        let Plan { path, branches, timeout, max_answer, errors } = plan;
        let pattern = path.and_then(|path| Pattern::parse(&path).map_err(|error| problems.push(error)).ok());
        if branches.is_empty() || branches.len() > Plan::MAX_BRANCHES {
            problems.push(format!("a plan has 1 to {} branches, not {}", Plan::MAX_BRANCHES, branches.len()));
        }
        if timeout.is_zero() {
            problems.push("nothing is answered in no time".to_owned());
        }
        check_names(&branches, errors.as_deref(), &mut problems);
        let numbers: HashMap<String, usize> =
            branches.iter().enumerate().rev().map(|(index, branch)| (branch.name.clone(), index)).collect();
        let parameters: Vec<&str> = pattern.iter().flat_map(Pattern::names).collect();
        let parameters = (!by_hand).then_some(&*parameters);
        let mut steps = Vec::new();
        for branch in branches {
            let mut wrong = Vec::new();
            let name = branch.name.clone();
            // Code puts what it gets where it likes, so a part may be of any kind, as under a group.
            let branch = if by_hand { branch.group(&*name) } else { branch };
            steps.extend(step(branch, &numbers, parameters, errors.as_deref(), &mut wrong));
            problems.extend(wrong.into_iter().map(|wrong| format!("branch `{name}`: {wrong}")));
        }
        if problems.is_empty()
            && let Some(cycle) = cycle(&steps)
        {
            problems.push(format!("branches wait for each other: {cycle}"));
        }
        if !problems.is_empty() {
            return Err(PlanError(problems));
        }
        note_needed(&mut steps, &numbers);
        let vary = vary(&steps);
        let is_private = steps.iter().any(Step::is_private);
        Ok(Self { pattern, steps, timeout, max_answer, errors, vary, is_private })
    }

    /// Whether a canonical path is answered by this plan.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(path))
    }

    /// Whether a branch asks the service that the layer wraps.
    pub(super) fn needs_inner(&self) -> bool {
        self.steps.iter().any(|step| step.service.is_none())
    }
}

impl Step {
    /// Whether its answer depends on who is calling.
    fn is_private(&self) -> bool {
        let is_credential = |name: &HeaderName| *name == header::AUTHORIZATION || *name == header::COOKIE;
        let is_caller = |source: &Source| matches!(source, Source::PrincipalId | Source::PrincipalTenant);
        self.forward.iter().any(is_credential) || self.template.sources().any(is_caller)
    }
}

fn check_names(branches: &[Branch], errors: Option<&str>, problems: &mut Vec<String>) {
    let twice = |names: Vec<&str>| {
        let mut seen = Vec::new();
        names
            .into_iter()
            .find(|name| {
                seen.contains(name) || {
                    seen.push(*name);
                    false
                }
            })
            .map(str::to_owned)
    };
    if let Some(name) = twice(branches.iter().map(|branch| &*branch.name).collect()) {
        problems.push(format!("two branches are called `{name}`"));
    }
    let groups = branches.iter().filter_map(|branch| branch.group.as_deref());
    if let Some(group) = twice(groups.chain(errors).collect()) {
        problems.push(format!("two parts of the answer are called `{group}`"));
    }
}

fn step(
    branch: Branch,
    numbers: &HashMap<String, usize>,
    parameters: Option<&[&str]>,
    errors: Option<&str>,
    wrong: &mut Vec<String>,
) -> Option<Step> {
    let is_word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    if !is_word(&branch.name) || RESERVED.contains(&&*branch.name) {
        wrong.push(
            "a name is of letters, digits, `_` and `-`, and neither `query` nor `principal`".to_owned(),
        );
    }
    if branch.timeout.is_some_and(|timeout| timeout.is_zero()) {
        wrong.push("nothing is answered in no time".to_owned());
    }
    if let (Rule::Fallback(value), None) = (&branch.rule, &branch.group) {
        match value {
            Value::Object(map) if errors.is_some_and(|errors| map.contains_key(errors)) => {
                wrong.push(format!("the fallback has the key `{}`", errors.unwrap_or_default()));
            }
            Value::Object(_) => {}
            _ => wrong.push("without a group the fallback is an object".to_owned()),
        }
    }
    for name in branch.forward.iter().filter(|name| !may_be_forwarded(name)) {
        wrong.push(format!(
            "the header `{name}` is not forwarded to a branch, which has one of its own or none"
        ));
    }
    let template = Template::parse(&branch.get)
        .map_err(|error| wrong.push(format!("get `{}`: {error}", branch.get)))
        .ok();
    let mut after = Vec::new();
    for name in &branch.after {
        match numbers.get(name) {
            Some(&number) => after.push(number),
            None => wrong.push(format!("after `{name}`: there is no such branch")),
        }
    }
    for source in template.iter().flat_map(Template::sources) {
        match source {
            Source::Field(name, _) => match numbers.get(name) {
                Some(&number) => after.push(number),
                None => wrong.push(format!("`{{{source}}}`: there is no branch `{name}`")),
            },
            Source::Parameter(name) if parameters.is_some_and(|known| !known.contains(&&**name)) => {
                wrong.push(format!("`{{{name}}}`: the path has no such parameter of one segment"));
            }
            _ => {}
        }
    }
    after.sort_unstable();
    after.dedup();
    if parameters.is_none() && branch.service.is_none() {
        wrong.push("it has no service, and there is none to wrap".to_owned());
    }
    if parameters.is_none() && !after.is_empty() {
        wrong.push("the code that asks keeps the order and passes the values".to_owned());
    }
    let mut field =
        |key: &str, text: &str| Field::parse(text).map_err(|error| wrong.push(format!("{key} {error}"))).ok();
    let shape = Shape {
        pick: branch.pick.as_deref().and_then(|text| field("pick", text)),
        allow: branch.allow.iter().filter_map(|text| field("allow", text)).collect(),
        deny: branch.deny.iter().filter_map(|text| field("deny", text)).collect(),
        rename: branch
            .rename
            .iter()
            .filter_map(|(text, name)| Some((field("rename", text)?, name.clone())))
            .collect(),
    };
    let Branch { name, get, service, rule, timeout, max_body, forward, group, .. } = branch;
    Some(Step {
        name,
        template: template?,
        get,
        service,
        rule,
        timeout,
        max_body,
        forward,
        group,
        shape,
        after,
        needed: Vec::new(),
    })
}

/// What frames a message, belongs to one hop, makes the answer a part of itself or is the branch's own.
fn may_be_forwarded(name: &HeaderName) -> bool {
    let name = name.as_str();
    !name.starts_with("content-") && !name.starts_with("if-") && !NOT_FORWARDED.contains(&name)
}

/// Tells every branch which fields of its answer others need.
fn note_needed(steps: &mut [Step], numbers: &HashMap<String, usize>) {
    let sources: Vec<Source> = steps.iter().flat_map(|step| step.template.sources()).cloned().collect();
    for source in sources {
        if let Source::Field(branch, field) = source
            && let Some(step) = numbers.get(&branch).and_then(|&number| steps.get_mut(number))
            && !step.needed.contains(&field)
        {
            step.needed.push(field);
        }
    }
}

/// The names of branches that wait for each other in a circle.
fn cycle(steps: &[Step]) -> Option<String> {
    // Branches that wait for nothing that is left are taken away until only circles are left.
    let mut left: Vec<usize> = (0..steps.len()).collect();
    loop {
        let before = left.len();
        let waits =
            |step: &usize, left: &[usize]| steps[*step].after.iter().any(|other| left.contains(other));
        let still: Vec<usize> = left.iter().copied().filter(|step| waits(step, &left)).collect();
        left = still;
        if left.is_empty() {
            return None;
        }
        if left.len() == before {
            break;
        }
    }
    let mut path = vec![left[0]];
    loop {
        let last = path[path.len() - 1];
        let next = *steps[last].after.iter().find(|other| left.contains(other))?;
        let start = path.iter().position(|&step| step == next);
        path.push(next);
        if let Some(start) = start {
            let names: Vec<&str> = path[start..].iter().map(|&step| &*steps[step].name).collect();
            return Some(names.join(" -> "));
        }
    }
}

fn vary(steps: &[Step]) -> Option<HeaderValue> {
    let mut names: Vec<&str> = steps.iter().flat_map(|step| &step.forward).map(HeaderName::as_str).collect();
    names.sort_unstable();
    names.dedup();
    HeaderValue::try_from(names.join(", ")).ok().filter(|value| !value.is_empty())
}

const NOT_FORWARDED: [&str; 17] = [
    "accept",
    "accept-encoding",
    "connection",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];
