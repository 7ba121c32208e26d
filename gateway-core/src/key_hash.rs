//! The hash behind a bucket's name: a polynomial over a prime field, at a secret point.
//!
//! The parts of a key are cut into blocks of 15 bytes, each block is a coefficient, and the hash is the polynomial's
//! value at a point that this process drew at random and never shows. Two different keys of at most `n` blocks are
//! two different polynomials, which agree at no more than `n` of the 2^127 points: whoever does not know the point
//! collides with a chance of `n / 2^127`, however the keys are chosen. That is a proof, where a general purpose
//! hash would need an assumption, and it is one multiplication for a short part. It holds because the values stay
//! inside: they are names of buckets, sent and printed nowhere.

use std::{
    hash::{BuildHasher, RandomState},
    sync::OnceLock,
};

/// A polynomial that is being evaluated.
pub(crate) struct Polynomial {
    value: u128,
    point: u128,
}

impl Polynomial {
    /// The polynomial of no part, at this process' point. The leading 1 tells keys of different lengths apart.
    pub(crate) fn new() -> Self {
        Self { value: 1, point: secret().point }
    }

    /// Another part. Parts do not run together: the last block of each says that it is the last, and how long.
    pub(crate) fn part(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while rest.len() > BLOCK {
            let (block, after) = rest.split_at(BLOCK);
            self.coefficient(number(block));
            rest = after;
        }
        self.coefficient(number(rest) | (rest.len() as u128 + 1) << (8 * BLOCK));
    }

    /// Its value, spread over all bits. The spreading loses nothing: it can be undone, by whoever knows the value.
    pub(crate) fn finish(self) -> u128 {
        let mut bits = self.value.wrapping_add(secret().offset);
        bits ^= bits >> 64;
        bits = bits.wrapping_mul(SPREAD);
        bits ^ bits >> 64
    }

    /// Horner's rule, modulo 2^127 - 1.
    fn coefficient(&mut self, coefficient: u128) {
        // Both are below 2^127, so nothing is lost.
        self.value = times(reduce(self.value + coefficient), self.point);
    }
}

/// Up to 15 bytes, the first one lowest.
fn number(bytes: &[u8]) -> u128 {
    let mut block = [0; 16];
    block[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(block)
}

/// `a x b` modulo 2^127 - 1, for both below it.
const fn times(a: u128, b: u128) -> u128 {
    const LOW: u128 = u64::MAX as u128;
    let (a_low, a_high, b_low, b_high) = (a & LOW, a >> 64, b & LOW, b >> 64);
    // The high halves are below 2^63, so the sum of the middle products stays below 2^128.
    let middle = a_low * b_high + a_high * b_low;
    let (low, carry) = (a_low * b_low).overflowing_add(middle << 64);
    let high = a_high * b_high + (middle >> 64) + carry as u128;
    // 2^128 is 2, and 2^127 is 1.
    reduce((low & PRIME) + (low >> 127) + 2 * high)
}

/// A number below 2^128 modulo 2^127 - 1.
const fn reduce(number: u128) -> u128 {
    let once = (number & PRIME) + (number >> 127);
    if once >= PRIME { once - PRIME } else { once }
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
