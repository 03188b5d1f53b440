//! What the values of one field have in common, summed up as they come.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::moments::Moments;

/// Words that mean "no value" where a column otherwise holds numbers or times.
const MARKERS: &[&str] =
    &["NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "nan", "\\N", "-", "?"];

/// What the values of one field have in common.
#[derive(Debug, Default)]
pub struct Profile {
    /// Values that are there.
    pub values: u64,
    /// Integers among them.
    pub integers: u64,
    /// Other numbers.
    pub floats: u64,
    /// Booleans.
    pub booleans: u64,
    /// Texts that are none of these.
    pub texts: u64,
    /// Arrays.
    pub lists: u64,
    /// Objects.
    pub objects: u64,
    /// NULLs that were written or left out, and empty fields.
    pub nulls: u64,
    /// Words that may mean NULL, and how often they stand there. They are not
    /// among `values`.
    pub markers: BTreeMap<String, u64>,
    /// The smallest and the largest integer, but for those that are beyond 127 bits.
    pub range: Option<(i128, i128)>,
    /// Most digits of an integer beyond that; 0 when there is none.
    pub digits: usize,
    /// Whether one of those is negative.
    pub is_below: bool,
    /// Whether a number begins with a zero that a number would lose.
    pub is_padded: bool,
    /// Most digits behind the point of a number; none when one has an exponent.
    pub scale: Option<usize>,
    /// Most digits before the point of a number with a fraction.
    pub whole_digits: usize,
    /// UUIDs among the texts.
    pub uuids: u64,
    /// IPv4 addresses among the texts.
    pub ipv4: u64,
    /// IPv6 addresses among the texts.
    pub ipv6: u64,
    /// The dates and times that the texts are.
    pub moments: Moments,
    /// What the elements of arrays have in common.
    pub element: Option<Box<Profile>>,
    seen: HashSet<u64>,
}

impl Profile {
    /// No value: NULL, a missing key, an empty field.
    pub fn null(&mut self) {
        self.nulls += 1;
    }

    /// A boolean.
    pub fn boolean(&mut self, value: bool) {
        self.booleans += 1;
        self.note(&value.to_string());
    }

    /// An integer.
    pub fn integer(&mut self, value: i128) {
        self.integers += 1;
        self.stretch((value, value));
        self.note(&value.to_string());
    }

    /// An integer beyond 127 bits, as it was written.
    pub fn large_integer(&mut self, text: &str) {
        self.integers += 1;
        self.is_below |= text.starts_with('-');
        let digits = text.trim_start_matches(['+', '-']).trim_start_matches('0').len();
        self.digits = self.digits.max(digits);
        self.note(text);
    }

    /// Another number, as it was written.
    pub fn float(&mut self, text: &str) {
        let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let is_plain = !text.contains(['e', 'E']);
        let whole = text.split('.').next().unwrap_or_default().trim_start_matches(['+', '-']);
        self.whole_digits = self.whole_digits.max(whole.len());
        self.scale = match self.scale {
            None if self.floats > 0 => None,
            scale => is_plain.then(|| scale.unwrap_or(0).max(decimals)),
        };
        self.floats += 1;
        self.note(text);
    }

    /// A text that is a text, whatever it looks like, unless it is a time, a UUID or
    /// an address: a quoted value in JSON.
    pub fn text(&mut self, text: &str) {
        self.texts += 1;
        self.uuids += u64::from(is_uuid(text));
        self.ipv4 += u64::from(text.parse::<Ipv4Addr>().is_ok());
        self.ipv6 += u64::from(text.parse::<Ipv6Addr>().is_ok());
        self.moments.take(text);
        self.note(text);
    }

    /// A text that may be anything: a field of CSV.
    pub fn untyped(&mut self, text: &str) {
        let trimmed = text.trim_ascii();
        if text.is_empty() {
            self.null();
        } else if MARKERS.contains(&trimmed) {
            *self.markers.entry(text.to_owned()).or_default() += 1;
        } else if let Some(value) = integer(trimmed) {
            let digits = trimmed.trim_start_matches(['+', '-']);
            self.is_padded |= digits.len() > 1 && digits.starts_with('0');
            self.integer(value);
        } else if is_whole(trimmed) {
            self.is_padded |= trimmed.trim_start_matches(['+', '-']).starts_with('0');
            self.large_integer(trimmed);
        } else if is_float(trimmed) {
            let digits = trimmed.trim_start_matches(['+', '-']).as_bytes();
            self.is_padded |= matches!(digits, [b'0', b'0'..=b'9', ..]);
            self.float(trimmed);
        } else if ["true", "false", "yes", "no"]
            .iter()
            .any(|word| trimmed.eq_ignore_ascii_case(word))
        {
            self.booleans += 1;
            self.note(trimmed);
        } else {
            self.text(text);
        }
    }

    /// An array, whose elements go to [`Profile::element`]. `text` stands for
    /// the whole.
    pub fn list(&mut self, text: &str) {
        self.lists += 1;
        self.note(text);
    }

    /// An object that is not taken apart.
    pub fn object(&mut self) {
        self.objects += 1;
        self.values += 1;
    }

    /// A value of a type that the file states.
    pub fn stated(&mut self, text: &str) {
        self.note(text);
    }

    /// What the file says of integers that were not looked at.
    pub fn stretch(&mut self, (low, high): (i128, i128)) {
        self.range =
            Some(self.range.map_or((low, high), |(l, h): (i128, i128)| (l.min(low), h.max(high))));
    }

    /// Whether a float holds every whole number.
    #[must_use]
    pub fn fits_floats(&self) -> bool {
        const MOST: i128 = 1 << 53;
        self.digits == 0 && self.range.is_none_or(|(low, high)| low >= -MOST && high <= MOST)
    }

    /// How many different values there are, give or take a hash.
    #[must_use]
    pub fn distinct(&self) -> u64 {
        u64::try_from(self.seen.len()).unwrap_or(u64::MAX)
    }

    /// Words that may mean NULL, counted.
    #[must_use]
    pub fn marked(&self) -> u64 {
        self.markers.values().sum()
    }

    fn note(&mut self, text: &str) {
        self.values += 1;
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        self.seen.insert(hasher.finish());
    }
}

/// An integer with an optional sign.
fn integer(text: &str) -> Option<i128> {
    is_whole(text).then(|| text.parse().ok())?
}

/// Digits with an optional sign.
fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number that is no integer. Words such as `inf` are none.
fn is_float(text: &str) -> bool {
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let only = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    has_digit && only && text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("12", "integer")]
    #[case("-7", "integer")]
    #[case(" 7 ", "integer")]
    #[case(".097", "float")]
    #[case("1e5", "float")]
    #[case("1.", "float")]
    #[case("1e999", "text")]
    #[case("inf", "text")]
    #[case("1-2", "text")]
    #[case("TRUE", "boolean")]
    #[case("NA", "marker")]
    #[case("", "null")]
    #[case("a", "text")]
    fn fields_are_told_apart(#[case] text: &str, #[case] kind: &str) {
        let mut profile = Profile::default();
        profile.untyped(text);
        let counts = [
            ("integer", profile.integers),
            ("float", profile.floats),
            ("boolean", profile.booleans),
            ("text", profile.texts),
            ("null", profile.nulls),
            ("marker", profile.marked()),
        ];
        let found: Vec<_> =
            counts.iter().filter(|(_, count)| *count == 1).map(|(kind, _)| *kind).collect();
        assert_eq!(found, [kind]);
    }

    #[rstest]
    #[case(&["1.5", "2.25", "3"], Some(2))]
    #[case(&["1.5", "2e3", "2.25"], None)]
    #[case(&["2e3", "2.25"], None)]
    #[case(&["7"], None)]
    fn digits_behind_the_point_are_counted(
        #[case] texts: &[&str],
        #[case] expected: Option<usize>,
    ) {
        let mut profile = Profile::default();
        texts.iter().for_each(|text| profile.untyped(text));
        assert_eq!(profile.scale, expected);
    }

    #[test]
    fn padding_is_seen() {
        let mut profile = Profile::default();
        for text in ["10", "0", "0.5"] {
            profile.untyped(text);
        }
        assert!(!profile.is_padded);
        profile.untyped("00501");
        assert!(profile.is_padded);
        assert_eq!(profile.distinct(), 4);
    }
}
