//! Names of columns, tables and sources from names that people chose.

use std::collections::HashSet;

/// `Miles per Gallon`, `milesPerGallon` and `HTTPStatus` as ClickHouse users
/// write them: `miles_per_gallon`, `http_status`.
#[must_use]
pub fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut text = String::with_capacity(name.len() + 4);
    for (i, c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            if !text.ends_with('_') {
                text.push('_');
            }
            continue;
        }
        let before = i.checked_sub(1).map(|before| chars[before]);
        let after = chars.get(i + 1);
        let begins_word = c.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || (before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()))
            });
        if begins_word && !text.ends_with('_') {
            text.push('_');
        }
        text.extend(c.to_lowercase());
    }
    let text = text.trim_matches('_');
    match text.chars().next() {
        None => "column".to_owned(),
        Some(first) if first.is_numeric() => format!("c_{text}"),
        Some(_) => text.to_owned(),
    }
}

/// Gives out names, each once.
#[derive(Debug, Default)]
pub struct Names(HashSet<String>);

impl Names {
    /// The name, with a number behind it if it is taken.
    pub fn own(&mut self, name: &str) -> String {
        let mut own = name.to_owned();
        let mut number = 2_u32;
        while !self.0.insert(own.clone()) {
            own = format!("{name}_{number}");
            number += 1;
        }
        own
    }
}

/// The name of a source from a file's name: `flights-3m.parquet` is `flights-3m`.
#[must_use]
pub fn source_name(file_name: &str) -> String {
    let stem =
        file_name.split('.').find(|part| !part.is_empty()).unwrap_or_default().to_lowercase();
    let text: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' })
        .collect();
    let text = text.trim_matches(['-', '_']);
    let named = if text.starts_with(|c: char| c.is_ascii_lowercase()) {
        text.to_owned()
    } else {
        format!("source-{text}")
    };
    named.trim_end_matches('-').chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Miles_per_Gallon", "miles_per_gallon")]
    #[case("budgetYear", "budget_year")]
    #[case("HTTPStatus", "http_status")]
    #[case("IMDB Rating", "imdb_rating")]
    #[case("Cost Total $", "cost_total")]
    #[case("US_Gross", "us_gross")]
    #[case("CO2", "co2")]
    #[case("_object", "object")]
    #[case("2020 sales", "c_2020_sales")]
    #[case("Größe", "größe")]
    #[case("%", "column")]
    fn names_become_snake_case(#[case] name: &str, #[case] snake: &str) {
        assert_eq!(snake_case(name), snake);
    }

    #[rstest]
    #[case("flights-3m.parquet", "flights-3m")]
    #[case("My Data.csv.gz", "my-data")]
    #[case("2020.json", "source-2020")]
    #[case(".csv", "csv")]
    #[case("ä.csv", "source")]
    fn sources_are_named_after_files(#[case] file: &str, #[case] name: &str) {
        assert_eq!(source_name(file), name);
    }

    #[test]
    fn names_are_given_once() {
        let mut names = Names::default();
        assert_eq!([names.own("a"), names.own("a"), names.own("a")], ["a", "a_2", "a_3"]);
    }
}
