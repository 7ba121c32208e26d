use super::{Ask, Draw, Pick, least_requests::is_busier};
use crate::random::Random;

/// The less busy of two that were drawn by weight. It costs the same for three endpoints and for ten thousand, and many
/// gateways do not all run to the same idle one.
#[derive(Clone, Debug, Default)]
pub struct PowerOfTwo(Draw);

impl PowerOfTwo {
    /// With this source of randomness.
    #[must_use]
    pub fn new(random: &Random) -> Self {
        Self(Draw::new(random))
    }
}

impl Pick for PowerOfTwo {
    fn pick(&self, ask: &Ask<'_>) -> Option<usize> {
        let (first, second) = self.0.two(ask)?;
        Some(second.filter(|&second| is_busier(ask, first, second)).unwrap_or(first))
    }
}
