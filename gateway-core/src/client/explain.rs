use http::request::Parts;

use super::Forward;
use crate::{Explanation, Verdict, explain::Explain, upstream::set::List};

impl Explain for Forward {
    fn explain(&self, head: &Parts, say: &mut Vec<Explanation>) {
        let endpoints = self.live();
        let (list, now) = (endpoints.list(), endpoints.now());
        let used = |place: &usize| list.usable().has(*place);
        let mut skipped = 0;
        for (place, kept) in list.kept().iter().enumerate() {
            let guard = kept.item().guard.as_ref().map(|guard| guard.explain());
            skipped +=
                usize::from(used(&place) && guard.as_ref().is_some_and(|it| it.verdict == Verdict::Skip));
            say.extend(guard);
            if !kept.health().is_available(now) {
                let why = format!("{}: {}", kept.url(), kept.health().explain(now));
                say.push(Explanation::new("health_check", Verdict::Skip, why));
            }
        }
        let places: Vec<usize> = (0..list.kept().len()).filter(used).collect();
        let policy = &endpoints.balance().policy;
        let urls = || places.iter().map(|&place| &**list.kept()[place].url()).collect::<Vec<_>>().join(", ");
        say.push(match places.len() {
            0 if list.kept().is_empty() => {
                Explanation::new("forward", Verdict::Refuse, "there is no endpoint")
            }
            0 => Explanation::new("forward", Verdict::Refuse, "no endpoint is available"),
            all if all == skipped => {
                Explanation::new("forward", Verdict::Refuse, "every endpoint is passed over")
            }
            _ => {
                let first = policy.key_of(head).and_then(|key| first(&list, key, now));
                let first = first.map(|url| format!(", this request to {url} first")).unwrap_or_default();
                Explanation::new("forward", Verdict::Pass, format!("to {} {policy}{first}", urls()))
            }
        });
    }
}

/// Where this key leads; for policies that do not remember whom they were asked for.
fn first<T>(list: &List<T>, key: u64, now: u64) -> Option<std::sync::Arc<str>> {
    let place = crate::upstream::set::Course::new(list, Some(key), None, now).next()?;
    Some(std::sync::Arc::clone(list.kept()[place].url()))
}
