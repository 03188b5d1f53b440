//! One event on its way through: what it must have, what it is given.
//!
//! An event keeps its bytes: only the members that are named here are read or
//! replaced, every other one is passed on as it was written.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use model::document::Address;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::facts;

/// Most characters of an id or a name: longer ones are somebody's mistake.
const MAX_ID: usize = 512;

/// The kinds of events of Segment's HTTP API
/// (<https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/>).
const KINDS: &[&str] = &["track", "page", "screen", "identify", "group", "alias"];

/// Members of an event, each as it was written.
pub type Members = BTreeMap<String, Box<RawValue>>;

/// An event that is taken.
#[derive(Debug)]
pub struct Event {
    /// Its members.
    members: Members,
    /// Its id.
    pub id: String,
    /// What it is called: a track's `event`, a page's `name`, else its kind.
    pub name: String,
    /// What orders it among others: the visitor's anonymous id, else the user's.
    pub key: String,
    /// The anonymous id that the sender gave it.
    pub anonymous_id: Option<String>,
}

/// What is known of the request that an event came with.
#[derive(Debug, Clone)]
pub struct Arrival<'a> {
    /// When it came.
    pub at: DateTime<Utc>,
    /// When the sender's clock says that it was sent.
    pub sent_at: Option<DateTime<Utc>>,
    /// Name of the source.
    pub source: &'a str,
    /// The anonymous id of the visitor's cookie, or a new one.
    pub anonymous_id: &'a str,
    /// The address that the request came from.
    pub address: Option<&'a str>,
    /// What is kept of an address, also of one that an event names.
    pub policy: Address,
    /// `User-Agent`.
    pub user_agent: Option<&'a str>,
    /// What else is known, for `request`.
    pub facts: &'a RawValue,
    /// Members of the batch's `context`, for events that lack them.
    pub context: Option<&'a Members>,
}

/// Why an event is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The event's id, when it has one.
    pub id: Option<String>,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

impl Event {
    /// Reads an event and gives it what it lacks. `kind` is the kind that the
    /// address of the request stands for, in a batch none.
    ///
    /// # Errors
    /// [`Refused`] when it is no event.
    pub fn read(
        raw: &RawValue,
        kind: Option<&str>,
        arrival: &Arrival<'_>,
    ) -> Result<Self, Refused> {
        let refuse =
            |id: Option<&str>, reason: String| Refused { id: id.map(str::to_owned), reason };
        // A whole look: half a surrogate pair or 1e400 would make the event
        // unreadable for whoever comes later.
        let whole: Value = serde_json::from_str(raw.get())
            .map_err(|error| refuse(None, format!("it is not readable: {error}")))?;
        let Value::Object(values) = &whole else {
            return Err(refuse(None, "an event is a JSON object".to_owned()));
        };
        let mut members: Members = serde_json::from_str(raw.get())
            .map_err(|error| refuse(None, format!("it is not readable: {error}")))?;
        // Ids that are numbers are a habit of databases: the tables hold texts.
        let numbers: Vec<(&str, String)> =
            ["messageId", "anonymousId", "userId", "groupId", "previousId"]
                .into_iter()
                .filter_map(|name| Some((name, values.get(name)?.as_number()?.to_string())))
                .collect();
        for (name, number) in &numbers {
            set(&mut members, name, number);
        }
        let number = |name: &str| numbers.iter().find(|(of, _)| *of == name);
        let text = |name: &str| match values.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() <= MAX_ID => {
                Ok(Some(text.as_str()).filter(|text| !text.is_empty()))
            }
            Some(Value::Number(_)) if name != "type" => {
                Ok(number(name).map(|(_, number)| number.as_str()))
            }
            Some(_) => Err(format!("`{name}` is no text of at most {MAX_ID} bytes")),
        };
        let given = text("messageId");
        let id = match given {
            Ok(Some(id)) => id.to_owned(),
            Ok(None) => uuid::Uuid::now_v7().to_string(),
            Err(reason) => return Err(refuse(None, reason)),
        };
        let refused = |reason: String| refuse(Some(id.as_str()), reason);
        let kind = match (kind, text("type").map_err(refused)?) {
            (Some(kind), _) => kind,
            (None, Some(kind)) => kind,
            (None, None) => {
                return Err(refused(format!(
                    "`type` is missing; it is one of {}",
                    KINDS.join(", ")
                )));
            }
        };
        let Some(kind) = KINDS.iter().find(|known| **known == kind) else {
            return Err(refused(format!("`type` is `{kind}`; it is one of {}", KINDS.join(", "))));
        };
        let name = match *kind {
            "track" => text("event").map_err(refused)?.ok_or_else(|| {
                refused("a track has an `event`, the name of what happened".to_owned())
            })?,
            _ => text("name").map_err(refused)?.unwrap_or(*kind),
        };
        if *kind == "alias" && text("previousId").map_err(refused)?.is_none() {
            return Err(refused("an alias has a `previousId`".to_owned()));
        }
        if *kind == "group" && values.get("groupId").is_none_or(Value::is_null) {
            return Err(refused("a group has a `groupId`".to_owned()));
        }
        for name in ["properties", "traits", "context"] {
            if values.get(name).is_some_and(|value| !value.is_object() && !value.is_null()) {
                return Err(refused(format!("`{name}` is no JSON object")));
            }
        }
        let user = text("userId").map_err(refused)?;
        let anonymous = text("anonymousId").map_err(refused)?;
        if anonymous.is_none() && user.is_none() {
            set(&mut members, "anonymousId", arrival.anonymous_id);
        }
        let key = anonymous.or(user).unwrap_or(arrival.anonymous_id).to_owned();
        let anonymous_id = anonymous.map(str::to_owned);
        let moment =
            |name: &str| values.get(name).and_then(Value::as_str).and_then(|text| time(text).ok());
        let sent_at = moment("sentAt").or(arrival.sent_at);
        let original = moment("originalTimestamp").or_else(|| moment("timestamp"));
        let original = original.or(sent_at).unwrap_or(arrival.at);
        set(&mut members, "type", kind);
        set(&mut members, "messageId", &id);
        set(&mut members, "originalTimestamp", &iso(original));
        set(&mut members, "timestamp", &iso(corrected(original, sent_at, arrival.at)));
        set(&mut members, "receivedAt", &iso(arrival.at));
        if let Some(sent_at) = sent_at {
            set(&mut members, "sentAt", &iso(sent_at));
        }
        set(&mut members, "source", arrival.source);
        members.insert("request".to_owned(), arrival.facts.to_owned());
        let context = context(members.remove("context"), arrival).map_err(refused)?;
        members.insert("context".to_owned(), context);
        Ok(Self { name: name.to_owned(), id, key, anonymous_id, members })
    }

    /// The event as it is kept.
    ///
    /// # Errors
    /// Never, for what [`Event::read`] gave.
    pub fn into_bytes(self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&self.members)
    }
}

/// The event's own context, with what the batch and the request know and it lacks.
fn context(own: Option<Box<RawValue>>, arrival: &Arrival<'_>) -> Result<Box<RawValue>, String> {
    let own: Option<Members> = match own {
        None => None,
        Some(own) => serde_json::from_str(own.get()).map_err(|error| error.to_string())?,
    };
    let mut members = own.unwrap_or_default();
    if let Some(shared) = arrival.context {
        for (name, value) in shared {
            members.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    // What a server's library says of its visitor counts before what is known of
    // the server, and is kept as far as any address.
    let own = members.remove("ip");
    let own = own.map(|raw| serde_json::from_str::<String>(raw.get()).unwrap_or_default());
    let address = own.as_deref().or(arrival.address);
    if let Some(kept) = address.and_then(|address| facts::address(arrival.policy, address)) {
        set(&mut members, "ip", &kept);
    }
    if let Some(agent) = arrival.user_agent.filter(|_| !members.contains_key("userAgent")) {
        set(&mut members, "userAgent", agent);
    }
    let raw = serde_json::to_string(&members).and_then(RawValue::from_string);
    raw.map_err(|error| error.to_string())
}

fn set(members: &mut Members, name: &str, text: &str) {
    // A text is always JSON.
    if let Ok(raw) = serde_json::value::to_raw_value(text) {
        members.insert(name.to_owned(), raw);
    }
}

/// The time of an event by our clock: as long before its arrival as it was before
/// it was sent, by the sender's own clock.
fn corrected(
    original: DateTime<Utc>,
    sent_at: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
) -> DateTime<Utc> {
    match sent_at {
        None => original,
        Some(sent_at) => at - (sent_at - original),
    }
}

/// Reads a moment of RFC 3339.
///
/// # Errors
/// When it is none.
pub fn time(text: &str) -> chrono::ParseResult<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc))
}

/// A moment as it is written in events: UTC, with milliseconds.
#[must_use]
pub fn iso(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The body of a batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// Its events.
    pub batch: Vec<Box<RawValue>>,
    /// When it was sent.
    sent_at: Option<Box<RawValue>>,
    /// What all of its events share.
    context: Option<Box<RawValue>>,
    /// The key of its source.
    write_key: Option<Box<RawValue>>,
}

impl Batch {
    /// When it was sent; none where it says nothing that can be read: its events are
    /// not worth less for that.
    #[must_use]
    pub fn sent_at(&self) -> Option<DateTime<Utc>> {
        time(&of_json::<String>(self.sent_at.as_deref())?).ok()
    }

    /// What all of its events share, where it is an object.
    #[must_use]
    pub fn context(&self) -> Option<Members> {
        of_json(self.context.as_deref())
    }

    /// The key of its source.
    #[must_use]
    pub fn write_key(&self) -> Option<String> {
        of_json(self.write_key.as_deref())
    }
}

fn of_json<T: serde::de::DeserializeOwned>(raw: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: &str = r#"{"bot":false}"#;

    fn read(text: &str, kind: Option<&str>) -> Result<Value, Refused> {
        let facts: &RawValue = serde_json::from_str(FACTS).unwrap();
        let shared = serde_json::from_str(r#"{"library":{"name":"sdk"}}"#).unwrap();
        let arrival = Arrival {
            at: time("2026-11-23T10:00:10Z").unwrap(),
            sent_at: Some(time("2026-11-23T11:00:05Z").unwrap()),
            source: "web",
            anonymous_id: "from-the-cookie",
            address: Some("203.0.113.9"),
            policy: Address::Truncate,
            user_agent: Some("agent"),
            facts,
            context: Some(&shared),
        };
        let raw: &RawValue = serde_json::from_str(text).unwrap();
        let event = Event::read(raw, kind, &arrival)?;
        Ok(serde_json::from_slice(&event.into_bytes().unwrap()).unwrap())
    }

    /// A sender that tries again sends the same number: it is the same event.
    #[test]
    fn ids_that_are_numbers_are_ids() {
        let event = read(r#"{"type":"page","messageId":12,"userId":18446744073709551615}"#, None);
        let event = event.unwrap();
        assert_eq!(
            (&event["messageId"], &event["userId"]),
            (&"12".into(), &"18446744073709551615".into())
        );
        assert_eq!(event.get("anonymousId"), None, "the user is known");
    }

    #[test]
    fn an_event_keeps_its_members_and_is_given_what_it_lacks() {
        let event = read(
            r#"{"type":"track","event":"Bought","messageId":"m1","anonymousId":"a",
                "timestamp":"2026-11-23T11:00:00Z","properties":{"price":24.990000000000000001},
                "context":{"page":{"path":"/"},"ip":"198.51.100.7"}}"#,
            None,
        )
        .unwrap();
        // The sender's clock is an hour ahead: five seconds before it was sent is
        // five seconds before it came.
        assert_eq!(event["timestamp"], "2026-11-23T10:00:05.000Z");
        assert_eq!(event["originalTimestamp"], "2026-11-23T11:00:00.000Z");
        assert_eq!(event["receivedAt"], "2026-11-23T10:00:10.000Z");
        assert_eq!((&event["source"], &event["request"]["bot"]), (&"web".into(), &false.into()));
        assert_eq!(event["context"]["ip"], "198.51.100.0", "a server speaks for its visitor");
        assert_eq!(event["context"]["library"]["name"], "sdk");
        assert_eq!(event["context"]["userAgent"], "agent");
    }

    #[test]
    fn numbers_keep_their_digits() {
        let facts: &RawValue = serde_json::from_str(FACTS).unwrap();
        let arrival = Arrival {
            at: Utc::now(),
            sent_at: None,
            source: "web",
            anonymous_id: "a",
            address: None,
            policy: Address::Keep,
            user_agent: None,
            facts,
            context: None,
        };
        let raw: &RawValue =
            serde_json::from_str(r#"{"event":"x","properties":{"n":24.990000000000000001}}"#)
                .unwrap();
        let event = Event::read(raw, Some("track"), &arrival).unwrap();
        assert_eq!((event.key.as_str(), event.name.as_str()), ("a", "x"));
        let text = String::from_utf8(event.into_bytes().unwrap()).unwrap();
        assert!(text.contains("24.990000000000000001"), "{text}");
        assert!(!text.contains("\"ip\""), "{text}");
    }

    #[test]
    fn an_event_without_ids_gets_them() {
        let event = read(r#"{"name":"Home"}"#, Some("page")).unwrap();
        assert_eq!(
            (&event["type"], &event["anonymousId"]),
            (&"page".into(), &"from-the-cookie".into())
        );
        assert_eq!(event["messageId"].as_str().unwrap().len(), 36);
        // It happened when it was sent.
        assert_eq!(event["timestamp"], "2026-11-23T10:00:10.000Z");
    }

    #[test]
    fn what_is_no_event_is_refused_with_the_reason() {
        for (text, reason) in [
            ("[1]", "an event is a JSON object"),
            (r#"{"event":"x"}"#, "`type` is missing"),
            (r#"{"type":"buy"}"#, "`type` is `buy`"),
            (r#"{"type":"track"}"#, "a track has an `event`"),
            (r#"{"type":"track","event":{}}"#, "`event` is no text"),
            (r#"{"type":"alias","userId":"u"}"#, "`previousId`"),
            (r#"{"type":"group","userId":"u"}"#, "`groupId`"),
            (r#"{"type":"page","properties":[]}"#, "`properties` is no JSON object"),
            (r#"{"type":"page","name":"\ud800"}"#, "not readable"),
            (r#"{"type":"page","properties":{"n":1e400}}"#, "not readable"),
        ] {
            let refused = read(text, None).unwrap_err();
            assert!(refused.reason.contains(reason), "{text}: {}", refused.reason);
        }
        let refused = read(r#"{"type":"buy","messageId":"m7"}"#, None).unwrap_err();
        assert_eq!(refused.id.as_deref(), Some("m7"));
    }
}
