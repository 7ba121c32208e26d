//! The part of the document under `access_log`.

use gateway_core::identity::Identity;

use super::{AccessLogLayer, Sink};
use crate::config::Section;

/// ```yaml
/// access_log:
///   to: stdout     # stdout | stderr | the path of a file
/// ```
pub(crate) fn read(section: &mut Section<'_>) -> Option<(AccessLogLayer, Sink)> {
    let to = section.or("to", "stdout".to_owned());
    if to.is_empty() {
        section.fail("to", "expected stdout, stderr or the path of a file");
        return None;
    }
    let context = section.context();
    let identity = Identity::new("access_log", section.place()).and(&to);
    // The next graph goes on with the same one: two writers of one file would mix their lines.
    let sink = context.shelf.state(identity, || open(&to).meter(&context.meter));
    let sink = Sink::clone(&sink);
    Some((AccessLogLayer::new(sink.clone()).clock(context.clock.clone()), sink))
}

fn open(to: &str) -> Sink {
    match to {
        "stdout" => Sink::stdout(),
        "stderr" => Sink::stderr(),
        path => Sink::file(path),
    }
}
