use super::{Ask, Pick};
use crate::random::Random;

/// Draws, each as likely as its weight says. It keeps nothing, so many gateways need not agree on turns.
#[derive(Clone, Debug, Default)]
pub struct Draw(Random);

impl Draw {
    /// With this source of randomness.
    #[must_use]
    pub fn new(random: &Random) -> Self {
        Self(random.clone())
    }

    /// The same, but not the one at this place.
    pub(super) fn other_than(&self, ask: &Ask<'_>, not: Option<usize>) -> Option<usize> {
        let all = ask.candidates().len() as u64;
        let greatest = ask.heaviest();
        if all == 0 || greatest == 0 {
            return None;
        }
        let may = |place: usize| Some(place) != not && ask.is_open(place);
        // Any place, kept as often as its weight says: the heavier it is the more often. Two draws are the rule.
        for _ in 0..BLIND {
            let bits = self.0.next();
            let (high, low) = (bits >> 32, bits & u64::from(u32::MAX));
            let place = ((high * all) >> 32) as usize;
            if may(place) && (u128::from(low) * u128::from(greatest)) >> 32 < u128::from(ask.weight(place)) {
                return Some(place);
            }
        }
        let weights =
            || (0..all as usize).filter(|&place| may(place)).map(|place| (place, ask.weight(place)));
        let total: u128 = weights().map(|(_, weight)| u128::from(weight)).sum();
        let mut left = (u128::from(self.0.next()) * total) >> 64;
        let mut last = None;
        for (place, weight) in weights() {
            last = Some(place);
            match left.checked_sub(u128::from(weight)) {
                Some(rest) => left = rest,
                None => break,
            }
        }
        last
    }

    /// Two different ones; the second is missing where only one is open.
    pub(super) fn two(&self, ask: &Ask<'_>) -> Option<(usize, Option<usize>)> {
        let first = self.other_than(ask, None)?;
        Some((first, self.other_than(ask, Some(first))))
    }
}

impl Pick for Draw {
    fn pick(&self, ask: &Ask<'_>) -> Option<usize> {
        self.other_than(ask, None)
    }
}

/// So many draws before the weights are added up.
const BLIND: u32 = 8;
