//! The part of the document under `authorize`.

use gateway_core::Mode;

use super::{AuthorizeLayer, Policy};
use crate::config::Section;

/// ```yaml
/// authorize:
///   scopes: [orders:read]     # all of them
///   any_scope: [a, b]         # one of them
///   roles: [clerk, admin]     # one of them
///   allow: [staff]            # groups, one of them
///   deny: [suspended]         # groups, none of them; counts first
///   realm: gateway            # for WWW-Authenticate
///   mode: enforce             # enforce | audit | off
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<AuthorizeLayer> {
    let mut list = |name| {
        let words = section.optional::<Vec<String>>(name);
        // A list that is empty would ask for nothing, and whoever writes one means something else.
        let is_empty = |words: &Vec<String>| words.is_empty() || words.iter().any(String::is_empty);
        if words.as_ref().is_some_and(is_empty) {
            section.fail(name, "name at least one, or leave the key out");
        }
        words.unwrap_or_default()
    };
    let policy = Policy {
        scopes: list("scopes"),
        any_scope: list("any_scope"),
        roles: list("roles"),
        allow: list("allow"),
        deny: list("deny"),
    };
    let realm = section.or("realm", "gateway".to_owned());
    let mode = section.or("mode", Mode::Enforce);
    let layer = AuthorizeLayer::default().policy(policy).realm(realm).mode(mode);
    Some(layer.meter(&section.context().meter, section.place()))
}
