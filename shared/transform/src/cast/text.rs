//! Texts, and the types whose values are written as words: fixed strings,
//! UUIDs, enumerations and addresses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, FixedSizeBinaryArray, PrimitiveArray, UInt32Array,
};
use arrow::compute::{cast, max, min};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use uuid::Uuid;

use super::json_text::{Decimals, json_texts};
use super::plain::{by_kernel, parsed, texts};
use super::{Bad, Casted, Fault, json_object};

/// To `String`: texts as they are, other scalars as Arrow writes them, lists,
/// structs and maps as JSON.
pub(super) fn text(array: &ArrayRef) -> Result<Casted, ArrowError> {
    let (texts, bad) = texts(array)?;
    Ok(Casted { array: Arc::new(texts), bad })
}

/// To `String`, where bytes that are no UTF-8 stay as they are.
pub(super) fn text_or_bytes(array: &ArrayRef) -> Result<Casted, ArrowError> {
    match array.data_type() {
        DataType::Binary => Ok(Casted { array: Arc::clone(array), bad: Vec::new() }),
        DataType::FixedSizeBinary(_) => {
            Ok(Casted { array: cast(array, &DataType::Binary)?, bad: Vec::new() })
        }
        _ => text(array),
    }
}

/// To `FixedString(size)`: shorter values are filled up with zero bytes, as
/// ClickHouse does; longer ones are bad.
pub(super) fn fixed(array: &ArrayRef, size: i32) -> Result<Casted, ArrowError> {
    let width = usize::try_from(size).unwrap_or_default();
    let mut bad = Vec::new();
    let source = match array.data_type() {
        DataType::FixedSizeBinary(own) if *own == size => {
            return Ok(Casted { array: Arc::clone(array), bad: Vec::new() });
        }
        DataType::Binary => Arc::clone(array),
        DataType::FixedSizeBinary(_) => cast(array, &DataType::Binary)?,
        _ => {
            let (texts, unwritable) = texts(array)?;
            bad = unwritable;
            cast(&(Arc::new(texts) as ArrayRef), &DataType::Binary)?
        }
    };
    let source = source.as_binary::<i32>();
    let mut bytes = vec![0_u8; width * source.len()];
    for (row, place) in bytes.chunks_exact_mut(width.max(1)).enumerate() {
        if source.is_null(row) {
            continue;
        }
        let value = source.value(row);
        match place.get_mut(..value.len()) {
            Some(start) => start.copy_from_slice(value),
            None => bad.push(Bad { row, fault: Fault::TooLong }),
        }
    }
    bad.sort_by_key(|bad| bad.row);
    let made = FixedSizeBinaryArray::try_new(size, bytes.into(), source.nulls().cloned())?;
    Ok(Casted { array: Arc::new(made), bad })
}

/// To `UUID`: texts with or without hyphens, or 16 bytes in network order.
pub(super) fn uuid(array: &ArrayRef) -> Result<Casted, ArrowError> {
    sixteen(array, |text| Uuid::try_parse(text).map(Uuid::into_bytes).map_err(|_| Fault::Malformed))
}

/// To `IPv6`: texts, or 16 bytes in network order; an IPv4 address is mapped
/// (`::ffff:…`), as ClickHouse does.
pub(super) fn ipv6(array: &ArrayRef) -> Result<Casted, ArrowError> {
    sixteen(array, |text| match text.parse() {
        Ok(IpAddr::V6(address)) => Ok(address.octets()),
        Ok(IpAddr::V4(address)) => Ok(Ipv6Addr::octets(&address.to_ipv6_mapped())),
        Err(_) => Err(Fault::Malformed),
    })
}

fn sixteen(
    array: &ArrayRef,
    parse: impl Fn(&str) -> Result<[u8; 16], Fault>,
) -> Result<Casted, ArrowError> {
    if array.data_type() == &DataType::FixedSizeBinary(16) {
        return Ok(Casted { array: Arc::clone(array), bad: Vec::new() });
    }
    let (texts, bad) = texts(array)?;
    let (values, bad) = parsed(&texts, bad, |text| parse(text.trim_ascii()));
    let made =
        FixedSizeBinaryArray::try_new(16, values.into_flattened().into(), texts.nulls().cloned())?;
    Ok(Casted { array: Arc::new(made), bad })
}

/// To `IPv4`: texts, or the address as a number.
pub(super) fn ipv4(array: &ArrayRef) -> Result<Casted, ArrowError> {
    if array.data_type().is_integer() {
        return by_kernel(array, &DataType::UInt32, &Fault::Range);
    }
    let (texts, bad) = texts(array)?;
    let (values, bad) = parsed(&texts, bad, |text| {
        text.trim_ascii().parse::<Ipv4Addr>().map(u32::from).map_err(|_| Fault::Malformed)
    });
    Ok(Casted { array: Arc::new(UInt32Array::new(values.into(), texts.nulls().cloned())), bad })
}

/// To `JSON`: texts of JSON objects, or lists, structs and maps as JSON. An
/// object that names a path twice is bad, because the server refuses it and the
/// whole INSERT with it; so is one that holds a decimal which the server would round.
pub(super) fn json(array: &ArrayRef) -> Result<Casted, ArrowError> {
    let (texts, bad) = if array.data_type().is_nested() {
        json_texts(array, Decimals::AsFloats)?
    } else {
        texts(array)?
    };
    let (_, mut bad) = parsed(&texts, bad, json_object::check);
    // A row may be bad by its values, and by its text as well.
    bad.dedup_by_key(|bad| bad.row);
    Ok(Casted { array: Arc::new(texts), bad })
}

/// The values that an enumeration takes.
#[derive(Debug)]
pub(super) struct EnumNames {
    by_name: HashMap<String, i16>,
    /// The least value.
    first: i64,
    /// Whether it is a value, for each number from the least to the greatest: an
    /// enumeration may have thousands, and every row of a column asks.
    listed: Vec<bool>,
    /// Whether all of these are.
    is_dense: bool,
}

impl EnumNames {
    pub fn new(values: &[(String, i16)]) -> Self {
        let numbers = || values.iter().map(|(_, number)| i64::from(*number));
        let (first, last) = (numbers().min().unwrap_or(0), numbers().max().unwrap_or(-1));
        let mut listed: Vec<bool> = (first..=last).map(|_| false).collect();
        for number in numbers() {
            if let Some(place) = place(first, number).and_then(|at| listed.get_mut(at)) {
                *place = true;
            }
        }
        let is_dense = listed.iter().all(|is_listed| *is_listed);
        Self { by_name: values.iter().cloned().collect(), first, listed, is_dense }
    }

    fn has(&self, number: i64) -> bool {
        place(self.first, number).and_then(|at| self.listed.get(at)).is_some_and(|it| *it)
    }

    /// Whether every number of a column is a value. Where no number lies between the
    /// values, the least and the greatest tell.
    fn has_all<T>(&self, numbers: &PrimitiveArray<T>) -> bool
    where
        T: ArrowPrimitiveType,
        T::Native: Into<i64>,
    {
        let outermost = [min(numbers), max(numbers)];
        outermost.into_iter().flatten().all(|number| self.has(number.into()))
            && (self.is_dense || numbers.iter().flatten().all(|number| self.has(number.into())))
    }
}

/// How far a number lies behind the first.
fn place(first: i64, number: i64) -> Option<usize> {
    usize::try_from(number - first).ok()
}

/// To an enumeration: its names, or its values as numbers.
pub(super) fn enumeration<T>(array: &ArrayRef, names: &EnumNames) -> Result<Casted, ArrowError>
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i16> + Into<i64>,
{
    // What the decoder made is a value already.
    if array.data_type() == &T::DATA_TYPE && names.has_all(array.as_primitive::<T>()) {
        return Ok(Casted { array: Arc::clone(array), bad: Vec::new() });
    }
    // A number is a value, whatever name looks like it, and whatever stands beside it.
    let is_number = array.data_type().is_integer();
    let (texts, bad) = texts(array)?;
    let (values, bad) = parsed(&texts, bad, |text| {
        let name = names.by_name.get(text).copied().filter(|_| !is_number);
        let value = name.or_else(|| {
            let number = super::numbers::parse_integer::<i16>(text).ok()?;
            names.has(number.into()).then_some(number)
        });
        // A value of the type's own definition fits its width.
        value.and_then(|value| T::Native::try_from(value).ok()).ok_or(Fault::NotListed)
    });
    let made = PrimitiveArray::<T>::new(values.into(), texts.nulls().cloned());
    Ok(Casted { array: Arc::new(made), bad })
}
