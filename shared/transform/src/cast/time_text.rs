//! Dates and times written by ISO 8601, read without allocating: they are the
//! most common texts after numbers, and chrono's reader costs several times
//! as much.

/// What a calendar and a clock showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    /// Days since 1970-01-01.
    pub days: i64,
    /// Seconds since midnight.
    pub seconds: u32,
    /// Nanoseconds after that second.
    pub nanoseconds: u32,
    /// Seconds by which that clock was ahead of UTC, if the text says so.
    pub offset: Option<i32>,
}

/// `2026-01-31`, then nothing or `T` or a space and `12:00[:00[.123]]`, then
/// nothing or `Z`, `+02`, `+0200` or `+02:00`. Digits of a second beyond nine
/// are cut off.
pub(super) fn parse_iso(text: &str) -> Option<Civil> {
    let mut rest = text.as_bytes();
    let year = digits(&mut rest, 4)?;
    symbol(&mut rest, b'-')?;
    let month = digits(&mut rest, 2)?;
    symbol(&mut rest, b'-')?;
    let day = digits(&mut rest, 2)?;
    if !(1..=12).contains(&month) || day == 0 || day > days_of(year, month) {
        return None;
    }
    let mut civil = Civil {
        days: civil_days(i64::from(year), month, day),
        seconds: 0,
        nanoseconds: 0,
        offset: None,
    };
    match rest {
        [] => return Some(civil),
        [b'T' | b't' | b' ', after @ ..] => rest = after,
        _ => return None,
    }
    let hour = digits(&mut rest, 2)?;
    symbol(&mut rest, b':')?;
    let minute = digits(&mut rest, 2)?;
    let mut second = 0;
    if symbol(&mut rest, b':').is_some() {
        second = digits(&mut rest, 2)?;
        if let [b'.' | b',', after @ ..] = rest {
            rest = after;
            civil.nanoseconds = fraction(&mut rest)?;
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    civil.seconds = hour * 3_600 + minute * 60 + second;
    if let [b' ', b'Z' | b'z' | b'+' | b'-', ..] = rest {
        rest = &rest[1..];
    }
    civil.offset = offset(rest)?;
    Some(civil)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, by the count of
/// days in eras of 400 years that begin in March.
pub(super) const fn civil_days(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month as i64 + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day as i64 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn days_of(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// The outer `None`: no offset's form. The inner: no offset.
fn offset(mut rest: &[u8]) -> Option<Option<i32>> {
    let sign = match rest {
        [] => return Some(None),
        [b'Z' | b'z'] => return Some(Some(0)),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    rest = &rest[1..];
    let hours = digits(&mut rest, 2)?;
    let mut minutes = 0;
    if !rest.is_empty() {
        // With or without the colon.
        let _ = symbol(&mut rest, b':');
        minutes = digits(&mut rest, 2)?;
    }
    let seconds = i32::try_from(hours * 3_600 + minutes * 60).ok()?;
    (rest.is_empty() && hours <= 23 && minutes <= 59).then_some(Some(sign * seconds))
}

fn digits(rest: &mut &[u8], count: usize) -> Option<u32> {
    let (head, tail) = rest.split_at_checked(count)?;
    let mut value = 0;
    for byte in head {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u32::from(digit);
    }
    *rest = tail;
    Some(value)
}

/// At least one digit after the point; the first nine count.
fn fraction(rest: &mut &[u8]) -> Option<u32> {
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let (head, tail) = rest.split_at(count);
    *rest = tail;
    let mut value = 0;
    for place in 0..9 {
        value = value * 10 + head.get(place).map_or(0, |byte| u32::from(byte - b'0'));
    }
    Some(value)
}

fn symbol(rest: &mut &[u8], byte: u8) -> Option<()> {
    let after = rest.strip_prefix(&[byte])?;
    *rest = after;
    Some(())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate};
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2026-02-29")]
    #[case("2026-13-01")]
    #[case("2026-00-01")]
    #[case("2026-1-1")]
    #[case("26-01-01")]
    #[case("20260101")]
    #[case("2026-01-01T")]
    #[case("2026-01-01T24:00:00")]
    #[case("2026-01-01T12")]
    #[case("2026-01-01 12:00:60")]
    #[case("2026-01-01 12:00:00.")]
    #[case("2026-01-01 12:00:00+2")]
    #[case("2026-01-01 12:00:00 ")]
    #[case("2026-01-01 12:00:00 UTC")]
    #[case("2026-01-01Z")]
    #[case("１２３４-01-01")]
    fn other_forms_are_none(#[case] text: &str) {
        assert_eq!(parse_iso(text), None);
    }

    proptest! {
        #[test]
        fn days_are_those_of_chrono(year in 0_i32..9_999, ordinal in 1_u32..=365) {
            use chrono::Datelike;
            let date = NaiveDate::from_yo_opt(year, ordinal).unwrap();
            let days = i64::from(date.num_days_from_ce() - 719_163);
            prop_assert_eq!(civil_days(i64::from(year), date.month(), date.day()), days);
            prop_assert_eq!(parse_iso(&date.to_string()).unwrap().days, days);
        }

        #[test]
        fn instants_are_those_of_chrono(seconds in -5_000_000_000_i64..20_000_000_000, nanoseconds in 0_u32..1_000_000_000, minutes in -1_439_i32..1_439) {
            let zone = chrono::FixedOffset::east_opt(minutes * 60).unwrap();
            let text = DateTime::from_timestamp(seconds, nanoseconds).unwrap().with_timezone(&zone).to_rfc3339();
            let civil = parse_iso(&text).unwrap();
            let found = civil.days * 86_400 + i64::from(civil.seconds) - i64::from(civil.offset.unwrap());
            prop_assert_eq!((found, civil.nanoseconds), (seconds, nanoseconds));
        }

        #[test]
        fn what_iso_takes_chrono_takes(text in "[0-9]{4}-[0-1][0-9]-[0-3][0-9]") {
            let chrono = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok();
            prop_assert_eq!(parse_iso(&text).is_some(), chrono.is_some());
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}") {
            let _ = parse_iso(&text);
        }
    }
}
