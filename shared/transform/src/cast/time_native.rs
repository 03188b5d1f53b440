//! To dates and times from Arrow's own: mostly nothing to do but to check
//! that the values lie in the range of ClickHouse's type.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{DataType, Date32Type, Int64Type, TimeUnit};
use arrow::error::ArrowError;

use super::time_rules::TimeRules;
use super::times::{TimeShape, built, per_second};
use super::{Bad, Casted, Fault};

/// `None` when the column must take the way through its text.
pub(super) fn native(
    array: &ArrayRef,
    shape: TimeShape,
    rules: &TimeRules,
    data_type: &DataType,
) -> Result<Option<Casted>, ArrowError> {
    let is_date = matches!(shape, TimeShape::Date | TimeShape::Date32);
    Ok(Some(match array.data_type() {
        DataType::Date32 if is_date => dates(array, shape),
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>();
            each(days, data_type, |days| {
                shape.of_instant(rules.utc_of(i64::from(days) * 86_400)?, 0)
            })
        }
        // The date that a zone's clock showed: through the text, which shows it.
        DataType::Timestamp(_, Some(zone)) if is_date && !is_utc(zone) => return Ok(None),
        DataType::Timestamp(unit, zone) => {
            let ticks = cast(array, &DataType::Int64)?;
            let ticks = ticks.as_primitive::<Int64Type>();
            // A time without a zone is what a clock showed in the document's.
            let known = zone.is_some() || is_date || rules.is_utc();
            match held_as_is(ticks, *unit, known, shape, data_type) {
                Some(casted) => casted,
                None => instants(ticks, *unit, known, shape, rules, data_type),
            }
        }
        number if number.is_integer() => {
            let Some(power) = rules.only_unix() else { return Ok(None) };
            // `u64` above `i64` are beyond every date: NULL there, and bad below.
            let wide = cast(array, &DataType::Int64)?;
            let mut casted = unix(wide.as_primitive::<Int64Type>(), power, shape, rules, data_type);
            if wide.null_count() != array.null_count() {
                casted.bad.extend(super::plain::lost(array, &wide, &Fault::Range));
                casted.bad.sort_by_key(|bad| bad.row);
            }
            casted
        }
        _ => return Ok(None),
    }))
}

/// Dates, which stay as they are.
fn dates(array: &ArrayRef, shape: TimeShape) -> Casted {
    let days = array.as_primitive::<Date32Type>();
    let inside = |day: Option<i32>| day.is_none_or(|day| shape.of_days(i64::from(day)).is_ok());
    let bad = if inside(min(days)) && inside(max(days)) {
        Vec::new()
    } else {
        (0..days.len())
            .filter(|&row| days.is_valid(row) && !inside(Some(days.value(row))))
            .map(|row| Bad { row, fault: Fault::Range })
            .collect()
    };
    Casted { array: Arc::clone(array), bad }
}

/// The same ticks under another zone, when all of them fit as they are.
fn held_as_is(
    ticks: &PrimitiveArray<Int64Type>,
    unit: TimeUnit,
    known: bool,
    shape: TimeShape,
    data_type: &DataType,
) -> Option<Casted> {
    let DataType::Timestamp(own, _) = data_type else { return None };
    let whole = match shape {
        TimeShape::Seconds => true,
        TimeShape::Ticks { precision, .. } => precision % 3 == 0,
        TimeShape::Date | TimeShape::Date32 => false,
    };
    let (first, last) = shape.bounds(unit);
    let fit = known
        && *own == unit
        && whole
        && min(ticks).is_none_or(|tick| tick >= first)
        && max(ticks).is_none_or(|tick| tick <= last);
    // Shares the values: nothing is copied.
    fit.then(|| {
        let made =
            ticks.clone().into_data().into_builder().data_type(data_type.clone()).build().ok()?;
        Some(Casted { array: arrow::array::make_array(made), bad: Vec::new() })
    })?
}

fn instants(
    ticks: &PrimitiveArray<Int64Type>,
    unit: TimeUnit,
    known: bool,
    shape: TimeShape,
    rules: &TimeRules,
    data_type: &DataType,
) -> Casted {
    let per_second = per_second(unit);
    each(ticks, data_type, |tick| {
        let (seconds, nanoseconds) = split(tick, per_second);
        let seconds = if known { seconds } else { rules.utc_of(seconds)? };
        shape.of_instant(seconds, nanoseconds)
    })
}

/// Numbers since 1970, ten to `power` of them a second.
fn unix(
    numbers: &PrimitiveArray<Int64Type>,
    power: u32,
    shape: TimeShape,
    rules: &TimeRules,
    data_type: &DataType,
) -> Casted {
    let unit = match power {
        0 => TimeUnit::Second,
        3 => TimeUnit::Millisecond,
        6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    };
    held_as_is(numbers, unit, true, shape, data_type)
        .unwrap_or_else(|| instants(numbers, unit, true, shape, rules, data_type))
}

/// Whole seconds, and the nanoseconds after them.
fn split(tick: i64, per_second: i64) -> (i64, u32) {
    let rest = tick.rem_euclid(per_second) * (1_000_000_000 / per_second);
    // Less than a billion.
    (tick.div_euclid(per_second), u32::try_from(rest).unwrap_or_default())
}

/// Value by value; NULL rows get 0.
fn each<T: arrow::datatypes::ArrowPrimitiveType>(
    source: &PrimitiveArray<T>,
    data_type: &DataType,
    mut make: impl FnMut(T::Native) -> Result<i64, Fault>,
) -> Casted {
    let mut bad = Vec::new();
    let values = source
        .values()
        .iter()
        .enumerate()
        .map(|(row, value)| {
            if source.is_null(row) {
                return 0;
            }
            make(*value).unwrap_or_else(|fault| {
                bad.push(Bad { row, fault });
                0
            })
        })
        .collect();
    built(values, source.nulls().cloned(), bad, data_type)
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Z" | "+00:00" | "Etc/UTC")
}
