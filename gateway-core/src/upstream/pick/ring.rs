use super::{
    Affinity, Ask, Candidates, KeyHash, Pick, RoundRobin,
    hash::{fits, mix},
};

/// A key goes to the first endpoint clockwise of it on a ring of points; each endpoint has points by its weight.
///
/// An endpoint that goes, or is not open, leaves its keys to the next points of the ring; every other key stays where
/// it is, so with equal weights `1/n` of the keys move. Shares are as good as the points are many: with
/// [160](Self::POINTS) for an endpoint of average weight, each share is within 40 % of its promise for up to 100
/// endpoints, and mostly within 15 %. [`Maglev`](super::Maglev) keeps its promise more closely, and moves a few keys
/// more.
///
/// A ring has at most [`MOST_POINTS`](Self::MOST_POINTS), of 16 bytes each. A request without a key is served in turn.
#[derive(Debug)]
pub struct RingHash {
    points: Box<[(u64, u32)]>,
    affinity: Affinity,
    keyless: RoundRobin,
}

impl RingHash {
    /// The points of an endpoint of average weight.
    pub const POINTS: u64 = 160;
    /// The points of a ring; with more than 409 endpoints each has fewer.
    pub const MOST_POINTS: u64 = 65_536;

    /// The ring of these candidates. Its points are made of their names: another order is the same ring.
    #[must_use]
    pub fn new(candidates: &Candidates, affinity: Affinity) -> Self {
        let weighing = candidates.iter().filter(|candidate| candidate.its_weight() > 0).count() as u64;
        let total: u64 = candidates.iter().map(|candidate| u64::from(candidate.its_weight())).sum();
        let all = (weighing * Self::POINTS).min(Self::MOST_POINTS);
        let mut points = Vec::new();
        for (place, candidate) in (0_u32..).zip(candidates.iter()) {
            let weight = u128::from(candidate.its_weight());
            if weight == 0 {
                continue;
            }
            let own = (u128::from(all) * weight / u128::from(total)).max(1) as u64;
            let name = KeyHash::new(0).part(candidate.name().as_bytes()).finish();
            points.extend((1..=own).map(|point| (mix(name ^ mix(point)), place)));
        }
        points.sort_unstable_by_key(|&(point, place)| (point, candidates[place as usize].name()));
        Self { points: points.into(), affinity, keyless: RoundRobin::default() }
    }
}

impl Pick for RingHash {
    fn pick(&self, ask: &Ask<'_>) -> Option<usize> {
        let Some(key) = ask.hash() else { return self.keyless.pick(ask) };
        let bound = self.affinity.bound(ask);
        let start = self.points.partition_point(|&(point, _)| point < key);
        let clockwise = self.points[start..].iter().chain(&self.points[..start]);
        let mut open = clockwise.map(|&(_, place)| place as usize).filter(|&place| ask.is_open(place));
        let first = open.next()?;
        let has_room = |place: usize| {
            ask.candidates().get(place).is_some_and(|candidate| fits(candidate, ask.weight(place), bound))
        };
        if has_room(first) {
            return Some(first);
        }
        // Somebody has room: the bound is more than what all have together.
        open.find(|&place| has_room(place)).or(Some(first))
    }
}
