//! What a failure says: one line with the whole chain of causes, and a hint
//! that says what to do.

use std::fmt;

use crate::ui::{OutputError, Ui};

/// A failure with advice.
#[derive(Debug)]
struct Advised {
    cause: anyhow::Error,
    hint: String,
}

impl fmt::Display for Advised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.cause)
    }
}

impl std::error::Error for Advised {}

/// A command line that clap understands and that makes no sense.
#[derive(Debug)]
struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Adds what to do to a failure.
pub trait Advise<T> {
    /// Says what to do about a failure.
    fn hint<H: Into<String>>(self, hint: impl FnOnce() -> H) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Advise<T> for Result<T, E> {
    fn hint<H: Into<String>>(self, hint: impl FnOnce() -> H) -> anyhow::Result<T> {
        self.map_err(|error| {
            let cause = error.into();
            // Advice that was given nearer to the cause is better.
            let has_advice = cause.chain().any(|cause| cause.is::<Advised>());
            if has_advice { cause } else { Advised { cause, hint: hint().into() }.into() }
        })
    }
}

/// A failure of our own, with what to do about it.
pub fn advised(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Advised { cause: anyhow::Error::msg(message.into()), hint: hint.into() }.into()
}

/// A command line that makes no sense.
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// Whether the command line was at fault.
pub fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<Usage>())
}

/// Whether whoever read our output has stopped reading.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<OutputError>())
        .any(OutputError::is_closed)
}

/// Tells a failure on standard error.
pub fn report(ui: &Ui, error: &anyhow::Error) {
    ui.note(&message(error));
}

fn message(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error:#}");
    if is_usage(error) {
        text.push_str("\nhint: see `motherlode --help`");
    }
    for advised in error.chain().filter_map(|cause| cause.downcast_ref::<Advised>()) {
        text.push_str("\nhint: ");
        text.push_str(&advised.hint);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_chain_is_one_line_and_the_hint_another() {
        let inner: anyhow::Result<()> = Err(io::Error::other("no space").into());
        let error = inner
            .context("writing a.yaml")
            .hint(|| "free some space")
            .context("inferring")
            .unwrap_err();
        assert_eq!(
            message(&error),
            "error: inferring: writing a.yaml: no space\nhint: free some space"
        );
    }

    #[test]
    fn a_usage_error_is_told_from_a_failure() {
        assert!(is_usage(&usage("one of them").context("more")));
        assert!(!is_usage(&advised("a", "b")));
        assert_eq!(message(&advised("a", "b")), "error: a\nhint: b");
    }
}
