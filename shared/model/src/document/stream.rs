//! What a source of kind `kafka` says in place of `match` and `format`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validate::Found;
use super::{Column, FromSpec, MissingColumn, SourceDocument, UnknownColumn};

/// What a source is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Objects of S3, named by `match`.
    #[default]
    Files,
    /// Records of Kafka, named by `topics`.
    Kafka,
}

impl Kind {
    pub(super) fn is_files(&self) -> bool {
        *self == Self::Files
    }
}

/// Records of Kafka, and what is kept of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Topics: names, or patterns in which `*` stands for anything. A record goes
    /// to the source that names its topic, else to the one whose pattern is the
    /// longest.
    pub topics: Vec<String>,
    /// How the whole value of a record is kept, in the column `event`.
    #[serde(default)]
    pub event: EventColumn,
    /// What the pixel does with events of this source; nothing when its events
    /// come from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixel: Option<Pixel>,
}

/// How the whole value of a record is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventColumn {
    /// As it is, in a compressed `String`.
    #[default]
    String,
    /// As `JSON`, every path a column of its own: about eight times the cost of
    /// `string` on the server.
    Json,
    /// Not at all: only the document's columns are kept.
    None,
}

/// What the pixel does with the events of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pixel {
    /// Write keys: whoever knows one can send events. They are in every page, and
    /// no secret.
    pub keys: Vec<String>,
    /// Topic of the events; the first of `topics` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Topic of the events that were refused; that of the events with `.invalid`
    /// behind it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_topic: Option<String>,
    /// Most bytes of one event.
    #[serde(default = "event_bytes")]
    pub max_event_bytes: u32,
    /// Most bytes of one request, decompressed.
    #[serde(default = "batch_bytes")]
    pub max_batch_bytes: u32,
    /// What is kept of a visitor's address.
    #[serde(default)]
    pub address: Address,
    /// What becomes of events of crawlers. Those that are kept say `request.bot`.
    #[serde(default)]
    pub bots: Keep,
    /// What becomes of events of browsers that ask not to be tracked (`DNT: 1` or
    /// `Sec-GPC: 1`).
    #[serde(default)]
    pub do_not_track: Keep,
    /// The cookie with the visitor's anonymous id; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<Cookie>,
    /// Origins whose pages may send with credentials; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// A JSON Schema by the name of an event, for the whole event. An event that
    /// does not keep it is refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schemas: BTreeMap<String, serde_json::Value>,
}

/// What is kept of a visitor's address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// All of it.
    Keep,
    /// Without the last byte of IPv4 and the last ten of IPv6.
    #[default]
    Truncate,
    /// Nothing.
    Drop,
}

/// Whether something is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// It is.
    #[default]
    Keep,
    /// It is answered like any other, and not kept.
    Drop,
}

/// The cookie with a visitor's anonymous id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cookie {
    /// Its name.
    #[serde(default = "cookie_name")]
    pub name: String,
    /// `Domain`; the host of the pixel alone when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Days that it lives since the last event.
    #[serde(default = "cookie_days")]
    pub days: u32,
    /// `SameSite`.
    #[serde(default)]
    pub same_site: SameSite,
    /// `Secure`: sent over TLS only.
    #[serde(default = "yes")]
    pub secure: bool,
    /// `HttpOnly`: no script can read it.
    #[serde(default = "yes")]
    pub http_only: bool,
}

/// `SameSite` of a cookie (RFC 6265bis, 4.1.2.7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SameSite {
    /// Sent from pages of the same site alone.
    #[default]
    Lax,
    /// Sent from pages of the same site alone, and not when they were come to by a
    /// link from elsewhere.
    Strict,
    /// Sent from everywhere; needs `secure`.
    None,
}

impl SameSite {
    /// The word in the header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        }
    }
}

impl Stream {
    /// How well the source fits a topic: nothing when it does not, more the more
    /// of the topic it names.
    #[must_use]
    pub fn fit(&self, topic: &str) -> Option<usize> {
        self.topics.iter().filter_map(|pattern| fit(pattern, topic)).max()
    }

    /// The topic that the pixel writes events to.
    #[must_use]
    pub fn event_topic(&self) -> Option<&str> {
        let named = self.pixel.as_ref().and_then(|pixel| pixel.topic.as_deref());
        named.or_else(|| self.topics.first().map(String::as_str))
    }

    /// The topic that the pixel writes refused events to.
    #[must_use]
    pub fn invalid_topic(&self) -> Option<String> {
        let named = self.pixel.as_ref().and_then(|pixel| pixel.invalid_topic.clone());
        named.or_else(|| self.event_topic().map(|topic| format!("{topic}.invalid")))
    }
}

/// A name fits before every pattern, a longer pattern before a shorter.
fn fit(pattern: &str, topic: &str) -> Option<usize> {
    if pattern == topic {
        return Some(usize::MAX);
    }
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let rest: Vec<&str> = pieces.collect();
    let (last, middle) = rest.split_last()?;
    let mut left = topic.strip_prefix(first)?.strip_suffix(last)?;
    for piece in middle {
        left = &left[left.find(piece)? + piece.len()..];
    }
    Some(pattern.len() - rest.len())
}

/// Most letters of a topic that the pixel writes to: its name begins the group of a
/// message of SQS, which has 128.
const MOST_OF_PIXEL: usize = 120;

/// Whether Kafka takes the name of a topic.
fn is_topic(name: &str) -> bool {
    let is_named = !name.is_empty() && name.len() <= 249 && name != "." && name != "..";
    is_named && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

impl SourceDocument {
    /// What is wrong with the parts of a source of kind `kafka`.
    pub(super) fn check_stream(&self, found: &mut Found) {
        let Some(stream) = &self.stream else {
            found
                .add("stream", "a source of kind `kafka` needs it: `stream: { topics: [events] }`");
            return;
        };
        if stream.topics.is_empty() {
            found.add("stream.topics", "name at least one topic, or a pattern such as `shop.*`");
        }
        for (i, topic) in stream.topics.iter().enumerate() {
            if !is_topic(&topic.replace('*', "x")) {
                found.add(
                    format!("stream.topics[{i}]"),
                    format!(
                        "`{topic}` is no topic; use up to 249 letters, digits, `.`, `_` and `-`, and `*` in patterns"
                    ),
                );
            }
        }
        if stream.event == EventColumn::None && self.columns.is_empty() {
            found.add("columns", "with `event: none`, name at least one column");
        }
        for (path, is_refused, instead) in [
            (
                "drift.unknown",
                self.drift.unknown == UnknownColumn::Add,
                "`ignore`: `event` keeps them",
            ),
            ("drift.unknown", self.drift.unknown == UnknownColumn::Fail, "`quarantine`"),
            ("drift.missing", self.drift.missing == MissingColumn::Fail, "`quarantine`"),
        ] {
            if is_refused {
                found.add(
                    path,
                    format!(
                        "a record never holds up a partition, nor changes a table; use {instead}"
                    ),
                );
            }
        }
        if !self.table.provenance {
            found.add(
                "table.provenance",
                "records are told apart by `_topic`, `_partition` and `_offset`; leave it on",
            );
        }
        if let Some(pixel) = &stream.pixel {
            check_pixel(pixel, stream, found);
        }
        for (i, Column { name, .. }) in self.columns.iter().enumerate() {
            if name == "event" && stream.event != EventColumn::None {
                found.add(
                    format!("columns[{i}].name"),
                    "`event` holds the whole record; choose another name, or set `stream.event: none`",
                );
            }
        }
        let is_capture = |column: &Column| matches!(column.origin(), FromSpec::Capture(_));
        if let Some(i) = self.columns.iter().position(is_capture) {
            found.add(format!("columns[{i}].from"), "records have no captures");
        }
    }
}

fn check_pixel(pixel: &Pixel, stream: &Stream, found: &mut Found) {
    if pixel.keys.is_empty() {
        found.add("stream.pixel.keys", "name at least one write key");
    }
    for (i, key) in pixel.keys.iter().enumerate() {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !(8..=64).contains(&key.len()) || !key.chars().all(is_plain) {
            found
                .add(format!("stream.pixel.keys[{i}]"), "use 8 to 64 letters, digits, `_` and `-`");
        }
    }
    for (path, topic) in [
        ("stream.pixel.topic", stream.event_topic().map(str::to_owned)),
        ("stream.pixel.invalid_topic", stream.invalid_topic()),
    ] {
        let Some(topic) = topic else { continue };
        if !is_topic(&topic) {
            found.add(path, format!("`{topic}` is no name of a topic; name one without `*`"));
        } else if topic.len() > MOST_OF_PIXEL {
            found.add(path, format!("a topic of the pixel has at most {MOST_OF_PIXEL} characters"));
        }
    }
    let fitting = |topic: &str| is_topic(topic) && stream.fit(topic).is_some();
    if let Some(topic) = stream.event_topic().filter(|topic| is_topic(topic) && !fitting(topic)) {
        found.add(
            "stream.pixel.topic",
            format!(
                "`{topic}` is none of `stream.topics`: nobody would read its events; name it there"
            ),
        );
    }
    if let Some(topic) = stream.invalid_topic().filter(|topic| fitting(topic)) {
        found.add(
            "stream.pixel.invalid_topic",
            format!(
                "`{topic}` is one of `stream.topics`: refused events would be taken for events; \
                 name another, or write narrower `topics`"
            ),
        );
    }
    if pixel.max_event_bytes == 0 || pixel.max_event_bytes > 900_000 {
        found.add(
            "stream.pixel.max_event_bytes",
            "must be 1 to 900000: a record of Kafka holds 1 MB",
        );
    }
    // API Gateway takes 10 MB, a function 6 MB.
    if pixel.max_batch_bytes < pixel.max_event_bytes || pixel.max_batch_bytes > 6_000_000 {
        found.add(
            "stream.pixel.max_batch_bytes",
            "must be at least `max_event_bytes` and at most 6000000, the most that a function gets",
        );
    }
    if let Some(cookie) = &pixel.cookie {
        if cookie.same_site == SameSite::None && !cookie.secure {
            found.add("stream.pixel.cookie.secure", "browsers refuse `SameSite=None` without it");
        }
        let is_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if cookie.name.is_empty() || !cookie.name.chars().all(is_token) {
            found.add("stream.pixel.cookie.name", "use letters, digits, `_` and `-`");
        }
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        if cookie.domain.as_ref().is_some_and(|name| name.is_empty() || !name.chars().all(is_host))
        {
            found.add("stream.pixel.cookie.domain", "is no domain, such as `example.com`");
        }
    }
    for (name, schema) in &pixel.schemas {
        if !(schema.is_object() || schema.is_boolean()) {
            found.add(format!("stream.pixel.schemas.{name}"), "a JSON Schema is an object");
        }
    }
}

fn event_bytes() -> u32 {
    32 * 1024
}
fn batch_bytes() -> u32 {
    500 * 1024
}
fn cookie_name() -> String {
    "motherlode_id".to_owned()
}
fn cookie_days() -> u32 {
    365
}
fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(topics: &[&str]) -> Stream {
        Stream {
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            ..Stream::default()
        }
    }

    #[test]
    fn a_name_fits_before_a_pattern_and_a_longer_one_before_a_shorter() {
        let fit = |topics: &[&str], topic: &str| stream(topics).fit(topic);
        assert_eq!(fit(&["events"], "events"), Some(usize::MAX));
        assert_eq!(fit(&["events"], "event"), None);
        assert!(fit(&["shop.*"], "shop.orders") > fit(&["*"], "shop.orders"));
        assert_eq!(fit(&["*.orders"], "shop.orders"), Some(7));
        assert_eq!(fit(&["a*b*c"], "axxbyyc"), Some(3));
        assert_eq!(fit(&["a*b*c"], "axxc"), None);
        assert_eq!(fit(&["ab*b"], "ab"), None, "a character counts once");
    }
}
