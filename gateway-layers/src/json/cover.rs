use std::fmt::Write;

/// What a hidden value is replaced by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cover {
    /// As it stands in a JSON string, without quotes.
    pub(super) escaped: String,
    length: usize,
    /// How many characters of the end of a text or a number stay readable.
    pub(super) shown: usize,
}

impl Cover {
    /// This text.
    pub(crate) fn text(text: &str) -> Self {
        let mut escaped = String::new();
        text.chars().for_each(|character| escape(character, &mut escaped));
        Self { escaped, length: text.len(), shown: 0 }
    }

    /// The same, with the last characters of the value behind it.
    pub(crate) fn showing(mut self, characters: usize) -> Self {
        self.shown = characters;
        self
    }

    /// Why it cannot be used.
    pub(super) fn error(&self) -> Option<&'static str> {
        if self.length > MAX_TEXT {
            return Some("the text in place of a value is longer than 64 bytes");
        }
        (self.shown > MAX_SHOWN).then_some("more than 16 characters would stay readable")
    }
}

/// The end of a text, kept while the text passes by: never more than the few characters that may be shown.
#[derive(Debug, Default)]
pub(super) struct Tail {
    shown: usize,
    characters: u64,
    end: Vec<u8>,
    kept: usize,
}

impl Tail {
    /// Starts anew.
    pub(super) fn begin(&mut self, shown: usize) {
        self.end.clear();
        (self.shown, self.characters, self.kept) = (shown, 0, 0);
    }

    /// More of the text, in UTF-8; a character may be split.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.characters += bytes.iter().filter(|&&byte| starts_a_character(byte)).count() as u64;
        if self.shown == 0 {
            return;
        }
        // A character has four bytes at most, so more than this cannot be shown.
        let mut bytes = bytes;
        if let Some(rest) = bytes.len().checked_sub(4 * self.shown + 4).filter(|&rest| rest > 0) {
            bytes = &bytes[rest..];
            bytes = &bytes[bytes.iter().position(|&byte| starts_a_character(byte)).unwrap_or(0)..];
            self.end.clear();
            self.kept = 0;
        }
        self.end.extend_from_slice(bytes);
        self.kept += bytes.iter().filter(|&&byte| starts_a_character(byte)).count();
        if self.kept > self.shown {
            let starts = self.end.iter().enumerate().filter(|&(_, &byte)| starts_a_character(byte));
            let from = starts.map(|(at, _)| at).nth(self.kept - self.shown).unwrap_or(self.end.len());
            self.end.drain(..from);
            self.kept = self.shown;
        }
    }

    /// What is shown: the last characters as they stand in a JSON string, if at least as many stay hidden.
    pub(super) fn shown(&self) -> String {
        let mut text = String::new();
        if self.characters >= 2 * self.shown as u64 {
            String::from_utf8_lossy(&self.end).chars().for_each(|character| escape(character, &mut text));
        }
        text
    }
}

fn starts_a_character(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

/// Writes a character as it stands in a JSON string (RFC 8259, 7).
fn escape(character: char, to: &mut String) {
    match character {
        '"' | '\\' => to.extend(['\\', character]),
        '\u{0}'..='\u{1f}' => {
            write!(to, "\\u{:04x}", u32::from(character)).expect("a string takes every text");
        }
        other => to.push(other),
    }
}

/// A replacement is written once for each hidden value, so it bounds how much a document can grow.
const MAX_TEXT: usize = 64;

/// More is no mask.
const MAX_SHOWN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keeps_the_last_characters_however_the_text_is_split(
            text in ".{0,40}", shown in 0_usize..=16, splits in prop::collection::vec(0_usize..100, 0..8),
        ) {
            let mut tail = Tail::default();
            tail.begin(shown);
            let mut rest = text.as_bytes();
            for split in splits {
                let (now, later) = rest.split_at(split.min(rest.len()));
                tail.take(now);
                rest = later;
                prop_assert!(tail.end.len() <= 4 * shown + 4);
            }
            tail.take(rest);
            let characters: Vec<char> = text.chars().collect();
            let expected: String = match characters.len() >= 2 * shown {
                true => characters[characters.len() - shown..].iter().collect(),
                false => String::new(),
            };
            let read: String = serde_json::from_str(&format!("\"{}\"", tail.shown())).unwrap();
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_cover_is_bounded_and_safe_in_a_string() {
        assert_eq!(Cover::text("a\"\n").escaped, "a\\\"\\u000a");
        assert!(Cover::text(&"x".repeat(65)).error().is_some());
        assert!(Cover::text("").showing(17).error().is_some());
        assert_eq!(Cover::text("***").showing(4).error(), None);
    }
}
