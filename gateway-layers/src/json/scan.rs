//! The small machines that read what is between the punctuation: UTF-8, numbers, runs of plain text.

/// Where a sequence of UTF-8 is (RFC 3629): the bounds of the next byte, and how many follow it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Utf8 {
    left: u8,
    low: u8,
    high: u8,
}

impl Utf8 {
    /// Whether a character is complete.
    pub(super) const fn is_complete(self) -> bool {
        self.left == 0
    }

    /// Takes one byte; false if no text can have it here.
    #[must_use]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        if self.left == 0 {
            let (left, low, high) = match byte {
                0x00..=0x7F => return true,
                0xC2..=0xDF => (1, 0x80, 0xBF),
                0xE0 => (2, 0xA0, 0xBF),
                0xE1..=0xEC | 0xEE | 0xEF => (2, 0x80, 0xBF),
                // No surrogates.
                0xED => (2, 0x80, 0x9F),
                0xF0 => (3, 0x90, 0xBF),
                0xF1..=0xF3 => (3, 0x80, 0xBF),
                0xF4 => (3, 0x80, 0x8F),
                _ => return false,
            };
            *self = Self { left, low, high };
            return true;
        }
        let fits = (self.low..=self.high).contains(&byte);
        *self = Self { left: self.left - 1, low: 0x80, high: 0xBF };
        fits
    }
}

/// Where a number is (RFC 8259, 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
}

impl Number {
    /// The number that begins with this byte.
    pub(super) const fn beginning(byte: u8) -> Option<Self> {
        match byte {
            b'-' => Some(Self::Minus),
            b'0' => Some(Self::Zero),
            b'1'..=b'9' => Some(Self::Whole),
            _ => None,
        }
    }

    /// The number with one more byte, if the byte belongs to it.
    pub(super) const fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') | (Self::Whole, b'0'..=b'9') => Some(Self::Whole),
            (Self::Zero | Self::Whole, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Whole | Self::Fraction, b'e' | b'E') => Some(Self::Exponent),
            (Self::Exponent, b'+' | b'-') => Some(Self::Sign),
            (Self::Exponent | Self::Sign | Self::Power, b'0'..=b'9') => Some(Self::Power),
            _ => None,
        }
    }

    /// Whether it may end here.
    pub(super) const fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Whole | Self::Fraction | Self::Power)
    }
}

/// How many bytes at the beginning are plain characters of a JSON string: ASCII, and neither a quote, a backslash nor
/// a control character. Eight at a time, because most of a document is inside of strings.
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    let mut run = 0;
    for word in words {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return run + special.trailing_zeros() as usize / 8;
        }
        run += 8;
    }
    let rest = &bytes[run..];
    run + rest.iter().position(|&byte| !is_plain(byte)).unwrap_or(rest.len())
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7F) && byte != b'"' && byte != b'\\'
}

/// The highest bit of every byte that is not plain. Above the first such byte a borrow may set bits that are not
/// meant; the first one is right.
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES * 0x80;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let is_zero = (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash);
    let is_control = word.wrapping_sub(ONES * 0x20) & !word;
    (is_zero | is_control | word) & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_run_is_as_long_as_byte_by_byte(bytes in prop::collection::vec(any::<u8>(), 0..40), plain in "[ -~]{0,30}") {
            let slow = |bytes: &[u8]| bytes.iter().position(|&byte| !is_plain(byte)).unwrap_or(bytes.len());
            let mixed = [plain.as_bytes(), &bytes].concat();
            prop_assert_eq!(plain_run(&bytes), slow(&bytes));
            prop_assert_eq!(plain_run(&mixed), slow(&mixed));
        }

        #[test]
        fn text_is_what_the_standard_library_takes_for_text(
            bytes in prop::collection::vec(prop_oneof![0x7F_u8..=0xA0, 0xBF_u8..=0xC2, 0xDF_u8..=0xF5, any::<u8>()], 0..6),
        ) {
            let mut utf8 = Utf8::default();
            let fits = bytes.iter().all(|&byte| utf8.take(byte)) && utf8.is_complete();
            prop_assert_eq!(fits, std::str::from_utf8(&bytes).is_ok());
        }

        #[test]
        fn a_number_is_what_serde_json_takes_for_one(text in "-?[0-9.eE+-]{1,6}") {
            let mut number = Number::beginning(text.as_bytes()[0]);
            for &byte in &text.as_bytes()[1..] {
                number = number.and_then(|number| number.next(byte));
            }
            let is_number = match serde_json::from_str::<serde_json::Value>(&text) {
                Ok(_) => true,
                Err(error) => error.to_string().contains("out of range"),
            };
            prop_assert_eq!(number.is_some_and(Number::may_end), is_number);
        }
    }
}
