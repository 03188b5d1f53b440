//! Topics by name or by pattern.

use std::convert::Infallible;
use std::str::FromStr;

/// A topic's name in which `*` stands for any characters: `events`,
/// `cdc.shop.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPattern(String);

impl TopicPattern {
    /// Whether it names one topic only.
    #[must_use]
    pub fn is_name(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether a topic is meant.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        let mut parts = self.0.split('*');
        // A text splits into one part at least.
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = topic.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.len() >= last.len() && rest.ends_with(last)
    }
}

impl FromStr for TopicPattern {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("events", "events", true)]
    #[case("events", "events2", false)]
    #[case("cdc.*", "cdc.shop.orders", true)]
    #[case("cdc.*", "cdc", false)]
    #[case("*", "anything", true)]
    #[case("*.orders", "cdc.shop.orders", true)]
    #[case("cdc.*.orders", "cdc.shop.orders", true)]
    #[case("cdc.*.orders", "cdc.orders", false)]
    #[case("a*b*c", "axbyc", true)]
    #[case("a*b*c", "acb", false)]
    #[case("ab*ba", "aba", false)]
    fn a_star_stands_for_anything(
        #[case] pattern: TopicPattern,
        #[case] topic: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(pattern.matches(topic), expected);
    }
}
