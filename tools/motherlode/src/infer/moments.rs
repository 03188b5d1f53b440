//! Which dates and times the texts of a field are, and by which format: only
//! those that the loader reads are proposed.

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{Datelike as _, NaiveDate};

/// Formats that are tried when the texts are not ISO 8601. Of two that fit the
/// same texts the first is proposed, and the other is named.
const DATES: &[&str] = &[
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%b %d %Y",
    "%b %d, %Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d.%m.%y",
    "%d-%b-%y",
];
/// The same with a time of day.
const TIMES: &[&str] = &[
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y %I:%M:%S %p",
    "%d/%b/%Y:%H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a %b %d %H:%M:%S %Y",
    "%b %d %Y %H:%M:%S",
];

/// What the texts of a field are as dates and times.
#[derive(Debug)]
pub struct Moments {
    /// Texts that were looked at.
    texts: u64,
    /// Texts of them that are ISO 8601.
    iso: u64,
    /// Whether one of these has a time of day.
    iso_has_time: bool,
    /// Most digits of a fraction of a second.
    digits: u8,
    /// Whether one names its offset from UTC.
    pub has_offset: bool,
    /// The other formats that fit every text so far.
    formats: Vec<&'static str>,
    /// The first and the last year.
    pub years: Option<(i32, i32)>,
}

/// The form that all texts have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The format; none for ISO 8601.
    pub format: Option<&'static str>,
    /// Whether there is a time of day.
    pub has_time: bool,
    /// Digits of a fraction of a second.
    pub digits: u8,
    /// Another format that fits them too and means something else.
    pub rival: Option<&'static str>,
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            texts: 0,
            iso: 0,
            iso_has_time: false,
            digits: 0,
            has_offset: false,
            formats: DATES.iter().chain(TIMES).copied().collect(),
            years: None,
        }
    }
}

impl Moments {
    /// Looks at one more text.
    pub fn take(&mut self, text: &str) {
        self.texts += 1;
        let text = text.trim_ascii();
        if let Some(iso) = iso(text) {
            self.iso += 1;
            self.iso_has_time |= iso.has_time;
            self.has_offset |= iso.has_offset;
            self.digits = self.digits.max(iso.digits);
            self.year(iso.year);
        }
        // What is too long, or has no digit, is no date: most texts end here.
        if text.len() > 40 || !text.bytes().any(|byte| byte.is_ascii_digit()) {
            self.formats.clear();
        }
        let mut year = None;
        self.formats.retain(|format| match year_of(text, format) {
            Some(found) => {
                year = year.or(Some(found));
                true
            }
            None => false,
        });
        if let Some(year) = year {
            self.year(year);
        }
    }

    /// The form of all texts, if they have one.
    #[must_use]
    pub fn form(&self) -> Option<Form> {
        if self.texts == 0 {
            return None;
        }
        if self.iso == self.texts {
            return Some(Form {
                format: None,
                has_time: self.iso_has_time,
                digits: self.digits,
                rival: None,
            });
        }
        let format = *self.formats.first()?;
        let has_time = TIMES.contains(&format);
        Some(Form {
            format: Some(format),
            has_time,
            digits: 0,
            rival: self.formats.get(1).copied(),
        })
    }

    fn year(&mut self, year: i32) {
        self.years =
            Some(self.years.map_or((year, year), |(low, high)| (low.min(year), high.max(year))));
    }
}

/// The year of a text that has this format.
fn year_of(text: &str, format: &str) -> Option<i32> {
    let mut parsed = Parsed::new();
    let items: Vec<Item<'_>> = StrftimeItems::new(format).collect();
    parse(&mut parsed, text, items.iter()).ok()?;
    let year = parsed.to_naive_date().ok()?.year();
    // `%Y` takes two digits for the year they are: nobody means the year 98.
    (1000..=9999).contains(&year).then_some(year)
}

struct Iso {
    year: i32,
    has_time: bool,
    has_offset: bool,
    digits: u8,
}

/// `2026-01-31`, then nothing or `T12:00[:00[.123]]`, then nothing or an offset.
fn iso(text: &str) -> Option<Iso> {
    let (date, rest) = text.split_at_checked(10)?;
    let (year, month, day) =
        (number(date.get(..4)?)?, number(date.get(5..7)?)?, number(date.get(8..)?)?);
    if date.as_bytes()[4] != b'-' || date.as_bytes()[7] != b'-' {
        return None;
    }
    NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?;
    if rest.is_empty() {
        return Some(Iso { year, has_time: false, has_offset: false, digits: 0 });
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let end = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, offset) = rest.split_at(end);
    let (clock, fraction) =
        clock.trim_end().split_once(['.', ',']).unwrap_or((clock.trim_end(), ""));
    let parts: Vec<i32> = clock
        .split(':')
        .map(|part| (part.len() == 2).then(|| number(part)).flatten())
        .collect::<Option<_>>()?;
    let in_day = match parts.as_slice() {
        [hour, minute] if fraction.is_empty() => *hour < 24 && *minute < 60,
        [hour, minute, second] => *hour < 24 && *minute < 60 && *second < 60,
        _ => false,
    };
    let digits = u8::try_from(fraction.len()).ok()?;
    let is_offset = offset.is_empty()
        || offset.eq_ignore_ascii_case("z")
        || (matches!(offset.len(), 3 | 5 | 6)
            && offset.bytes().skip(1).all(|byte| byte.is_ascii_digit() || byte == b':'));
    (in_day && is_offset && fraction.bytes().all(|byte| byte.is_ascii_digit())).then_some(Iso {
        year,
        has_time: true,
        has_offset: !offset.is_empty(),
        digits,
    })
}

fn number(text: &str) -> Option<i32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn form(texts: &[&str]) -> Option<Form> {
        let mut moments = Moments::default();
        for text in texts {
            moments.take(text);
        }
        moments.form()
    }

    #[rstest]
    #[case(&["2026-01-31", "1970-01-01"], None, false, 0)]
    #[case(&["2026-01-31T12:00:00", "2026-01-31"], None, true, 0)]
    #[case(&["2026-01-31 12:00:00.123456+02:00"], None, true, 6)]
    #[case(&["2026-01-31T12:00Z"], None, true, 0)]
    #[case(&["31.12.2026"], Some("%d.%m.%Y"), false, 0)]
    #[case(&["12/31/2026"], Some("%m/%d/%Y"), false, 0)]
    #[case(&["01/02/2026", "31/12/2026"], Some("%d/%m/%Y"), false, 0)]
    #[case(&["Jan 1 2000", "Feb 1 2000"], Some("%b %d %Y"), false, 0)]
    #[case(&["12/31/98"], Some("%m/%d/%y"), false, 0)]
    #[case(&["2015/01/01 01:00:00"], Some("%Y/%m/%d %H:%M:%S"), true, 0)]
    #[case(&["2001/01/14 21:55"], Some("%Y/%m/%d %H:%M"), true, 0)]
    fn forms_are_found(
        #[case] texts: &[&str],
        #[case] format: Option<&str>,
        #[case] has_time: bool,
        #[case] digits: u8,
    ) {
        let found = form(texts).unwrap();
        assert_eq!((found.format, found.has_time, found.digits), (format, has_time, digits));
    }

    #[rstest]
    #[case(&["2026-02-30"])]
    #[case(&["2026-01-31T25:00"])]
    #[case(&["2026-01-31x"])]
    #[case(&["2026-01-31", "soon"])]
    #[case(&["hello 1"])]
    #[case(&["äääääääää"])]
    #[case(&[])]
    fn other_texts_have_no_form(#[case] texts: &[&str]) {
        assert_eq!(form(texts), None);
    }

    #[test]
    fn a_rival_format_is_named() {
        assert_eq!(form(&["01/02/2026"]).unwrap().rival, Some("%d/%m/%Y"));
        assert_eq!(form(&["01/13/2026"]).unwrap().rival, None);
    }
}
