use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use crate::config::{Value, Wrong};

/// A moment of wall time in RFC 3339: `2026-12-01T08:00:00Z`, `2026-12-01T09:00:00+01:00`.
pub(super) struct Moment(pub(super) SystemTime);

impl Value for Moment {
    fn wanted() -> Cow<'static, str> {
        "a moment such as 2026-12-01T08:00:00Z".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let seconds = seconds(text).ok_or_else(|| {
            let meant = ["T00:00:00Z", "Z"].map(|end| format!("{}{end}", text.replace(' ', "T")));
            Wrong::meant(meant.into_iter().find(|meant| seconds(meant).is_some()))
        })?;
        Ok(Self(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)))
    }
}

/// Seconds since 1970; nothing before it.
fn seconds(text: &str) -> Option<u64> {
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let at = time.find(['Z', '+', '-'])?;
    let (time, zone) = time.split_at(at);
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let days_in_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let offset = match zone.split_at(1) {
        ("Z", "") => 0,
        (sign, zone) => {
            let [hours, minutes] = numbers(zone, ':', [2, 2])?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 3600 + minutes * 60) * if sign == "-" { -1 } else { 1 }
        }
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    u64::try_from(seconds).ok()
}

/// Numbers of these lengths with a separator between.
fn numbers<const N: usize>(text: &str, separator: char, lengths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut found = [0; N];
    for (number, length) in found.iter_mut().zip(lengths) {
        let part = parts.next()?;
        if part.len() != length || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

/// Days since 1970 (Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2001-09-09T01:46:40Z", Some(1_000_000_000)),
            ("2001-09-09T03:46:40+02:00", Some(1_000_000_000)),
            ("2001-09-08T20:16:40-05:30", Some(1_000_000_000)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800)),
            ("2023-02-29T00:00:00Z", None),
            ("2024-13-01T00:00:00Z", None),
            ("2024-00-01T00:00:00Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("2024-01-01T24:00:00Z", None),
            ("2024-01-01T00:00:00", None),
            ("2024-1-1T00:00:00Z", None),
            ("2024-01-01", None),
            ("2024-01-01T00:00:00+25:00", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
        let meant = |text| Moment::parse(text).err().and_then(|wrong| wrong.suggestion);
        assert_eq!(meant("2024-01-01").as_deref(), Some("2024-01-01T00:00:00Z"));
        assert_eq!(meant("2024-01-01 10:00:00").as_deref(), Some("2024-01-01T10:00:00Z"));
        assert_eq!(meant("tomorrow"), None);
    }
}
