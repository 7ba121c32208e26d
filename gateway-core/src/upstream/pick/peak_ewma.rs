use std::time::Duration;

use super::{Ask, Draw, Pick};
use crate::random::Random;

/// Of two that were drawn by weight, the one that probably answers sooner: its [latency](super::Load::latency), times
/// the requests that it would then have under way.
///
/// One that nobody has heard of is asked once, and then waited for. One that is slow gets nearly nothing; as its
/// latency fades while nobody asks, it is tried now and then, and has its share back some minutes after it is quick again.
#[derive(Clone, Debug)]
pub struct PeakEwma {
    draw: Draw,
    decay: Duration,
}

impl PeakEwma {
    /// 10 s: a peak is forgiven after some of them.
    pub const DECAY: Duration = Duration::from_secs(10);

    /// With this source of randomness; latencies fade within about `decay`.
    #[must_use]
    pub fn new(random: &Random, decay: Duration) -> Self {
        Self { draw: Draw::new(random), decay }
    }

    /// Seconds until the answer of one more request.
    fn cost(&self, ask: &Ask<'_>, place: usize) -> f64 {
        let Some(candidate) = ask.candidates().get(place) else { return f64::MAX };
        let under_way = f64::from(candidate.load().under_way());
        match candidate.load().latency(ask.now(), self.decay) {
            Some(latency) => latency.as_secs_f64() * (under_way + 1.0),
            None => UNKNOWN * under_way,
        }
    }
}

impl Pick for PeakEwma {
    fn pick(&self, ask: &Ask<'_>) -> Option<usize> {
        let (first, second) = self.draw.two(ask)?;
        let is_sooner = |&second: &usize| self.cost(ask, second) < self.cost(ask, first);
        Some(second.filter(is_sooner).unwrap_or(first))
    }
}

/// Seconds for each request under way at one that never answered yet.
const UNKNOWN: f64 = 1.0;
