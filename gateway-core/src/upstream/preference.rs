use std::sync::Arc;

use super::pick::{Candidates, Usable};

/// Which of the available endpoints are used: groups, zones, and what happens when almost all are out.
///
/// 1. The first group (the lowest priority number) is used in which at least [`enough`](Self::enough) of the endpoints
///    are available. If there is none, every available endpoint of every group is used.
/// 2. If a [`zone`](Self::zone) is given, only the group's endpoints in that zone are used, as long as enough of
///    those are available.
/// 3. If fewer than [`panic_below`](Self::panic_below) of all endpoints are available, [`Panic`] decides.
///
/// An endpoint of weight 0 counts nowhere and is never used.
#[derive(Clone, Debug, PartialEq)]
pub struct Preference {
    /// The zone of this gateway. None.
    pub zone: Option<Arc<str>>,
    /// Which part of a group, or of the zone in it, is enough. 0.7: the others can bear what a few would have done.
    pub enough: f64,
    /// What happens when almost all are out. There is no default that is right for everybody: `Panic::Refuse` here.
    pub panic: Panic,
    /// Below which part of all endpoints almost all are out. 0.2.
    pub panic_below: f64,
}

impl Default for Preference {
    fn default() -> Self {
        Self { zone: None, enough: 0.7, panic: Panic::Refuse, panic_below: 0.2 }
    }
}

/// What happens when almost all endpoints are out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panic {
    /// All of them are used, available or not: when everything looks broken, the judgement is the more likely fault.
    UseAll,
    /// Only what is available is used; if nothing is, requests are refused: a broken upstream is not beaten further.
    Refuse,
}

/// What a [`Preference`] came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// How many endpoints have a weight.
    pub all: usize,
    /// How many of them are available.
    pub available: usize,
    /// How many of them are used.
    pub used: usize,
    /// The group in use, if it is one.
    pub group: Option<u8>,
    /// Whether only one zone is used.
    pub zone_only: bool,
    /// Whether almost all are out.
    pub panic: bool,
}

impl Preference {
    /// Marks what is used.
    pub fn settle(
        &self,
        candidates: &Candidates,
        is_available: impl Fn(usize) -> bool,
        usable: &Usable,
    ) -> Settled {
        let weighs = |place: usize| candidates[place].its_weight() > 0;
        let count = |wanted: &dyn Fn(usize) -> bool| {
            let all = (0..candidates.len()).filter(|&place| weighs(place) && wanted(place));
            all.fold((0, 0), |(all, up), place| (all + 1, up + usize::from(is_available(place))))
        };
        let is_enough = |(all, up): (usize, usize)| up > 0 && up as f64 >= self.enough * all as f64;
        let (all, available) = count(&|_| true);
        let mut settled = Settled { all, available, ..Settled::default() };
        settled.panic = all > 0 && (available == 0 || (available as f64) < self.panic_below * all as f64);
        if settled.panic && self.panic == Panic::UseAll {
            usable.set(candidates, weighs);
            settled.used = all;
            return settled;
        }
        let in_group = |group: Option<u8>, place: usize| {
            group.is_none_or(|group| candidates[place].its_priority() == group)
        };
        settled.group =
            self.first_group(candidates, |group| is_enough(count(&|place| in_group(Some(group), place))));
        let is_mine = |place: usize| candidates[place].its_zone() == self.zone.as_deref();
        settled.zone_only = self.zone.is_some()
            && is_enough(count(&|place| in_group(settled.group, place) && is_mine(place)));
        usable.set(candidates, |place| {
            weighs(place)
                && is_available(place)
                && in_group(settled.group, place)
                && (!settled.zone_only || is_mine(place))
        });
        settled.used = usable.count();
        settled
    }

    /// The lowest group that will do.
    fn first_group(&self, candidates: &Candidates, will_do: impl Fn(u8) -> bool) -> Option<u8> {
        let after = |last: Option<u8>| {
            let groups = candidates.iter().map(super::pick::Candidate::its_priority);
            groups.filter(|&group| last.is_none_or(|last| group > last)).min()
        };
        let mut group = after(None);
        while let Some(next) = group.filter(|&group| !will_do(group)) {
            group = after(Some(next));
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::pick::Candidate;

    /// Endpoints as `0a+`: group, zone, available or not; and the places that are used.
    fn used(preference: &Preference, endpoints: &str) -> (Vec<usize>, Settled) {
        let endpoints: Vec<Vec<char>> = endpoints.split(' ').map(|one| one.chars().collect()).collect();
        let candidates = Candidates::new(endpoints.iter().map(|one| {
            let group = one[0].to_digit(10).and_then(|digit| u8::try_from(digit).ok()).unwrap();
            Candidate::new("x").priority(group).zone(Some(one[1].to_string().into()))
        }));
        let usable = Usable::none_of(candidates.len());
        let settled = preference.settle(&candidates, |place| endpoints[place][2] == '+', &usable);
        ((0..candidates.len()).filter(|&place| usable.has(place)).collect(), settled)
    }

    #[test]
    fn the_first_group_with_enough_is_used_and_else_all_that_is_left() {
        let preference = Preference::default();
        for (endpoints, expected, group) in [
            ("0a+ 0a+ 1a+", vec![0, 1], Some(0)),
            ("0a+ 0a- 1a+", vec![2], Some(1)),
            ("0a+ 0a+ 0a+ 0a- 1a+", vec![0, 1, 2], Some(0)),
            ("0a+ 0a- 1a+ 1a-", vec![0, 2], None),
            ("5a- 0a- 3a+", vec![2], Some(3)),
        ] {
            let (places, settled) = used(&preference, endpoints);
            assert_eq!((places, settled.group), (expected, group), "{endpoints}");
        }
    }

    #[test]
    fn ones_own_zone_is_preferred_while_it_has_enough() {
        let preference = Preference { zone: Some("b".into()), ..Preference::default() };
        for (endpoints, expected) in [
            ("0a+ 0b+ 0b+", vec![1, 2]),
            ("0a+ 0b+ 0b-", vec![0, 1]),
            ("0a+ 0c+", vec![0, 1]),
            ("0a+ 1b+", vec![0]),
        ] {
            assert_eq!(used(&preference, endpoints).0, expected, "{endpoints}");
        }
    }

    #[test]
    fn when_almost_all_are_out_the_choice_is_explicit() {
        let refuse = Preference::default();
        let use_all = Preference { panic: Panic::UseAll, ..Preference::default() };
        let (none, one) = ("0a- 0a- 1a-", "0a+ 0a- 0a- 0a- 0a- 1a-");
        let (places, settled) = used(&refuse, none);
        assert_eq!((places, settled.panic), (vec![], true));
        let (places, settled) = used(&use_all, none);
        assert_eq!((places, settled.panic), (vec![0, 1, 2], true));
        assert_eq!(used(&refuse, one).0, [0]);
        assert_eq!(used(&use_all, one).0, [0, 1, 2, 3, 4, 5]);
        let (places, settled) = used(&use_all, "0a+ 0a- 0a- 0a-");
        assert_eq!((places, settled.panic), (vec![0], false), "a quarter is left");
    }
}
