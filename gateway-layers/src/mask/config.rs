//! The part of the document under `mask`.

use super::{MaskLayer, Rules};
use crate::{
    config::{Item, Section},
    json::Others,
};

/// ```yaml
/// mask:
///   fields:
///     - "**.password"                        # hidden whole
///     - {field: card.number, keep_last: 4}   # but for its last characters
///   with: "***"                              # default
///   remove: [debug]                          # taken out, with its name
///   others: pass                             # or refuse: answers that are no JSON
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<MaskLayer> {
    let fields = section.list("fields", field);
    let with = section.or("with", "***".to_owned());
    let remove = section.or("remove", Vec::<String>::new());
    let others = section.or("others", Others::Pass);
    section.demand_one_of(&["fields", "remove"]);
    let rules = fields.into_iter().fold(Rules::new(), |rules, (field, shown)| match shown {
        Some(characters) => rules.keep_last(field, &with, characters),
        None => rules.replace(field, &with),
    });
    let rules = remove.into_iter().fold(rules, Rules::remove);
    for error in rules.errors() {
        section.fail("fields", error.to_string());
    }
    let layer = MaskLayer::new(rules).ok()?;
    Some(layer.json_only(others == Others::Refuse).meter(&section.context().meter, section.place()))
}

fn field(item: &Item<'_>) -> Option<(String, Option<usize>)> {
    item.either(
        |field: String| Some((field, None)),
        |section| {
            let field = section.required("field");
            let shown = section.optional("keep_last");
            Some((field?, shown))
        },
    )
}
