//! The part of the document under `json_body`.

use super::{JsonBodyLayer, Rules};
use crate::{config::Section, json::Others};

/// ```yaml
/// json_body:
///   response:
///     drop: ["**.internal"]
///     rename: {items.sku: article}
///     allow: [id, items]            # everything else goes
///     others: pass                  # or refuse: answers that are no JSON
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<JsonBodyLayer> {
    section.demand("response");
    let (rules, others) = section.section("response", response).unwrap_or((Rules::new(), Others::Pass));
    if section.has("request") {
        section.demand("request");
        section.fail("request", "only the bodies of answers are edited");
    }
    for error in rules.errors() {
        section.fail("response", error.to_string());
    }
    let layer = JsonBodyLayer::new(rules).ok()?;
    Some(layer.json_only(others == Others::Refuse).meter(&section.context().meter, section.place()))
}

fn response(section: &mut Section<'_>) -> Option<(Rules, Others)> {
    let drop = section.or("drop", Vec::<String>::new());
    let rename = section.pairs::<String, String>("rename");
    let allow = section.or("allow", Vec::<String>::new());
    let others = section.or("others", Others::Pass);
    section.demand_one_of(&["drop", "rename", "allow"]);
    let rules = drop.into_iter().fold(Rules::new(), Rules::drop);
    let rules = rename.into_iter().fold(rules, |rules, (field, to)| rules.rename(field, to));
    Some((allow.into_iter().fold(rules, Rules::allow), others))
}
