//! Parquet's intervals: months, days and milliseconds, each in 32 bits.
//! <https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#interval>

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeBinaryArray, StringArray};

/// Bytes of an interval.
pub(crate) const INTERVAL: i32 = 12;

/// The intervals in words of ISO 8601, such as `P1M2DT3.5S`: no number can stand for
/// one, as months differ.
pub(super) fn texts(read: &FixedSizeBinaryArray) -> ArrayRef {
    let text = |row: usize| (!read.is_null(row)).then(|| text(read.value(row)));
    Arc::new((0..read.len()).map(text).collect::<StringArray>())
}

fn text(bytes: &[u8]) -> String {
    let part = |at: usize| {
        let part = bytes.get(at..).and_then(|rest| rest.first_chunk());
        part.map_or(0, |part| u32::from_le_bytes(*part))
    };
    let (months, days, milliseconds) = (part(0), part(4), part(8));
    let mut text = String::from("P");
    if months > 0 {
        text.push_str(&format!("{months}M"));
    }
    if days > 0 {
        text.push_str(&format!("{days}D"));
    }
    match (milliseconds / 1_000, milliseconds % 1_000) {
        (0, 0) if text.len() > 1 => {}
        (seconds, 0) => text.push_str(&format!("T{seconds}S")),
        (seconds, rest) => {
            let fraction = format!("{rest:03}");
            text.push_str(&format!("T{seconds}.{}S", fraction.trim_end_matches('0')));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    #[rstest]
    #[case(1, 2, 3_000, "P1M2DT3S")]
    #[case(14, 0, 0, "P14M")]
    #[case(0, 0, 0, "PT0S")]
    #[case(0, u32::MAX, 50, "P4294967295DT0.05S")]
    fn intervals_are_said(
        #[case] months: u32,
        #[case] days: u32,
        #[case] milliseconds: u32,
        #[case] expected: &str,
    ) {
        let bytes = [months, days, milliseconds].map(u32::to_le_bytes).concat();
        assert_eq!(super::text(&bytes), expected);
    }
}
