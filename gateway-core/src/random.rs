//! [`Random`]: the only source of randomness in the layers, so that a test can seed it.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use http::HeaderValue;

use crate::facts::RequestId;

/// Random numbers without a lock: SplitMix64 over one shared counter. Good for ids, jitter and sampling; not for
/// secrets.
#[derive(Clone, Debug)]
pub struct Random(Arc<AtomicU64>);

impl Default for Random {
    /// Seeded by the operating system.
    fn default() -> Self {
        Self::seeded(RandomState::new().hash_one("gateway"))
    }
}

impl Random {
    /// The same numbers for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    /// The next number.
    #[must_use]
    pub fn next(&self) -> u64 {
        let mut bits = self.0.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// 128 random bits as 32 hexadecimal digits. One allocation.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        let bits = u128::from(self.next()) << 64 | u128::from(self.next());
        let mut digits = [0; 32];
        for (index, digit) in digits.iter_mut().enumerate() {
            *digit = HEX[(bits >> (124 - 4 * index)) as usize & 15];
        }
        let value = HeaderValue::from_bytes(&digits).expect("hexadecimal digits are a header value");
        RequestId::parse(&value).expect("hexadecimal digits are an id")
    }
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_splitmix64() {
        // The first numbers of the reference implementation for seed 0.
        let random = Random::seeded(0);
        assert_eq!([random.next(), random.next()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
        let id = Random::seeded(0).request_id();
        assert_eq!(id.as_str(), "e220a8397b1dcdaf6e789e6aa1b965f4");
    }
}
