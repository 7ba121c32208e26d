//! The hash behind the names of buckets and of stored answers: a polynomial over a prime field, at a secret point.
//!
//! The parts of a key are cut into blocks of 15 bytes, each block is a coefficient, and the hash is the polynomial's
//! value at a point that this process drew at random and never shows. Two different keys of at most `n` blocks are
//! two different polynomials, which agree at no more than `n` of the 2^127 points: whoever does not know the point
//! collides with a chance of `n / 2^127`, however the keys are chosen. That is a proof, where a general purpose
//! hash would need an assumption, and it is one multiplication for a short part. It holds because the values stay
//! inside: they are names in tables, sent and printed nowhere.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::OnceLock,
};

/// A polynomial that is being evaluated.
#[derive(Clone)]
pub struct Polynomial {
    value: u128,
    secret: &'static Secret,
}

impl Polynomial {
    /// The polynomial of no part, at this process' point. The leading 1 tells keys of different lengths apart.
    #[must_use]
    pub fn new() -> Self {
        Self { value: 1, secret: secret() }
    }

    /// Another part. Parts do not run together: the last block of each says that it is the last, and how long.
    #[inline]
    pub fn part(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while rest.len() > BLOCK {
            let (block, after) = rest.split_at(BLOCK);
            self.coefficient(number(block));
            rest = after;
        }
        self.coefficient(number(rest) | (rest.len() as u128 + 1) << (8 * BLOCK));
    }

    /// Its value, spread over all bits. The spreading loses nothing: it can be undone, by whoever knows the value.
    #[must_use]
    pub fn finish(self) -> u128 {
        let mut bits = self.value.wrapping_add(self.secret.offset);
        bits ^= bits >> 64;
        bits = bits.wrapping_mul(SPREAD);
        bits ^ bits >> 64
    }

    /// Horner's rule, modulo 2^127 - 1.
    fn coefficient(&mut self, coefficient: u128) {
        // Both are below 2^127, so nothing is lost.
        self.value = times(reduce(self.value.wrapping_add(coefficient)), self.secret.point);
    }
}

impl Default for Polynomial {
    fn default() -> Self {
        Self::new()
    }
}

/// Its value is nobody's business.
impl fmt::Debug for Polynomial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polynomial").finish_non_exhaustive()
    }
}

/// Up to 15 bytes, the first one lowest. Read as two words that may overlap, which is quicker than copying a few bytes.
fn number(bytes: &[u8]) -> u128 {
    let above = |bits: usize| bits - 8 * bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
        return u128::from(first) | u128::from(last) >> above(128) << 64;
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return u128::from(first) | u128::from(u64::from(last) >> above(64) << 32);
    }
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u128::from(byte))
}

/// `a x b` modulo 2^127 - 1, for both below it. Nothing in it can overflow, so it is written without the checks, which
/// cost more than the work.
const fn times(a: u128, b: u128) -> u128 {
    const LOW: u128 = u64::MAX as u128;
    let (a_low, a_high, b_low, b_high) = (a & LOW, a >> 64, b & LOW, b >> 64);
    // The high halves are below 2^63, so the sum of the middle products stays below 2^128.
    let middle = a_low.wrapping_mul(b_high).wrapping_add(a_high.wrapping_mul(b_low));
    let (low, carry) = a_low.wrapping_mul(b_low).overflowing_add(middle << 64);
    let high = a_high.wrapping_mul(b_high).wrapping_add(middle >> 64).wrapping_add(carry as u128);
    // 2^128 is 2, and 2^127 is 1.
    reduce((low & PRIME).wrapping_add(low >> 127).wrapping_add(high << 1))
}

/// A number below 2^128 modulo 2^127 - 1.
const fn reduce(number: u128) -> u128 {
    let once = (number & PRIME).wrapping_add(number >> 127);
    if once >= PRIME { once.wrapping_sub(PRIME) } else { once }
}

struct Secret {
    point: u128,
    offset: u128,
}

/// Drawn once per process, so that buckets keep their names when a graph is rebuilt.
fn secret() -> &'static Secret {
    static SECRET: OnceLock<Secret> = OnceLock::new();
    SECRET.get_or_init(|| {
        // Each state is seeded by the operating system.
        let random = || u128::from(RandomState::new().hash_one("bucket"));
        Secret { point: reduce(random() << 64 | random()), offset: random() << 64 | random() }
    })
}

const BLOCK: usize = 15;
const PRIME: u128 = (1 << 127) - 1;

/// Odd, so that multiplying by it can be undone.
const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(parts: &[&[u8]]) -> u128 {
        let mut polynomial = Polynomial::new();
        parts.iter().for_each(|part| polynomial.part(part));
        polynomial.finish()
    }

    #[test]
    fn a_block_is_its_bytes_in_order() {
        let bytes: Vec<u8> = (1..=15).collect();
        for length in 0..=15 {
            let plain = bytes[..length].iter().rev().fold(0, |number, &byte| number << 8 | u128::from(byte));
            assert_eq!(number(&bytes[..length]), plain, "{length}");
        }
    }

    #[test]
    fn lengths_zeros_and_borders_of_parts_count() {
        let zeros = [0_u8; 64];
        let mut seen = std::collections::HashSet::new();
        for first in 0..=32 {
            assert!(seen.insert(hash(&[&zeros[..first]])));
            for second in 0..=32 {
                assert!(seen.insert(hash(&[&zeros[..first], &zeros[..second]])));
            }
        }
    }

    #[test]
    fn numbers_in_a_row_fill_shards_evenly() {
        let mut shards = [0_u32; 64];
        for number in 0..64_000_u32 {
            shards[(hash(&[&number.to_be_bytes()]) >> 122) as usize] += 1;
        }
        assert!(shards.iter().all(|&count| (500..1_500).contains(&count)), "{shards:?}");
    }

    proptest! {
        /// Multiplication by adding and doubling, one bit at a time.
        #[test]
        fn multiplies_in_the_field(a in 0..PRIME, b in 0..PRIME) {
            let (mut slow, mut power) = (0, a);
            for bit in 0..127 {
                if b >> bit & 1 == 1 {
                    slow = reduce(slow + power);
                }
                power = reduce(power + power);
            }
            prop_assert_eq!(times(a, b), slow);
        }
    }
}
