use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{Ask, Pick};

/// In turn, each as often as its weight says, spread evenly. Clones go on with the same turns, so a new list does not
/// begin with its first endpoint again.
///
/// Turns are counted through the whole list, and in each round an endpoint is passed over as often as its weight is
/// short of the greatest: `weight` of every `greatest` rounds are its own (a static stride scheduler). With equal weights
/// that is one atomic addition and a division. One that is not open loses its turns, and nobody inherits them: the
/// others keep their proportions.
#[derive(Clone, Debug, Default)]
pub struct RoundRobin(Arc<AtomicU64>);

impl Pick for RoundRobin {
    fn pick(&self, ask: &Ask<'_>) -> Option<usize> {
        let all = ask.candidates().len() as u64;
        let greatest = ask.heaviest();
        if all == 0 || greatest == 0 {
            return None;
        }
        let mut last = 0;
        for _ in 0..all.saturating_mul(MOST_ROUNDS) {
            let turn = self.0.fetch_add(1, Ordering::Relaxed);
            let (round, place) = (turn / all, turn % all);
            last = place as usize;
            if ask.is_open(last) && is_its_turn(round, place, ask.weight(last).min(greatest), greatest) {
                return Some(last);
            }
            // None may be open at all; that is seen once, not in every round.
            if place + 1 == all && round & 1 == 1 && ask.open_from(0).next().is_none() {
                return None;
            }
        }
        ask.open_from(last).next()
    }
}

/// Of every `greatest` rounds, `weight` are its turns. Where they lie differs from place to place.
fn is_its_turn(round: u64, place: u64, weight: u64, greatest: u64) -> bool {
    if weight >= greatest {
        return true;
    }
    let shifted = u128::from(weight) * u128::from(round) + u128::from(place) * u128::from(greatest / 2);
    shifted % u128::from(greatest) >= u128::from(greatest - weight)
}

/// After so many rounds without a turn (all that are open weigh less than a sixteenth of the greatest) the next one
/// that is open gets it.
const MOST_ROUNDS: u64 = 16;
