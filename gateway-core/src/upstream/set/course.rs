use super::List;
use crate::upstream::pick::{Ask, Tried};

/// The endpoints that one request is offered, one after the other, each once: first those that the picker picks, then
/// whatever is left. The endpoint of a try before comes last.
#[derive(Debug)]
pub struct Course<'a, T> {
    list: &'a List<T>,
    key: Option<u64>,
    now: u64,
    /// What was offered; with the one of the try before in front, if there was one.
    tried: Tried,
    before: Option<usize>,
    /// Where the walk over the rest stands.
    rest: Option<usize>,
}

impl<'a, T> Course<'a, T> {
    /// For a request with this key, whose try before was at `before`.
    #[must_use]
    pub fn new(list: &'a List<T>, key: Option<u64>, before: Option<&str>, now: u64) -> Self {
        let before = before.and_then(|url| list.kept.iter().position(|kept| &*kept.url == url));
        let mut tried = Tried::default();
        if let Some(before) = before {
            tried.add(before);
        }
        Self { list, key, now, tried, before, rest: None }
    }

    fn pick(&mut self) -> Option<usize> {
        let ask = Ask::of(&self.list.candidates).usable(&self.list.usable).except(&self.tried);
        let place = self.list.picker.pick(&ask.key(self.key).at(self.now))?;
        self.tried.add(place).then_some(place)
    }
}

impl<T> Iterator for Course<'_, T> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let all = self.list.kept.len();
        let mut walked = match self.rest {
            Some(walked) => walked,
            None => match self.pick() {
                Some(place) => return Some(place),
                None => 0,
            },
        };
        // Past the few that can be remembered, and when nothing else is left: the list from its start.
        while walked < all {
            let place = walked;
            walked += 1;
            self.rest = Some(walked);
            if self.list.usable.has(place) && !self.tried.has(place) {
                return Some(place);
            }
        }
        self.rest = Some(all);
        self.before.take().filter(|&before| self.list.usable.has(before))
    }
}
