//! The part of the document under `metrics`.

use super::MetricsLayer;
use crate::config::Section;

/// ```yaml
/// metrics:
///   path: /metrics     # serves the text to everybody who reaches the listener; default: it is only counted
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<(MetricsLayer, Option<String>)> {
    let path = section.optional::<String>("path");
    let context = section.context();
    Some((MetricsLayer::new(&context.meter).clock(context.clock.clone()), path))
}
