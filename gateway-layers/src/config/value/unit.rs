use std::{borrow::Cow, fmt, time::Duration};

use serde_json::{Value as Json, json};

use super::{Value, Wrong, number::whole_number};

/// A whole number of `ms`, `s`, `m`, `h` or `d`, at most ten years, so that adding it to a time cannot overflow.
impl Value for Duration {
    fn wanted() -> Cow<'static, str> {
        "a duration such as 250ms or 5s".into()
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "description": Self::wanted()})
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let (digits, unit) = split_unit(text);
        let millis = DURATIONS.iter().find(|&&(name, _)| name == unit).map(|&(_, millis)| millis);
        let Some((count, millis)) = whole_number::<u64>(digits).ok().zip(millis) else {
            return Err(Wrong::meant(meant_duration(text)));
        };
        match count.checked_mul(millis).filter(|&millis| millis <= MAX_MILLIS) {
            Some(millis) => Ok(Self::from_millis(millis)),
            None => Err(Wrong::because("it is longer than ten years")),
        }
    }
}

/// A number of bytes: a whole number of `B`, `KiB`, `MiB` or `GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByteSize(u64);

impl ByteSize {
    pub(crate) const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    pub(crate) const fn bytes(self) -> u64 {
        self.0
    }

    /// The same as a `usize`, or the largest one there is.
    pub(crate) fn saturated(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |&&(_, unit): &&(&str, u64)| self.0 >= unit && self.0.is_multiple_of(unit);
        let (name, unit) = SIZES.iter().rev().find(fits).unwrap_or(&SIZES[0]);
        write!(f, "{}{name}", self.0 / unit)
    }
}

impl Value for ByteSize {
    fn wanted() -> Cow<'static, str> {
        "a size such as 512B, 10KiB or 2MiB".into()
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$", "description": Self::wanted()})
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let (digits, unit) = split_unit(text);
        let (count, exact) = (whole_number::<u64>(digits), SIZES.iter().find(|&&(name, _)| name == unit));
        if let (Ok(count), Some(&(_, unit))) = (count, exact) {
            return count.checked_mul(unit).map(Self).ok_or_else(|| Wrong::because("it is too large"));
        }
        let unit = match unit.trim().to_lowercase().as_str() {
            "" | "b" | "byte" | "bytes" => 1,
            "k" | "kb" | "kib" | "ki" => 1 << 10,
            "m" | "mb" | "mib" | "mi" => 1 << 20,
            "g" | "gb" | "gib" | "gi" => 1 << 30,
            _ => return Err(Wrong::default()),
        };
        let meant = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
        Err(Wrong::meant(meant.map(|bytes| Self(bytes).to_string())))
    }
}

/// What a text that is no duration of ours means elsewhere: `60`, `5 sec`, `1.5s`, `1m30s`.
fn meant_duration(text: &str) -> Option<String> {
    let mut rest = text.trim();
    let mut sum = 0.0;
    while !rest.is_empty() {
        let (number, after) =
            rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len()));
        let after = after.trim_start();
        let (word, after) = after.split_at(after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len()));
        let (unit, millis) = match word.to_lowercase().as_str() {
            "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => DURATIONS[0],
            "" | "s" | "sec" | "secs" | "second" | "seconds" => DURATIONS[1],
            "m" | "min" | "mins" | "minute" | "minutes" => DURATIONS[2],
            "h" | "hr" | "hrs" | "hour" | "hours" => DURATIONS[3],
            "d" | "day" | "days" => DURATIONS[4],
            _ => return None,
        };
        let number: f64 = number.parse().ok()?;
        let all = sum == 0.0 && after.is_empty();
        sum += number * millis as f64;
        if all && number.fract() == 0.0 && sum <= MAX_MILLIS as f64 {
            return Some(format!("{number}{unit}"));
        }
        rest = after.trim_start();
    }
    match sum.round() as u64 {
        0 | MAX_MILLIS.. => None,
        millis if millis % 1_000 == 0 => Some(format!("{}s", millis / 1_000)),
        millis => Some(format!("{millis}ms")),
    }
}
fn split_unit(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

const DURATIONS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

const MAX_MILLIS: u64 = 3_650 * 86_400_000;

const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_an_end() {
        for (text, millis) in [
            ("0s", 0),
            ("250ms", 250),
            ("5s", 5_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("3650d", MAX_MILLIS),
        ] {
            assert_eq!(Duration::parse(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for (text, meant) in [
            ("60", Some("60s")),
            ("0", Some("0s")),
            ("05s", Some("5s")),
            ("5 s", Some("5s")),
            ("5S", Some("5s")),
            ("5 minutes", Some("5m")),
            ("1.5s", Some("1500ms")),
            ("0.5h", Some("1800s")),
            ("1h30m", Some("5400s")),
            ("1m30", Some("90s")),
            ("9999999999999999999999", None),
            ("3651d", None),
            ("1.2.3s", None),
            ("0.00001ms", None),
            ("-5s", None),
            ("5w", None),
            ("s", None),
            ("", None),
        ] {
            assert_eq!(Duration::parse(text).unwrap_err().suggestion.as_deref(), meant, "{text}");
        }
    }

    #[test]
    fn sizes_have_a_unit_and_are_shown_in_the_largest_that_fits() {
        for (text, bytes) in
            [("0B", 0), ("512B", 512), ("10KiB", 10 << 10), ("2MiB", 2 << 20), ("3GiB", 3 << 30)]
        {
            assert_eq!(ByteSize::parse(text).unwrap(), ByteSize::new(bytes));
            assert_eq!(ByteSize::new(bytes).to_string(), text);
        }
        for (text, meant) in [
            ("1048576", Some("1MiB")),
            ("1000", Some("1000B")),
            ("0", Some("0B")),
            ("64k", Some("64KiB")),
            ("64 kb", Some("64KiB")),
            ("1024K", Some("1MiB")),
            ("010KiB", Some("10KiB")),
            ("2mib", Some("2MiB")),
            ("99999999999999999999GiB", None),
            ("18446744073709551615GiB", None),
            ("1.5MiB", None),
            ("-1B", None),
            ("1TB", None),
            ("", None),
        ] {
            assert_eq!(ByteSize::parse(text).unwrap_err().suggestion.as_deref(), meant, "{text}");
        }
        assert_eq!(ByteSize::new(u64::MAX).saturated(), usize::MAX);
    }
}
