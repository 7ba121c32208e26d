use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

/// The SHA-256 of a key. It is shown by no message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of this key.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Whether it is the same, in a time that does not depend on where they differ.
    pub(super) fn is(&self, other: &Self) -> bool {
        let difference = self.0.iter().zip(&other.0).fold(0, |bits, (one, two)| bits | (one ^ two));
        std::hint::black_box(difference) == 0
    }
}

impl FromStr for KeyDigest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let mut digest = [0; 32];
        if text.len() != 64 {
            return Err(NoDigest);
        }
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(NoDigest);
            *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
        }
        Ok(Self(digest))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(..)")
    }
}

/// It is no digest; perhaps it is the key itself, so it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoDigest;

impl fmt::Display for NoDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a SHA-256 of 64 hexadecimal digits")
    }
}

impl std::error::Error for NoDigest {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_what_sha256sum_prints() {
        let printed = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";
        assert!(KeyDigest::of(b"key").is(&printed.parse().unwrap()));
        assert!(KeyDigest::of(b"key").is(&printed.to_uppercase().parse().unwrap()));
        assert_eq!(format!("{:?}", KeyDigest::of(b"key")), "KeyDigest(..)");
        for text in [
            "",
            "key",
            &printed[1..],
            &format!("{printed}0"),
            &format!("{}é", &printed[..62]),
            &printed.replace('2', "g"),
        ] {
            assert_eq!(text.parse::<KeyDigest>(), Err(NoDigest), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_other_bit_is_another_digest(key in any::<Vec<u8>>(), bit in 0_usize..256) {
            let digest = KeyDigest::of(&key);
            let mut other = digest;
            other.0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(digest.is(&digest) && !digest.is(&other));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,70}") {
            let _ = text.parse::<KeyDigest>();
        }
    }
}
