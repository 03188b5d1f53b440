//! Items, read with the type that each attribute must have.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, SecondsFormat};

use crate::{Fault, TableName};

/// An item as the SDK gives it.
pub type Item = HashMap<String, AttributeValue>;

/// A text attribute.
pub fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub fn number(value: impl Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A time as text: RFC 3339 in UTC with milliseconds, so that it can be read in
/// the console and sorts as time does.
#[must_use]
pub fn time(ms: i64) -> AttributeValue {
    let text = DateTime::from_timestamp_millis(ms)
        .map_or_else(String::new, |time| time.to_rfc3339_opts(SecondsFormat::Millis, true));
    AttributeValue::S(text)
}

/// An item that is being read; it knows its table for the sake of messages.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    table: &'a TableName,
    item: &'a Item,
}

impl<'a> Row<'a> {
    /// An item of a table.
    #[must_use]
    pub fn new(table: &'a TableName, item: &'a Item) -> Self {
        Self { table, item }
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it is missing or no text.
    pub fn text(&self, name: &str) -> Result<&'a str, Fault> {
        self.text_if_any(name)?.ok_or_else(|| self.damaged(name, "is missing"))
    }

    /// A text that may be absent.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it is no text.
    pub fn text_if_any(&self, name: &str) -> Result<Option<&'a str>, Fault> {
        match self.item.get(name) {
            None => Ok(None),
            Some(AttributeValue::S(text)) => Ok(Some(text)),
            Some(_) => Err(self.damaged(name, "is no text")),
        }
    }

    /// A number that must be there.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it is missing or does not fit `T`.
    pub fn number<T: FromStr>(&self, name: &str) -> Result<T, Fault> {
        self.number_if_any(name)?.ok_or_else(|| self.damaged(name, "is missing"))
    }

    /// A number that may be absent.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it does not fit `T`.
    pub fn number_if_any<T: FromStr>(&self, name: &str) -> Result<Option<T>, Fault> {
        match self.item.get(name) {
            None => Ok(None),
            Some(AttributeValue::N(digits)) => digits
                .parse()
                .map(Some)
                .map_err(|_| self.damaged(name, &format!("is {digits}, which does not fit"))),
            Some(_) => Err(self.damaged(name, "is no number")),
        }
    }

    /// A time that may be absent, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it is no time of RFC 3339.
    pub fn time_if_any(&self, name: &str) -> Result<Option<i64>, Fault> {
        let Some(text) = self.text_if_any(name)? else { return Ok(None) };
        let time = DateTime::parse_from_rfc3339(text).map_err(|error| {
            self.damaged(name, &format!("is `{text}`, no time of RFC 3339 ({error})"))
        })?;
        Ok(Some(time.timestamp_millis()))
    }

    /// A time that must be there, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it is missing or no time of RFC 3339.
    pub fn time(&self, name: &str) -> Result<i64, Fault> {
        self.time_if_any(name)?.ok_or_else(|| self.damaged(name, "is missing"))
    }

    /// A map that may be absent.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it is no map.
    pub fn map_if_any(&self, name: &str) -> Result<Option<Row<'a>>, Fault> {
        match self.item.get(name) {
            None => Ok(None),
            Some(AttributeValue::M(item)) => Ok(Some(Row { table: self.table, item })),
            Some(_) => Err(self.damaged(name, "is no map")),
        }
    }

    /// The maps of a list that may be absent.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it is no list of maps.
    pub fn maps(&self, name: &str) -> Result<Vec<Row<'a>>, Fault> {
        let map = |value: &'a AttributeValue| match value {
            AttributeValue::M(item) => Ok(Row { table: self.table, item }),
            _ => Err(self.damaged(name, "holds something that is no map")),
        };
        self.list(name)?.iter().map(map).collect()
    }

    /// The texts of a list that may be absent.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it is no list of texts.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, Fault> {
        let text = |value: &AttributeValue| match value {
            AttributeValue::S(text) => Ok(text.clone()),
            _ => Err(self.damaged(name, "holds something that is no text")),
        };
        self.list(name)?.iter().map(text).collect()
    }

    fn list(&self, name: &str) -> Result<&'a [AttributeValue], Fault> {
        match self.item.get(name) {
            None => Ok(&[]),
            Some(AttributeValue::L(values)) => Ok(values),
            Some(_) => Err(self.damaged(name, "is no list")),
        }
    }

    /// The fault of an attribute of this item.
    #[must_use]
    pub fn damaged(&self, attribute: &str, problem: &str) -> Fault {
        let key: Vec<&str> = ["pk", "sk"]
            .iter()
            .filter_map(|name| self.item.get(*name)?.as_s().ok())
            .map(String::as_str)
            .collect();
        Fault::Damaged {
            table: self.table.name.clone(),
            key: format!("`{}`", key.join(" / ")),
            attribute: attribute.to_owned(),
            problem: problem.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TableName {
        TableName { name: "t".into(), variable: "V" }
    }

    #[test]
    fn times_survive_a_round_trip_and_sort() {
        let times = [0, 1, 999, 1_000, 1_795_363_200_123, 1_795_363_200_124];
        let table = table();
        let mut last = String::new();
        for ms in times {
            let item = Item::from([("at".to_owned(), time(ms))]);
            let row = Row::new(&table, &item);
            assert_eq!(row.time("at").unwrap(), ms);
            let text = row.text("at").unwrap().to_owned();
            assert!(text > last && text.len() == 24, "{text}");
            last = text;
        }
    }

    #[test]
    fn a_damaged_attribute_is_named_with_its_item() {
        let table = table();
        let item = Item::from([("pk".to_owned(), text("a#b")), ("n".to_owned(), number(-1))]);
        let row = Row::new(&table, &item);
        let error = row.number::<u64>("n").unwrap_err().to_string();
        assert!(
            error.contains("item `a#b` of the DynamoDB table `t`") && error.contains("`n` is -1"),
            "{error}"
        );
        assert!(row.text("absent").unwrap_err().to_string().contains("is missing"));
        assert_eq!(row.number_if_any::<u64>("absent").unwrap(), None);
    }
}
