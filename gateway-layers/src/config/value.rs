use std::{
    borrow::Cow,
    fmt::{self, Display},
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    str::FromStr,
    time::Duration,
};

use gateway_core::Mode;
use http::{HeaderName, HeaderValue, Method, Uri};

use super::{item::Item, suggest};

/// A type that one text of the document, or a list of texts, can be read as.
///
/// A text is read by the type that is wanted and has none of its own: `version: 1.10` is `1.10` for a `String`,
/// and `no` is `no`.
pub(crate) trait Value: Sized {
    /// What is wanted, with an example, so that `expected {wanted}, found ...` is a sentence.
    fn wanted() -> Cow<'static, str>;

    /// The value, or why the text is none.
    fn parse(text: &str) -> Result<Self, Wrong>;

    /// Whether a quoted text is refused: `"10"` is a text and no number.
    const BARE: bool = false;

    /// Whether messages must not repeat this text.
    fn is_secret(_text: &str) -> bool {
        false
    }

    /// The value of an item, or nothing and a problem.
    fn read(item: &Item<'_>) -> Option<Self> {
        item.scalar()
    }
}

/// Why a text is not the value that was wanted. Neither part is shown where the text may be secret.
#[derive(Debug, Default)]
pub(crate) struct Wrong {
    pub(crate) reason: Option<String>,
    pub(crate) suggestion: Option<String>,
}

impl Wrong {
    /// Not the wanted value, for this reason.
    pub(crate) fn because(reason: impl Display) -> Self {
        Self { reason: Some(reason.to_string()), suggestion: None }
    }

    /// Not the wanted value, but perhaps this was meant.
    pub(crate) fn meant(suggestion: impl Into<Option<String>>) -> Self {
        Self { reason: None, suggestion: suggestion.into() }
    }
}

/// A value that is one of a few words. Every such type is a [`Value`]: a wrong word is told which are allowed.
pub(crate) trait Words: Copy + 'static {
    /// The words with their values, the usual one first.
    const WORDS: &'static [(&'static str, Self)];
}

impl<T: Words> Value for T {
    fn wanted() -> Cow<'static, str> {
        let words: Vec<_> = T::WORDS.iter().map(|&(word, _)| word).collect();
        match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")).into(),
            _ => words.concat().into(),
        }
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let known = T::WORDS.iter().find(|&&(word, _)| word == text);
        let meant = || suggest::nearest(text, T::WORDS.iter().map(|&(word, _)| word)).map(str::to_owned);
        known.map(|&(_, value)| value).ok_or_else(|| Wrong::meant(meant()))
    }
}

impl Words for Mode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("enforce", Self::Enforce), ("audit", Self::Audit), ("off", Self::Off)];
}

/// A list; one text without a list around it is a list of one.
impl<T: Value> Value for Vec<T> {
    const BARE: bool = T::BARE;

    fn is_secret(text: &str) -> bool {
        T::is_secret(text)
    }

    fn wanted() -> Cow<'static, str> {
        format!("{}, or a list of them", T::wanted()).into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        T::parse(text).map(|value| vec![value])
    }

    fn read(item: &Item<'_>) -> Option<Self> {
        match item.is_list() {
            true => Some(item.items("a list").iter().filter_map(Item::value).collect()),
            false => item.scalar(),
        }
    }
}

impl Value for String {
    fn wanted() -> Cow<'static, str> {
        "a text".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        Ok(text.to_owned())
    }
}

/// A text that no message, log line or `Debug` output shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The text itself; the name makes its uses easy to find.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Value for Secret {
    fn is_secret(_text: &str) -> bool {
        true
    }

    fn wanted() -> Cow<'static, str> {
        "a secret text".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        Ok(Self(text.to_owned()))
    }
}

impl Value for bool {
    const BARE: bool = true;

    fn wanted() -> Cow<'static, str> {
        "true or false".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        match (text, text.to_ascii_lowercase().as_str()) {
            ("true", _) => Ok(true),
            ("false", _) => Ok(false),
            (_, "true" | "yes" | "on" | "1" | "y") => Err(Wrong::meant("true".to_owned())),
            (_, "false" | "no" | "off" | "0" | "n") => Err(Wrong::meant("false".to_owned())),
            _ => Err(Wrong::default()),
        }
    }
}

macro_rules! whole_number {
    ($($type:ty: $wanted:expr;)*) => { $(
        impl Value for $type {
            const BARE: bool = true;

            fn wanted() -> Cow<'static, str> {
                $wanted.into()
            }

            fn parse(text: &str) -> Result<Self, Wrong> {
                whole_number(text)
            }
        }
    )* };
}

whole_number! {
    u16: "a whole number up to 65535";
    u32: "a whole number";
    u64: "a whole number";
    usize: "a whole number";
    NonZeroU32: "a whole number, at least 1";
}

/// Digits only. A leading zero is refused, because older YAML reads it as octal.
fn whole_number<T: FromStr + Display>(text: &str) -> Result<T, Wrong> {
    let digits: String = text.chars().filter(|c| !matches!(c, '_' | ',' | '\'' | ' ' | '+')).collect();
    let plain = match digits.trim_start_matches('0') {
        "" if !digits.is_empty() => "0",
        plain => plain,
    };
    match plain.parse::<T>() {
        Ok(number) if plain == text => Ok(number),
        Ok(number) => Err(Wrong::meant(number.to_string())),
        Err(_) if text.len() > 4 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(Wrong::because("it is too large"))
        }
        Err(_) => Err(Wrong::default()),
    }
}

impl Value for f64 {
    const BARE: bool = true;

    fn wanted() -> Cow<'static, str> {
        "a number such as 0.5".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        if let Some(Ok(percent)) = text.strip_suffix('%').map(str::parse::<Self>) {
            return Err(Wrong::meant((percent / 100.0).to_string()));
        }
        text.parse().ok().filter(|number: &Self| number.is_finite()).ok_or_else(Wrong::default)
    }
}

/// A whole number of `ms`, `s`, `m`, `h` or `d`, at most ten years, so that adding it to a time cannot overflow.
impl Value for Duration {
    fn wanted() -> Cow<'static, str> {
        "a duration such as 250ms or 5s".into()
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

/// What a text that is no duration of ours means elsewhere: `60`, `5 sec`, `1.5s`, `1m30s`.
fn meant_duration(text: &str) -> Option<String> {
    let mut rest = text.trim();
    let mut sum = 0.0;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len()));
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
const DURATIONS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

const MAX_MILLIS: u64 = 3_650 * 86_400_000;

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

impl Display for ByteSize {
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

const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

fn split_unit(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

impl Value for SocketAddr {
    fn wanted() -> Cow<'static, str> {
        "an address such as 127.0.0.1:8080".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_| {
            let local = match text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')) {
                Some(port) => format!("127.0.0.1:{port}"),
                None => format!("127.0.0.1:{text}"),
            };
            Wrong::meant(local.parse::<Self>().is_ok().then_some(local))
        })
    }
}

impl Value for IpAddr {
    fn wanted() -> Cow<'static, str> {
        "an IP address such as 10.0.0.1".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_| Wrong::default())
    }
}

impl Value for Method {
    fn wanted() -> Cow<'static, str> {
        "a method such as GET".into()
    }

    /// Methods are case-sensitive (RFC 9110, 9.1), and none that is in use has small letters.
    fn parse(text: &str) -> Result<Self, Wrong> {
        match Self::from_bytes(text.as_bytes()) {
            Ok(method) if !text.bytes().any(|byte| byte.is_ascii_lowercase()) => Ok(method),
            Ok(_) => Err(Wrong::meant(text.to_ascii_uppercase())),
            Err(_) => Err(Wrong::default()),
        }
    }
}

impl Value for HeaderName {
    fn wanted() -> Cow<'static, str> {
        "a header name such as x-request-id".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let meant = || text.trim().trim_end_matches(':').replace([' ', '_'], "-").to_ascii_lowercase();
        let exists = |name: String| Self::from_bytes(name.as_bytes()).is_ok().then_some(name);
        Self::from_bytes(text.as_bytes()).map_err(|_| Wrong::meant(exists(meant())))
    }
}

/// Header values may be credentials.
impl Value for HeaderValue {
    fn is_secret(_text: &str) -> bool {
        true
    }

    fn wanted() -> Cow<'static, str> {
        "a header value of visible ASCII characters on one line".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        Self::from_str(text).map_err(|_| Wrong::default())
    }
}

/// An absolute URL. It may hold a password in front of an `@`.
impl Value for Uri {
    fn is_secret(text: &str) -> bool {
        text.contains('@')
    }

    fn wanted() -> Cow<'static, str> {
        "a URL such as http://10.0.0.1:8080".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let absolute = |text: &str| {
            text.parse::<Self>().ok().filter(|uri| uri.scheme().is_some() && uri.authority().is_some())
        };
        absolute(text).ok_or_else(|| {
            let meant = format!("http://{text}");
            Wrong::meant(absolute(&meant).is_some().then_some(meant))
        })
    }
}
