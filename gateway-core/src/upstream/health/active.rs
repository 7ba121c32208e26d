use std::{fmt, time::Duration};

/// How often an endpoint is checked, and how many checks of one kind are believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Rhythm {
    /// The time between checks while it is healthy. 10 s.
    pub healthy_interval: Duration,
    /// The time between checks while it is not, or not known. 2 s: it should be back soon after it is well.
    pub unhealthy_interval: Duration,
    /// By how much of itself an interval is longer or shorter, at random, so that many gateways do not ask at once. 0.2.
    pub jitter: f64,
    /// So many good checks in a row make an unhealthy one healthy. 2.
    pub healthy_after: u32,
    /// So many bad checks in a row make a healthy one unhealthy. 3.
    pub unhealthy_after: u32,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            healthy_interval: Duration::from_secs(10),
            unhealthy_interval: Duration::from_secs(2),
            jitter: 0.2,
            healthy_after: 2,
            unhealthy_after: 3,
        }
    }
}

impl Rhythm {
    /// The time until the next check. While bad checks gather, as for an unhealthy one: the verdict should not take
    /// several long intervals.
    #[must_use]
    pub fn pause(&self, checked: &Checked, random: u64) -> Duration {
        let is_calm = checked.standing == Standing::Healthy && checked.streak == 0;
        let interval = if is_calm { self.healthy_interval } else { self.unhealthy_interval };
        // From -1 to 1.
        let swing = random as f64 / (u64::MAX as f64 / 2.0) - 1.0;
        interval.mul_f64((1.0 + swing * self.jitter).max(0.0))
    }
}

/// What checks make of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// No check has ended yet. It is asked: to wait for a check would fail requests for nothing.
    #[default]
    Unknown,
    /// It is well.
    Healthy,
    /// It is not.
    Unhealthy,
}

impl Standing {
    /// The word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// The checks of one endpoint so far.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    standing: Standing,
    /// How many checks in a row spoke against the standing.
    streak: u32,
    last_failure: Option<String>,
}

impl Checked {
    /// A check ended. Says what the endpoint is now, if that changed. The first check of all is believed at once.
    pub fn record(&mut self, outcome: Result<(), String>, rhythm: &Rhythm) -> Option<Standing> {
        let (says, needed) = match &outcome {
            Ok(()) => (Standing::Healthy, rhythm.healthy_after),
            Err(_) => (Standing::Unhealthy, rhythm.unhealthy_after),
        };
        if let Err(why) = outcome {
            self.last_failure = Some(why);
        }
        if says == self.standing {
            self.streak = 0;
            return None;
        }
        self.streak += 1;
        if self.standing != Standing::Unknown && self.streak < needed {
            return None;
        }
        (self.standing, self.streak) = (says, 0);
        Some(says)
    }

    /// What the endpoint is.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.standing, &self.last_failure) {
            (Standing::Unhealthy, Some(why)) => write!(f, "unhealthy: its last check failed ({why})"),
            (standing, _) => f.write_str(standing.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(outcomes: &str) -> String {
        let (mut checked, rhythm) = (Checked::default(), Rhythm::default());
        let step = |outcome| {
            checked.record(if outcome == '+' { Ok(()) } else { Err("no".to_owned()) }, &rhythm);
            ['?', 'h', 'u'][checked.standing() as usize]
        };
        outcomes.chars().map(step).collect()
    }

    #[test]
    fn the_first_check_is_believed_later_ones_in_a_row() {
        assert_eq!(run("+--+---+-++"), "hhhhhhuuuuh");
        assert_eq!(run("-+++"), "uuhh");
    }

    #[test]
    fn checks_are_dense_while_something_may_be_wrong() {
        let (mut checked, rhythm) = (Checked::default(), Rhythm::default());
        let middle = u64::MAX / 2;
        assert_eq!(rhythm.pause(&checked, middle).as_secs_f64().round(), 2.0);
        checked.record(Ok(()), &rhythm);
        assert_eq!(rhythm.pause(&checked, middle).as_secs_f64().round(), 10.0);
        assert_eq!(rhythm.pause(&checked, 0).as_secs_f64().round(), 8.0);
        assert_eq!(rhythm.pause(&checked, u64::MAX).as_secs_f64().round(), 12.0);
        checked.record(Err("no".to_owned()), &rhythm);
        assert_eq!(rhythm.pause(&checked, middle).as_secs_f64().round(), 2.0);
    }

    proptest! {
        /// It changes only after as many checks in a row as it says.
        #[test]
        fn a_change_has_its_row(outcomes in proptest::collection::vec(any::<bool>(), 1..60), up in 1..5_u32, down in 1..5_u32) {
            let rhythm = Rhythm { healthy_after: up, unhealthy_after: down, ..Rhythm::default() };
            let (mut checked, mut row) = (Checked::default(), (true, 0_u32));
            for (index, &is_good) in outcomes.iter().enumerate() {
                row = if row.0 == is_good { (is_good, row.1 + 1) } else { (is_good, 1) };
                let changed = checked.record(if is_good { Ok(()) } else { Err(String::new()) }, &rhythm);
                let (before, needed) = (checked.standing() == Standing::Healthy, if is_good { up } else { down });
                if index == 0 {
                    prop_assert!(changed.is_some());
                } else if changed.is_some() {
                    prop_assert_eq!(before, is_good);
                    prop_assert!(row.1 >= needed);
                } else {
                    prop_assert!(before == is_good || row.1 < needed);
                }
            }
        }
    }
}
