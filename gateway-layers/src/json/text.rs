use super::{
    cover::Tail,
    field::Field,
    scan::{Utf8, plain_run},
};

/// Reads names and texts, undoing their escapes for whoever wants to know what they say.
#[derive(Debug, Default)]
pub(super) struct Text {
    utf8: Utf8,
    escape: Escape,
    /// The first half of a surrogate pair.
    high: Option<u16>,
    wants: Wants,
    name: Vec<u8>,
    is_long: bool,
    pub(super) tail: Tail,
}

/// What of a text is kept while it passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Wants {
    #[default]
    Nothing,
    /// All of it, up to the longest name that a field can have.
    Name,
    /// Its last characters.
    Tail,
}

#[derive(Clone, Copy, Debug, Default)]
enum Escape {
    #[default]
    None,
    Backslash,
    /// So many digits of `\uXXXX` are missing.
    Unicode(u8, u16),
}

impl Text {
    /// Starts behind the opening quote.
    pub(super) fn begin(&mut self, wants: Wants) {
        self.wants = wants;
        self.name.clear();
        self.is_long = false;
    }

    /// The name that was read, unless it is too long for any field.
    pub(super) fn name(&self) -> Option<&[u8]> {
        (!self.is_long).then_some(&self.name)
    }

    pub(super) fn is_long(&self) -> bool {
        self.is_long
    }

    /// Reads on from here: behind what it got to, and whether the closing quote was there.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        mut at: usize,
    ) -> Result<(usize, bool), (usize, &'static str)> {
        while at < bytes.len() {
            if !matches!(self.escape, Escape::None) {
                self.escaped(bytes[at]).map_err(|why| (at, why))?;
                at += 1;
                continue;
            }
            let start = at;
            if self.utf8.is_complete() {
                at += plain_run(&bytes[at..]);
            }
            while let Some(&byte) = bytes.get(at).filter(|&&byte| byte >= 0x80 || !self.utf8.is_complete()) {
                if !self.utf8.take(byte) {
                    return Err((at, "there is a text that is not UTF-8"));
                }
                at += 1;
            }
            self.take(&bytes[start..at]);
            match bytes.get(at) {
                Some(b'"') => {
                    self.flush_high();
                    return Ok((at + 1, true));
                }
                Some(b'\\') => {
                    self.escape = Escape::Backslash;
                    at += 1;
                }
                Some(0..0x20) => return Err((at, "there is a control character in a text")),
                _ => {}
            }
        }
        Ok((at, false))
    }

    /// Part of what is read, in UTF-8.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        if self.wants == Wants::Nothing || bytes.is_empty() {
            return;
        }
        self.flush_high();
        self.want(bytes);
    }

    /// The last characters of what was read, if they were wanted.
    pub(super) fn take_tail(&mut self) -> String {
        match std::mem::take(&mut self.wants) {
            Wants::Tail => self.tail.shown(),
            _ => String::new(),
        }
    }

    fn want(&mut self, bytes: &[u8]) {
        match self.wants {
            Wants::Nothing => {}
            Wants::Name => {
                self.is_long |= bytes.len() > Field::MAX_NAME - self.name.len();
                if !self.is_long {
                    self.name.extend_from_slice(bytes);
                }
            }
            Wants::Tail => self.tail.take(bytes),
        }
    }

    fn escaped(&mut self, byte: u8) -> Result<(), &'static str> {
        let (left, value) = match self.escape {
            Escape::Unicode(left, value) => {
                let digit = (byte as char).to_digit(16).ok_or("there is half an escape in a text")?;
                // Four digits of four bits each.
                (left - 1, value << 4 | digit as u16)
            }
            _ => {
                self.escape = Escape::None;
                let plain: &[u8] = match byte {
                    b'"' => b"\"",
                    b'\\' => b"\\",
                    b'/' => b"/",
                    b'b' => b"\x08",
                    b'f' => b"\x0C",
                    b'n' => b"\n",
                    b'r' => b"\r",
                    b't' => b"\t",
                    b'u' => {
                        self.escape = Escape::Unicode(4, 0);
                        return Ok(());
                    }
                    _ => return Err("there is an escape in a text that JSON does not have"),
                };
                self.take(plain);
                return Ok(());
            }
        };
        self.escape = if left > 0 { Escape::Unicode(left, value) } else { Escape::None };
        if left == 0 && self.wants != Wants::Nothing {
            self.unit(value);
        }
        Ok(())
    }

    /// A unit of UTF-16, as escapes give them. Half a pair without the other means no character.
    fn unit(&mut self, unit: u16) {
        let code = match (self.high.take(), unit) {
            (Some(high), 0xDC00..=0xDFFF) => {
                0x10000 + ((u32::from(high) - 0xD800) << 10) + (u32::from(unit) - 0xDC00)
            }
            (before, unit) => {
                self.high = before;
                self.flush_high();
                if (0xD800..=0xDBFF).contains(&unit) {
                    self.high = Some(unit);
                    return;
                }
                unit.into()
            }
        };
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.want(character.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn flush_high(&mut self) {
        if self.high.take().is_some() {
            self.want("\u{FFFD}".as_bytes());
        }
    }
}
