//! Pieces of SQL: names, literals and the operator's own fragments.
//!
//! Names and literals are quoted by types here and nowhere else. Fragments
//! (engine, partition, order, ttl, select) are SQL that the owner of a source
//! wrote; they are trusted to mean something, but not to end the statement or
//! the place they are put in, by mistake or otherwise.

use std::fmt;

use crate::error::WarehouseError;

/// A name, quoted with backticks.
pub(crate) struct Ident<'a>(pub &'a str);

impl fmt::Display for Ident<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quote(f, self.0, '`')
    }
}

/// Database and table, quoted.
pub(crate) struct Qualified<'a> {
    pub database: &'a str,
    pub name: &'a str,
}

impl fmt::Display for Qualified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", Ident(self.database), Ident(self.name))
    }
}

/// A text literal, quoted with apostrophes.
pub(crate) struct Literal<'a>(pub &'a str);

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quote(f, self.0, '\'')
    }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str, mark: char) -> fmt::Result {
    use fmt::Write;
    f.write_char(mark)?;
    for character in text.chars() {
        match character {
            '\0' => f.write_str("\\0")?,
            '\\' => f.write_str("\\\\")?,
            character if character == mark => write!(f, "\\{mark}")?,
            character => f.write_char(character)?,
        }
    }
    f.write_char(mark)
}

/// Names, quoted and separated by commas.
pub(crate) fn idents<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| Ident(name).to_string()).collect::<Vec<_>>().join(", ")
}

/// Checks that a fragment stays where it is put: no end of statement, no
/// comment, brackets and quotes closed, and no `FROM` of its own outside of
/// brackets.
pub(crate) fn fragment<'a>(field: &'static str, text: &'a str) -> Result<&'a str, WarehouseError> {
    match stray(text) {
        None => Ok(text.trim()),
        Some(problem) => Err(WarehouseError::Fragment { field, problem }),
    }
}

/// What a fragment has that it must not have.
fn stray(text: &str) -> Option<String> {
    let mut open = Vec::new();
    let mut word = String::new();
    let mut characters = text.char_indices().peekable();
    if text.trim().is_empty() {
        return Some("it is empty".to_owned());
    }
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        if character.is_alphanumeric() || character == '_' {
            word.push(character);
            if !next.is_some_and(|next| next.is_alphanumeric() || next == '_') {
                if open.is_empty() && word.eq_ignore_ascii_case("from") {
                    return Some(
                        "it holds FROM outside of brackets; it must be a list of expressions"
                            .to_owned(),
                    );
                }
                word.clear();
            }
            continue;
        }
        match (character, next) {
            (';', _) => return Some(format!("it holds `;` at character {}", at + 1)),
            ('-', Some('-')) | ('/', Some('*')) | ('#', Some(' ' | '!')) => {
                return Some(format!("it holds a comment at character {}", at + 1));
            }
            ('$', _) => {
                return Some(format!(
                    "it holds `$` at character {}; write texts in apostrophes",
                    at + 1
                ));
            }
            ('\'' | '`' | '"', _) => loop {
                match characters.next() {
                    None => {
                        return Some(format!(
                            "the {character} at character {} is not closed",
                            at + 1
                        ));
                    }
                    Some((_, '\\')) => {
                        characters.next();
                    }
                    Some((_, end)) if end == character => break,
                    Some(_) => {}
                }
            },
            ('(', _) => open.push(')'),
            ('[', _) => open.push(']'),
            ('{', _) => open.push('}'),
            (')' | ']' | '}', _) if open.pop() != Some(character) => {
                return Some(format!("the {character} at character {} closes nothing", at + 1));
            }
            _ => {}
        }
    }
    open.last().map(|bracket| format!("a {bracket} is missing at its end"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("a", "`a`")]
    #[case("a`b\\c.d e", "`a\\`b\\\\c.d e`")]
    #[case("ü'", "`ü'`")]
    fn names_are_quoted(#[case] name: &str, #[case] sql: &str) {
        assert_eq!(Ident(name).to_string(), sql);
    }

    #[test]
    fn literals_are_quoted() {
        assert_eq!(Literal("a'b\\`").to_string(), "'a\\'b\\\\`'");
    }

    #[rstest]
    #[case("toYYYYMM(at)")]
    #[case("ReplacingMergeTree(_loaded_at)")]
    #[case("a - -1, b / 2, ';', `x--y`, \"a/*\"")]
    #[case("toYear(d) AS year, (SELECT max(x) FROM t) AS m, extract(s, 'it''s (') AS e, from_date")]
    #[case("arrayMap(x -> x[1], m) AS v, {}")]
    fn fragments_pass(#[case] text: &str) {
        assert_eq!(stray(text), None);
    }

    #[rstest]
    #[case("a; DROP TABLE x", "`;`")]
    #[case("a -- b", "comment")]
    #[case("a /* b", "comment")]
    #[case("a # b", "comment")]
    #[case("a) FROM x", "closes nothing")]
    #[case("(a]", "closes nothing")]
    #[case("f(a", "missing")]
    #[case("'a", "not closed")]
    #[case("'a\\'", "not closed")]
    #[case("* FROM secrets", "FROM")]
    #[case("$$a", "`$`")]
    #[case(" ", "empty")]
    fn fragments_are_refused(#[case] text: &str, #[case] words: &str) {
        let problem = stray(text).expect("refused");
        assert!(problem.contains(words), "{problem}");
    }

    proptest! {
        /// Whatever a name holds, its quoted form is one token.
        #[test]
        fn a_quoted_name_never_ends_early(name in ".*") {
            let quoted = Ident(&name).to_string();
            let inner = &quoted[1..quoted.len() - 1];
            let mut characters = inner.chars();
            while let Some(character) = characters.next() {
                prop_assert_ne!(character, '`');
                if character == '\\' {
                    prop_assert!(characters.next().is_some());
                }
            }
        }
    }
}
