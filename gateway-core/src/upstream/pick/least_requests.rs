use super::{Ask, Pick, RoundRobin};

/// The one with the fewest requests under way for its weight; among equals, in turn. It looks at all of them: for
/// hundreds, [`PowerOfTwo`](super::PowerOfTwo) does nearly as well.
#[derive(Clone, Debug, Default)]
pub struct LeastRequests(RoundRobin);

impl Pick for LeastRequests {
    fn pick(&self, ask: &Ask<'_>) -> Option<usize> {
        let first = self.0.pick(ask)?;
        let best =
            ask.open_from(first).reduce(|best, other| if is_busier(ask, best, other) { other } else { best });
        best.or(Some(first))
    }
}

/// Whether the first has more under way for its weight than the second.
pub(super) fn is_busier(ask: &Ask<'_>, first: usize, second: usize) -> bool {
    let under_way =
        |place: usize| ask.candidates().get(place).map_or(0, |one| u128::from(one.load().under_way()));
    let weight = |place: usize| u128::from(ask.weight(place).max(1));
    under_way(first) * weight(second) > under_way(second) * weight(first)
}
