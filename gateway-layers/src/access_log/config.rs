//! The part of the document under `access_log`.

use super::{AccessLogLayer, Sink};
use crate::config::Section;

/// ```yaml
/// access_log:
///   to: stdout     # stdout | stderr | the path of a file
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<(AccessLogLayer, Sink)> {
    let to = section.or("to", "stdout".to_owned());
    let sink = match to.as_str() {
        "stdout" => Sink::stdout(),
        "stderr" => Sink::stderr(),
        "" => {
            section.fail("to", "expected stdout, stderr or the path of a file");
            return None;
        }
        path => Sink::file(path),
    };
    let context = section.context();
    let sink = sink.meter(&context.meter);
    Some((AccessLogLayer::new(sink.clone()).clock(context.clock.clone()), sink))
}
