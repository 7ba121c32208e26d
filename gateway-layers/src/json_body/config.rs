//! The part of the document under `json_body`.

use super::{JsonBodyLayer, Rules};
use crate::config::Section;

/// ```yaml
/// json_body:
///   response:
///     drop: ["**.internal"]
///     rename: {items.sku: article}
///     allow: [id, items]            # everything else goes
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<JsonBodyLayer> {
    section.demand("response");
    let rules = section.section("response", response).unwrap_or_default();
    if section.has("request") {
        section.demand("request");
        section.fail("request", "only the bodies of answers are edited");
    }
    for error in rules.errors() {
        section.fail("response", error.to_string());
    }
    let layer = JsonBodyLayer::new(rules).ok()?;
    Some(layer.meter(&section.context().meter, section.place()))
}

fn response(section: &mut Section<'_>) -> Option<Rules> {
    let drop = section.or("drop", Vec::<String>::new());
    let rename = section.pairs::<String, String>("rename");
    let allow = section.or("allow", Vec::<String>::new());
    section.demand_one_of(&["drop", "rename", "allow"]);
    let rules = drop.into_iter().fold(Rules::new(), Rules::drop);
    let rules = rename.into_iter().fold(rules, |rules, (field, to)| rules.rename(field, to));
    Some(allow.into_iter().fold(rules, Rules::allow))
}
