use std::sync::atomic::{AtomicUsize, Ordering};

use super::line::Line;
use crate::Facts;

/// In which order the lines of an upstream are tried: in turn.
#[derive(Debug, Default)]
pub(super) struct Turns {
    next: AtomicUsize,
}

impl Turns {
    /// Every line once, beginning with the next in turn; for another try of a request not with the one of the try
    /// before, if there are others.
    pub(super) fn order<'a>(
        &self,
        lines: &'a [Line],
        facts: Option<&Facts>,
    ) -> impl Iterator<Item = &'a Line> + use<'a> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let before = facts.filter(|facts| facts.attempt() > 1).and_then(Facts::endpoint);
        let line = next.checked_rem(lines.len()).and_then(|index| lines.get(index));
        let is_the_same = line.is_some_and(|line| before.as_ref() == Some(line.endpoint().url()));
        let first = next.wrapping_add(usize::from(is_the_same));
        (0..lines.len()).map(move |turn| &lines[first.wrapping_add(turn) % lines.len()])
    }
}
