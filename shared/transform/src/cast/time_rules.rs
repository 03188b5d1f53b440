//! How a column's texts and numbers become dates and times: the document's
//! `timestamp`, compiled once.

use chrono::format::{Fixed, Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, Datelike, MappedLocalTime, NaiveDate, Offset, TimeZone, Timelike};
use chrono_tz::Tz;
use model::document::Timestamp;

use super::Fault;
use super::decimal::parse_decimal;
use super::time_text::{Civil, civil_days, parse_iso};

/// A date or a time as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// What a calendar and a clock showed, and their distance from UTC if given.
    Civil(Civil),
    /// A point in time: seconds since 1970 and nanoseconds after them.
    Instant(i64, u32),
}

/// The compiled `timestamp` of a column.
#[derive(Debug, Clone)]
pub(crate) struct TimeRules {
    formats: Vec<TimeFormat>,
    zone: Tz,
}

#[derive(Debug, Clone)]
enum TimeFormat {
    /// A number since 1970; ten to this power of them are a second.
    Unix(u32),
    /// `strftime`.
    Items(Vec<Item<'static>>),
}

impl TimeRules {
    /// Compiles a document's rules.
    ///
    /// # Errors
    /// What is wrong with which field, in words.
    pub fn new(timestamp: Option<&Timestamp>) -> Result<Self, String> {
        let Some(timestamp) = timestamp else {
            return Ok(Self { formats: Vec::new(), zone: Tz::UTC });
        };
        let zone = match timestamp.zone.as_deref() {
            None => Tz::UTC,
            Some(name) => name.parse().map_err(|_| {
                format!("timestamp.zone: `{name}` is no zone of the IANA database; write it as `Europe/Berlin`")
            })?,
        };
        let formats = timestamp
            .formats
            .iter()
            .map(|format| TimeFormat::new(format))
            .collect::<Result<_, _>>()?;
        Ok(Self { formats, zone })
    }

    /// The power of ten of `unix…`, when that is the only format.
    pub(super) fn only_unix(&self) -> Option<u32> {
        match self.formats.as_slice() {
            [TimeFormat::Unix(power)] => Some(*power),
            _ => None,
        }
    }

    /// Whether texts and times without a zone mean UTC.
    pub(super) fn is_utc(&self) -> bool {
        self.zone == Tz::UTC
    }

    /// Reads a text by the first format that fits it.
    pub(super) fn read(&self, text: &str) -> Result<Reading, Fault> {
        let text = text.trim_ascii();
        if self.formats.is_empty() {
            return parse_iso(text).map(Reading::Civil).ok_or_else(|| {
                let number = text.len() > 4 && text.parse::<f64>().is_ok();
                if number { Fault::NeedsUnix } else { Fault::Malformed }
            });
        }
        self.formats.iter().find_map(|format| format.read(text)).ok_or(Fault::NoFormat)?
    }

    /// Seconds since 1970 of what a clock showed. Of two times that a clock
    /// showed the same way, the earlier; a time that it skipped is bad.
    pub(super) fn instant(&self, civil: &Civil) -> Result<i64, Fault> {
        let local = civil.days * 86_400 + i64::from(civil.seconds);
        match civil.offset {
            Some(offset) => Ok(local - i64::from(offset)),
            None => self.utc_of(local),
        }
    }

    /// Seconds since 1970 UTC of the seconds that a clock in the zone counted.
    pub(super) fn utc_of(&self, local: i64) -> Result<i64, Fault> {
        if self.is_utc() {
            return Ok(local);
        }
        let naive = DateTime::from_timestamp(local, 0).ok_or(Fault::Range)?.naive_utc();
        match self.zone.offset_from_local_datetime(&naive) {
            MappedLocalTime::Single(offset) => {
                Ok(local - i64::from(offset.fix().local_minus_utc()))
            }
            MappedLocalTime::Ambiguous(one, other) => {
                let (one, other) = (one.fix().local_minus_utc(), other.fix().local_minus_utc());
                Ok(local - i64::from(one.max(other)))
            }
            MappedLocalTime::None => Err(Fault::LocalTime),
        }
    }
}

impl TimeFormat {
    fn new(format: &str) -> Result<Self, String> {
        Ok(match format {
            "unix" => Self::Unix(0),
            "unix_ms" => Self::Unix(3),
            "unix_us" => Self::Unix(6),
            "unix_ns" => Self::Unix(9),
            _ => {
                let items = StrftimeItems::new(format).parse_to_owned().map_err(|_| {
                    format!(
                        "timestamp.formats: `{format}` is no strftime format; write it as `%d.%m.%Y %H:%M`, or use unix, unix_ms, unix_us or unix_ns"
                    )
                })?;
                // chrono reads over a zone's name without looking at it.
                if items.iter().any(|item| matches!(item, Item::Fixed(Fixed::TimezoneName))) {
                    return Err(format!(
                        "timestamp.formats: `{format}`: names of zones (%Z) cannot be read; use %z for offsets, or `timestamp.zone`"
                    ));
                }
                if !items.iter().any(|item| matches!(item, Item::Numeric(..) | Item::Fixed(_))) {
                    return Err(format!(
                        "timestamp.formats: `{format}` reads nothing; write it as `%d.%m.%Y`"
                    ));
                }
                Self::Items(items)
            }
        })
    }

    /// `None` when the text does not have this format.
    fn read(&self, text: &str) -> Option<Result<Reading, Fault>> {
        match self {
            Self::Unix(power) => {
                let digits = 9 - power;
                match parse_decimal(
                    cut(text, usize::try_from(digits).ok()?),
                    i8::try_from(digits).ok()?,
                ) {
                    Ok(nanoseconds) => Some(instant_of(nanoseconds)),
                    Err(Fault::Malformed) => None,
                    Err(fault) => Some(Err(fault)),
                }
            }
            Self::Items(items) => {
                let mut parsed = Parsed::new();
                parse(&mut parsed, text, items.iter()).ok()?;
                reading_of(&mut parsed).map(Ok)
            }
        }
    }
}

/// The number without its digits beyond the nanosecond.
fn cut(text: &str, digits: usize) -> &str {
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => {
            &text[..text.len().min(whole.len() + 1 + digits)]
        }
        _ => text,
    }
}

fn instant_of(nanoseconds: i128) -> Result<Reading, Fault> {
    let seconds = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).map_err(|_| Fault::Range)?;
    let rest = u32::try_from(nanoseconds.rem_euclid(1_000_000_000)).map_err(|_| Fault::Range)?;
    Ok(Reading::Instant(seconds, rest))
}

/// What a format found. Parts that it does not name are the first there are:
/// month and day 1, midnight, the full minute.
fn reading_of(parsed: &mut Parsed) -> Option<Reading> {
    if let Some(seconds) = parsed.timestamp() {
        return Some(Reading::Instant(seconds, parsed.nanosecond().unwrap_or(0)));
    }
    let by_week = parsed.ordinal().is_some()
        || parsed.week_from_mon().is_some()
        || parsed.week_from_sun().is_some()
        || parsed.isoweek().is_some();
    if !by_week && parsed.day().is_none() {
        if parsed.month().is_none() {
            parsed.set_month(1).ok()?;
        }
        parsed.set_day(1).ok()?;
    }
    let date: NaiveDate = parsed.to_naive_date().ok()?;
    let (seconds, nanoseconds) = if parsed.hour_mod_12().is_some() {
        if parsed.minute().is_none() {
            parsed.set_minute(0).ok()?;
        }
        let time = parsed.to_naive_time().ok()?;
        // A leap second has no place in a count of seconds.
        if time.nanosecond() >= 1_000_000_000 {
            return None;
        }
        (time.num_seconds_from_midnight(), time.nanosecond())
    } else {
        (0, 0)
    };
    let days = civil_days(i64::from(date.year()), date.month(), date.day());
    Some(Reading::Civil(Civil { days, seconds, nanoseconds, offset: parsed.offset() }))
}
