//! Plans that cannot be carried out.

use std::time::Duration;

use http::HeaderName;
use serde_json::json;

use crate::aggregate::{AggregateLayer, Branch, Plan};

#[test]
fn every_mistake_is_told_in_words_that_name_the_branch() {
    let at = |branches: Vec<Branch>| branches.into_iter().fold(Plan::at("/p/{id}/{*rest}"), Plan::branch);
    let name = HeaderName::from_static;
    for (plan, told) in [
        (at(vec![]), "a plan has 1 to 16 branches, not 0"),
        (
            at((0..17).map(|number| Branch::new(format!("b{number}"), "/")).collect()),
            "a plan has 1 to 16 branches, not 17",
        ),
        (Plan::at("p").branch(Branch::new("a", "/")), "path `p`: a path starts with `/`"),
        (
            Plan::everywhere().timeout(Duration::ZERO).branch(Branch::new("a", "/")),
            "nothing is answered in no time",
        ),
        (at(vec![Branch::new("a", "/"), Branch::new("a", "/")]), "two branches are called `a`"),
        (
            at(vec![Branch::new("a", "/").group("x"), Branch::new("b", "/").group("x")]),
            "two parts of the answer are called `x`",
        ),
        (at(vec![Branch::new("a", "/").group("_errors")]), "two parts of the answer are called `_errors`"),
        (
            at(vec![Branch::new("query", "/")]),
            "branch `query`: a name is of letters, digits, `_` and `-`, and neither `query` nor `principal`",
        ),
        (at(vec![Branch::new("a", "x")]), "branch `a`: get `x`: a path starts with `/`"),
        (
            at(vec![Branch::new("a", "/{name}")]),
            "branch `a`: `{name}`: the path has no such parameter of one segment",
        ),
        (
            at(vec![Branch::new("a", "/{rest}")]),
            "branch `a`: `{rest}`: the path has no such parameter of one segment",
        ),
        (at(vec![Branch::new("a", "/{b.c}")]), "branch `a`: `{b.c}`: there is no branch `b`"),
        (at(vec![Branch::new("a", "/").after("b")]), "branch `a`: after `b`: there is no such branch"),
        (at(vec![Branch::new("a", "/{a.id}")]), "branches wait for each other: a -> a"),
        (
            at(vec![
                Branch::new("a", "/{b.id}"),
                Branch::new("b", "/").after("c"),
                Branch::new("c", "/?x={b.id}"),
                Branch::new("d", "/"),
            ]),
            "branches wait for each other: b -> c -> b",
        ),
        (
            at(vec![Branch::new("a", "/").timeout(Duration::ZERO)]),
            "branch `a`: nothing is answered in no time",
        ),
        (
            at(vec![Branch::new("a", "/").fallback(json!([]))]),
            "branch `a`: without a group the fallback is an object",
        ),
        (
            at(vec![Branch::new("a", "/").fallback(json!({"_errors": 1}))]),
            "branch `a`: the fallback has the key `_errors`",
        ),
        (
            at(vec![Branch::new("a", "/").forward_header(name("range"))]),
            "branch `a`: the header `range` is not forwarded to a branch, which has one of its own or none",
        ),
        (
            at(vec![Branch::new("a", "/").pick("a..b").allow(["."])]),
            "branch `a`: pick `a..b`: expected keys with dots between them, such as address.city; branch `a`: allow `.`: expected keys with dots between them, such as address.city",
        ),
    ] {
        assert_eq!(AggregateLayer::new(plan).unwrap_err().to_string(), told);
    }
}
