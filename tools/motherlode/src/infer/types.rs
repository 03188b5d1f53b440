//! Which type each field gets, and why: a pure decision over its profile.

use std::collections::BTreeSet;

use model::ColumnType;
use model::document::Format;

use super::names::{Names, snake_case};
use super::profile::Profile;
use super::sample::{Field, Sample};

/// Most different values of a column that is stored as a dictionary.
const DICTIONARY: u64 = 1_000;

/// One column of the proposal.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Where it comes from.
    pub path: Vec<String>,
    /// Its name in the table.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// The format of its dates and times, if it is not ISO 8601.
    pub format: Option<String>,
    /// Words of the file that mean NULL here.
    pub markers: Vec<String>,
    /// Why.
    pub reasons: Vec<String>,
    /// How many different values it has.
    pub distinct: u64,
    /// The first and the last year of its times, where they are known.
    pub years: Option<(i32, i32)>,
}

/// A type without NULLs, the format of its texts, and why.
struct Bare {
    column_type: ColumnType,
    format: Option<String>,
    reasons: Vec<String>,
    /// The widest integers that the file can have, where it says so.
    most_bits: u16,
}

/// Bits of the widest integers.
const ANY_BITS: u16 = 256;

/// The columns for a sample, in its order.
#[must_use]
pub fn columns(sample: &Sample) -> Vec<Chosen> {
    let bare: Vec<Bare> = sample.fields.iter().map(|field| bare(field, &sample.format)).collect();
    // What means NULL in one column means NULL in all of them: a document has
    // one list.
    let markers: BTreeSet<&String> = sample
        .fields
        .iter()
        .zip(&bare)
        .filter(|(field, bare)| field.profile.values > 0 && bare.column_type != ColumnType::String)
        .flat_map(|(field, _)| field.profile.markers.keys())
        .collect();
    let mut names = Names::default();
    let fields = sample.fields.iter().zip(bare);
    fields
        .map(|(field, bare)| {
            let marked: Vec<String> = field
                .profile
                .markers
                .keys()
                .filter(|word| markers.contains(word))
                .cloned()
                .collect();
            let name = names.own(&snake_case(&field.path.join("_")));
            finish(field, bare, name, marked, sample)
        })
        .collect()
}

/// Below so many values it cannot be told that they are all different.
const IDENTITY_FROM: u64 = 100;

/// Adds what NULLs and few different values make of a type.
fn finish(
    field: &Field,
    bare: Bare,
    name: String,
    markers: Vec<String>,
    sample: &Sample,
) -> Chosen {
    let profile = &field.profile;
    let Bare { mut column_type, format, mut reasons, most_bits } = bare;
    let distinct = profile.distinct();
    if column_type == ColumnType::String
        && profile.values > 0
        && profile.lists + profile.objects == 0
        && distinct <= DICTIONARY
        && distinct.saturating_mul(10) <= sample.rows
    {
        let values =
            if distinct == 1 { "the same value" } else { &format!("{distinct} different values") };
        reasons.push(format!("{values} in {} rows: a dictionary", sample.rows));
        column_type = ColumnType::LowCardinality(Box::new(column_type));
    }
    // The rows behind a sample count on: the smallest type would refuse them.
    if profile.values >= IDENTITY_FROM && distinct.saturating_mul(10) >= profile.values * 9 {
        let wide = match column_type {
            ColumnType::UInt(8..=32) => Some(ColumnType::UInt(most_bits.min(64))),
            ColumnType::Int(8..=32) => Some(ColumnType::Int(most_bits.min(64))),
            _ => None,
        };
        if let Some(wide) = wide.filter(|wide| *wide != column_type) {
            reasons.push("nearly all are different: an identity, which grows".to_owned());
            column_type = wide;
        }
    }
    let is_text = matches!(column_type.bare(), ColumnType::String);
    if !markers.is_empty() {
        reasons.push(format!(
            "{} means NULL",
            markers.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        ));
    }
    let empty_is_text = is_text && profile.values > 0 && matches!(sample.format, Format::Csv(_));
    if !markers.is_empty()
        || (profile.nulls > 0 && !empty_is_text)
        || profile.values + profile.marked() == 0
    {
        if profile.nulls > 0 {
            reasons.push(format!("{} of {} rows have none", profile.nulls, sample.rows));
        }
        match column_type {
            ColumnType::Array(_) | ColumnType::Tuple(_) | ColumnType::Map(..) => {
                reasons.push(format!("{column_type} takes no NULL: kept as JSON text"));
                column_type = nullable(ColumnType::String);
            }
            other => column_type = nullable(other),
        }
    } else if profile.nulls > 0 {
        reasons.push(format!("{} empty fields stay empty texts", profile.nulls));
    }
    let years = profile.moments.years.or_else(|| unix_years(profile.range?, format.as_deref()?));
    let path = field.path.clone();
    Chosen { path, name, column_type, format, markers, reasons, distinct, years }
}

impl Chosen {
    /// Makes a text of a column whose type refuses a value of the file; false
    /// when it is one already that takes everything.
    pub fn becomes_text(&mut self, reason: &str) -> bool {
        let text = nullable(ColumnType::String);
        if self.column_type == text {
            return false;
        }
        self.reasons =
            vec![format!("kept as text, because not all fit {}: {reason}", self.column_type)];
        self.column_type = text;
        self.format = None;
        self.years = None;
        true
    }
}

fn nullable(column_type: ColumnType) -> ColumnType {
    match column_type {
        ColumnType::LowCardinality(inner) => ColumnType::LowCardinality(Box::new(nullable(*inner))),
        ColumnType::Nullable(_) => column_type,
        other => ColumnType::Nullable(Box::new(other)),
    }
}

fn bare(field: &Field, format: &Format) -> Bare {
    let name = field.path.last().map(String::as_str).unwrap_or_default();
    if let Some((column_type, reason)) = &field.stated {
        return stated(column_type, reason, &field.profile, name);
    }
    of_profile(&field.profile, name, matches!(format, Format::Csv(_)))
}

/// The type that the file states; of whole numbers, which many a writer makes as wide
/// as it can, the smallest that holds them.
fn stated(column_type: &ColumnType, reason: &str, profile: &Profile, name: &str) -> Bare {
    let own = Bare::new(column_type.clone(), reason);
    let (ColumnType::Int(bits @ ..=64) | ColumnType::UInt(bits @ ..=64)) = *column_type else {
        return own;
    };
    let own = Bare { most_bits: bits, ..own };
    let Some(range) = profile.range else { return own };
    let mut small = integers(range, name);
    // Unsigned where nothing is negative: it may have one bit more than was stated.
    if matches!(small.column_type, ColumnType::Int(some) | ColumnType::UInt(some) if some >= bits) {
        return own;
    }
    small.reasons.insert(0, reason.to_owned());
    Bare { most_bits: bits, ..small }
}

impl Bare {
    fn new(column_type: ColumnType, reason: impl Into<String>) -> Self {
        Self { column_type, format: None, reasons: vec![reason.into()], most_bits: ANY_BITS }
    }
}

fn of_profile(profile: &Profile, name: &str, is_csv: bool) -> Bare {
    let because = |column_type, reason: &str| Bare::new(column_type, reason);
    let text = |reason: &str| because(ColumnType::String, reason);
    let all = |count: u64| count == profile.values;
    if profile.values == 0 {
        return text("no value in the sample: check the type");
    }
    if profile.is_padded {
        return text("leading zeros, which a number would lose");
    }
    if profile.digits > 0 && all(profile.integers + profile.floats) {
        return large_integers(profile);
    }
    if all(profile.integers) {
        return profile.range.map_or_else(|| text("text"), |range| integers(range, name));
    }
    if all(profile.integers + profile.floats) {
        if !profile.fits_floats() {
            return text(
                "whole numbers beyond 53 bits beside fractions: no number type holds both",
            );
        }
        return money(profile, name)
            .unwrap_or_else(|| because(ColumnType::Float(64), "numbers with fractions"));
    }
    if all(profile.booleans) {
        return because(ColumnType::Bool, "truth values");
    }
    if all(profile.texts) {
        if all(profile.uuids) {
            return because(ColumnType::Uuid, "every value is a UUID");
        }
        if all(profile.ipv4) {
            return because(ColumnType::Ipv4, "every value is an IPv4 address");
        }
        if all(profile.ipv6) {
            return because(ColumnType::Ipv6, "every value is an IPv6 address");
        }
        return times(profile).unwrap_or_else(|| text("text"));
    }
    if all(profile.lists)
        && let Some(element) = &profile.element
    {
        return lists(element, name);
    }
    if profile.lists + profile.objects > 0 {
        return text("objects or arrays that differ: kept as JSON text");
    }
    let kinds = if is_csv { "numbers and texts" } else { "values of different types" };
    text(&format!("{kinds} are mixed"))
}

/// The smallest type that holds twice what was seen.
fn integers((low, high): (i128, i128), name: &str) -> Bare {
    if let Some(bare) = unix_times((low, high), name) {
        return bare;
    }
    let reason = format!("{low} to {high}, with headroom");
    let chosen = if low >= 0 {
        let holds = |bits: &u16, factor: i128| high.saturating_mul(factor) < 1_i128 << bits;
        let bits = [8, 16, 32, 64].into_iter();
        bits.clone()
            .find(|bits| holds(bits, 2))
            .or_else(|| bits.clone().find(|bits| holds(bits, 1)))
            .map(ColumnType::UInt)
    } else {
        let holds = |bits: &u16, factor: i128| {
            let limit = 1_i128 << (bits - 1);
            low.saturating_mul(factor) >= -limit && high.saturating_mul(factor) < limit
        };
        let bits = [8, 16, 32, 64].into_iter();
        bits.clone()
            .find(|bits| holds(bits, 2))
            .or_else(|| bits.clone().find(|bits| holds(bits, 1)))
            .map(ColumnType::Int)
    };
    let column_type = chosen.unwrap_or(match low >= 0 {
        true => ColumnType::UInt(128),
        false => ColumnType::Int(128),
    });
    Bare::new(column_type, reason)
}

/// Numbers that are money by their name, and have as many decimals as money has: a sum
/// of them is exact.
fn money(profile: &Profile, name: &str) -> Option<Bare> {
    const WORDS: &[&str] = &[
        "amount", "balance", "budget", "cost", "discount", "fare", "fee", "payment", "price",
        "revenue", "salary", "subtotal", "tax", "tip",
    ];
    const CURRENCIES: &[&str] = &["usd", "eur", "gbp", "chf", "jpy", "cny", "inr"];
    /// Digits before the point: Decimal(18, 4) holds two more.
    const MOST_DIGITS: u32 = 12;
    let name = snake_case(name);
    // `tax_rate` is a rate: the last word says what it is.
    let last = name.split('_').rfind(|word| !CURRENCIES.contains(word))?;
    let scale = profile.scale.filter(|scale| *scale <= 4)?;
    let limit = 10_i128.pow(MOST_DIGITS);
    let is_small = profile.whole_digits <= MOST_DIGITS as usize
        && profile.range.is_none_or(|(low, high)| low > -limit && high < limit);
    (WORDS.contains(&last) && is_small).then(|| {
        let digits = if scale <= 2 { 2 } else { 4 };
        let reason = format!(
            "money by its name, with at most {scale} decimals: exact, and more than {digits} are refused"
        );
        Bare::new(ColumnType::Decimal(18, digits), reason)
    })
}

/// Integers of which some are beyond 127 bits: 256 bits hold 76 digits.
fn large_integers(profile: &Profile) -> Bare {
    let is_negative = profile.is_below || profile.range.is_some_and(|(low, _)| low < 0);
    let (column_type, reason) = match profile.digits {
        _ if profile.floats > 0 => (
            ColumnType::String,
            "whole numbers beyond 127 bits beside fractions: no number type holds both",
        ),
        ..=76 if is_negative => (ColumnType::Int(256), "whole numbers beyond 127 bits"),
        ..=76 => (ColumnType::UInt(256), "whole numbers beyond 127 bits"),
        _ => (ColumnType::String, "whole numbers of more than 76 digits"),
    };
    Bare::new(column_type, reason)
}

/// Numbers that count from 1970, by their name and size together.
fn unix_times((low, high): (i128, i128), name: &str) -> Option<Bare> {
    const FROM: i128 = 946_684_800; // 2000-01-01
    const TO: i128 = 4_102_444_800; // 2100-01-01
    let name = snake_case(name);
    let is_named =
        ["time", "timestamp", "ts", "at", "created", "updated", "epoch", "date", "datetime"]
            .iter()
            .any(|word| name == *word || name.ends_with(&format!("_{word}")));
    let units = [
        ("unix", 1, None),
        ("unix_ms", 1_000, Some(3)),
        ("unix_us", 1_000_000, Some(6)),
        ("unix_ns", 1_000_000_000, Some(9)),
    ];
    let (format, _, digits) =
        units.into_iter().find(|(_, unit, _)| low >= FROM * unit && high < TO * unit)?;
    is_named.then(|| {
        let utc = Some("UTC".to_owned());
        let column_type = digits.map_or(ColumnType::DateTime(utc.clone()), |digits| {
            ColumnType::DateTime64(digits, utc)
        });
        let reason = format!("{low} to {high} and the name say: a time since 1970 ({format})");
        Bare { format: Some(format.to_owned()), ..Bare::new(column_type, reason) }
    })
}

/// The years of numbers since 1970.
fn unix_years((low, high): (i128, i128), format: &str) -> Option<(i32, i32)> {
    const YEAR_SECONDS: i128 = 31_556_952;
    let unit = match format {
        "unix" => 1,
        "unix_ms" => 1_000,
        "unix_us" => 1_000_000,
        "unix_ns" => 1_000_000_000,
        _ => return None,
    };
    let year = |number: i128| i32::try_from(1970 + number / (YEAR_SECONDS * unit)).ok();
    Some((year(low)?, year(high)?))
}

/// Dates and times, when every text is one.
fn times(profile: &Profile) -> Option<Bare> {
    let form = profile.moments.form()?;
    let (first, last) = profile.moments.years?;
    let utc = || Some("UTC".to_owned());
    let within = |low: i32, high: i32| low <= first && last <= high;
    let column_type = match (form.has_time, form.digits) {
        (false, _) if within(1970, 2148) => ColumnType::Date,
        (false, _) if within(1900, 2299) => ColumnType::Date32,
        (true, 0) if within(1970, 2105) => ColumnType::DateTime(utc()),
        (true, 0) if within(1900, 2299) => ColumnType::DateTime64(0, utc()),
        (true, 1..=3) if within(1900, 2299) => ColumnType::DateTime64(3, utc()),
        (true, 4..=6) if within(1900, 2299) => ColumnType::DateTime64(6, utc()),
        (true, 7..=9) if within(1900, 2261) => ColumnType::DateTime64(9, utc()),
        _ => return None,
    };
    let what = if form.has_time { "times" } else { "dates" };
    let written = form.format.map_or("ISO 8601".to_owned(), |format| format!("`{format}`"));
    let mut reasons = vec![format!("{what} from {first} to {last}, written as {written}")];
    if let Some(rival) = form.rival {
        reasons.push(format!("`{rival}` fits too: CHECK which one is meant"));
    }
    if form.has_time
        && !profile.moments.has_offset
        && !form.format.is_some_and(|format| format.contains("%z"))
    {
        reasons
            .push("the texts name no zone and are read as UTC; else set timestamp.zone".to_owned());
    }
    let format = form.format.map(str::to_owned);
    Some(Bare { column_type, format, reasons, most_bits: ANY_BITS })
}

fn lists(element: &Profile, name: &str) -> Bare {
    let inner = of_profile(element, name, false);
    let mixed =
        element.objects > 0 || inner.format.is_some() || (element.values == 0 && element.nulls > 0);
    if mixed || (inner.column_type == ColumnType::String && element.texts != element.values) {
        return Bare::new(ColumnType::String, "arrays of different things: kept as JSON text");
    }
    let mut reasons = vec!["arrays".to_owned()];
    reasons.extend(inner.reasons);
    if element.nulls > 0 && matches!(inner.column_type, ColumnType::Array(_)) {
        return Bare::new(
            ColumnType::String,
            "NULL among arrays, which take none: kept as JSON text",
        );
    }
    let column_type =
        if element.nulls > 0 { nullable(inner.column_type) } else { inner.column_type };
    let column_type = ColumnType::Array(Box::new(column_type));
    Bare { column_type, format: None, reasons, most_bits: ANY_BITS }
}
