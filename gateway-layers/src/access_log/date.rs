//! RFC 3339 dates without a calendar crate.

use std::time::{Duration, SystemTime};

/// Appends a moment as `2026-11-24T08:15:30.250Z`. Moments before 1970 are shown as its first.
pub(super) fn write(out: &mut Vec<u8>, moment: SystemTime) {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    number(out, year, 4);
    out.push(b'-');
    number(out, month, 2);
    out.push(b'-');
    number(out, day, 2);
    out.push(b'T');
    number(out, second / 3600, 2);
    out.push(b':');
    number(out, second / 60 % 60, 2);
    out.push(b':');
    number(out, second % 60, 2);
    out.push(b'.');
    number(out, u64::from(since.subsec_millis()), 3);
    out.push(b'Z');
}

/// Year, month and day of a day counted from 1970 (Howard Hinnant's `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

fn number(out: &mut Vec<u8>, value: u64, digits: usize) {
    let mut text = [b'0'; 4];
    let mut value = value;
    for digit in text[..digits].iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
    out.extend_from_slice(&text[..digits]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(seconds: u64, millis: u64) -> String {
        let mut out = Vec::new();
        write(
            &mut out,
            SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis),
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn knows_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_164_799, "2024-02-28T23:59:59.000Z"),
            (1_795_508_130, "2026-11-24T08:15:30.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(text(seconds, 0), expected);
        }
        assert_eq!(text(1, 42), "1970-01-01T00:00:01.042Z");
    }

    proptest! {
        #[test]
        fn later_moments_have_later_texts(one in 0_u64..8_000_000_000, more in 1_u64..100_000_000) {
            prop_assert!(text(one, 0) < text(one + more, 0));
        }
    }
}
