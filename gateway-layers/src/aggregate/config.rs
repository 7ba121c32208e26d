//! The part of a route under `aggregate`.

use std::time::Duration;

use http::HeaderName;
use serde_json::Value;

use super::{AggregateLayer, Branch, Plan};
use crate::{
    config::{ByteSize, Section, Words, upstream},
    routing::Stack,
};

/// ```yaml
/// path: /profile/{id}            # the route's own path gives the parameters
/// timeout: 2s                    # the route's own timeout bounds the whole
/// aggregate:
///   max_answer: 4MiB
///   errors: _errors              # or false
///   branches:
///     - name: user
///       get: /users/{id}
///       upstream: http://10.0.0.1:8080   # default: the route's upstream
///       outcome: required        # required | optional
///       fallback: {...}          # or this instead of a failed answer
///       timeout: 500ms
///       max_body: 1MiB
///       after: [other]
///       forward_headers: [accept-language]
///       group: user
///       pick: data.user
///       allow: [name, address.city]
///       deny: [password]
///       rename: {address.zip: postcode}
/// ```
///
/// Also says whether every branch has an upstream of its own, so that the route needs none.
pub(crate) fn read(route: &mut Section<'_>, timeout: Option<Duration>) -> (AggregateLayer, bool) {
    // What is wrong with the path is told by routing, whose key it is.
    let path = route.has("path").then(|| route.optional::<String>("path")).flatten();
    let mut is_an_end = route.has("aggregate");
    let layer = route.section("aggregate", |section| aggregate(section, path, timeout, &mut is_an_end));
    (layer.unwrap_or_else(AggregateLayer::off), is_an_end)
}

fn aggregate(
    section: &mut Section<'_>,
    path: Option<String>,
    timeout: Option<Duration>,
    is_an_end: &mut bool,
) -> Option<AggregateLayer> {
    let max_answer = section.optional::<ByteSize>("max_answer");
    let errors = section.optional::<String>("errors");
    section.demand("branches");
    let branches = section.sections("branches", |section| {
        *is_an_end &= section.has("upstream");
        branch(section)
    });
    let mut plan = path.map_or_else(Plan::everywhere, Plan::at);
    if let Some(timeout) = timeout.filter(|timeout| !timeout.is_zero()) {
        plan = plan.timeout(timeout);
    }
    if let Some(bytes) = max_answer {
        plan = plan.max_answer(bytes.saturated());
    }
    plan = match errors.as_deref() {
        Some("false") => plan.without_errors(),
        Some(member) => plan.errors(member),
        None => plan,
    };
    let plan = branches.into_iter().fold(plan, Plan::branch);
    let context = section.context();
    match AggregateLayer::new(plan) {
        Ok(layer) => {
            let layer = layer.clock(context.clock.clone()).buffers(context.buffers.clone());
            Some(layer.meter(&context.meter, section.place()))
        }
        Err(error) => {
            error.messages().iter().for_each(|message| section.fail("branches", message));
            None
        }
    }
}

fn branch(section: &mut Section<'_>) -> Option<Branch> {
    let name = section.required::<String>("name");
    let get = section.required::<String>("get");
    let upstream = upstream::optional(section, None);
    let outcome = section.optional::<Outcome>("outcome");
    let fallback = section.optional::<Value>("fallback");
    let timeout = section.optional::<Duration>("timeout");
    let max_body = section.optional::<ByteSize>("max_body");
    let after = section.or("after", Vec::<String>::new());
    let forward = section.optional::<Vec<HeaderName>>("forward_headers");
    let group = section.optional::<String>("group");
    let pick = section.optional::<String>("pick");
    let allow = section.or("allow", Vec::<String>::new());
    let deny = section.or("deny", Vec::<String>::new());
    let rename = section.pairs::<String, String>("rename");

    let mut branch = Branch::new(name?, get?).allow(allow).deny(deny);
    if let Some((forward, _)) = upstream {
        branch = branch.stack(Stack::explained(forward));
    }
    if fallback.is_some() && outcome.is_some() {
        section.fail("outcome", "a branch with a fallback is neither required nor optional; leave it out");
    }
    branch = match (fallback, outcome) {
        (Some(value), _) => branch.fallback(value),
        (None, Some(Outcome::Optional)) => branch.optional(),
        (None, _) => branch.required(),
    };
    if let Some(timeout) = timeout {
        branch = branch.timeout(timeout);
    }
    if let Some(bytes) = max_body {
        branch = branch.max_body(bytes.saturated());
    }
    if let Some(names) = forward {
        branch = branch.forward_headers(names);
    }
    if let Some(group) = group {
        branch = branch.group(group);
    }
    if let Some(field) = pick {
        branch = branch.pick(field);
    }
    let branch = after.into_iter().fold(branch, Branch::after);
    Some(rename.into_iter().fold(branch, |branch, (field, name)| branch.rename(field, name)))
}

#[derive(Clone, Copy)]
enum Outcome {
    Required,
    Optional,
}

impl Words for Outcome {
    const WORDS: &'static [(&'static str, Self)] =
        &[("required", Self::Required), ("optional", Self::Optional)];
}
