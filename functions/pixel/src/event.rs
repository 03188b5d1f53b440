//! One event on its way through: what it must have, what it is given.
//!
//! An event keeps its bytes: only the members that are named here are read or
//! replaced, every other one is passed on as it was written.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use model::document::Address;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::facts::{self, Visitor};

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
    /// Whether a crawler made it.
    pub bot: bool,
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
    /// What the request says of whoever sent it.
    pub visitor: &'a Visitor<'a>,
    /// Members of the batch's `context`, for events that lack them.
    pub context: Option<&'a Members>,
    /// Members of the batch's `integrations`, for events that lack them.
    pub integrations: Option<&'a Members>,
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
        if *kind == "alias" && text("previousId").map_err(refused)?.is_none() {
            // Segment's library for browsers names none: it is who the visitor was until now.
            let Some(anonymous) = anonymous else {
                let reason = "an alias has a `previousId`, or an `anonymousId` in its place";
                return Err(refused(reason.to_owned()));
            };
            set(&mut members, "previousId", anonymous);
        }
        if anonymous.is_none() && user.is_none() {
            set(&mut members, "anonymousId", arrival.anonymous_id);
        }
        let key = anonymous.or(user).unwrap_or(arrival.anonymous_id).to_owned();
        let anonymous_id = anonymous.map(str::to_owned);
        let moment = |name: &str| values.get(name).and_then(moment);
        let sent_at = moment("sentAt").or(arrival.sent_at);
        let is_given = |name: &&str| {
            values.get(*name).is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
        };
        let given = ["originalTimestamp", "timestamp"].into_iter().find(is_given);
        let read = given.and_then(moment);
        let original = read.or_else(|| moment("timestamp")).or(sent_at).unwrap_or(arrival.at);
        set(&mut members, "type", kind);
        set(&mut members, "messageId", &id);
        match given.filter(|_| read.is_none()).and_then(|name| members.get(name).cloned()) {
            // What cannot be read stays as it was sent: whoever reads it says so.
            Some(sent) => drop(members.insert("originalTimestamp".to_owned(), sent)),
            None => set(&mut members, "originalTimestamp", &iso(original)),
        }
        set(&mut members, "timestamp", &iso(corrected(original, sent_at, arrival.at)));
        set(&mut members, "receivedAt", &iso(arrival.at));
        if let Some(sent_at) = sent_at {
            set(&mut members, "sentAt", &iso(sent_at));
        }
        set(&mut members, "source", arrival.source);
        let surroundings = context(members.remove("context"), arrival).map_err(refused)?;
        members.insert("context".to_owned(), surroundings.context);
        members.insert("request".to_owned(), surroundings.facts);
        if let Some(shared) = arrival.integrations {
            share(&mut members, "integrations", shared);
        }
        let bot = surroundings.bot;
        Ok(Self { name: name.to_owned(), id, key, anonymous_id, bot, members })
    }

    /// The event as it is kept.
    ///
    /// # Errors
    /// Never, for what [`Event::read`] gave.
    pub fn into_bytes(self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&self.members)
    }
}

/// What surrounds an event.
struct Surroundings {
    /// Its `context`.
    context: Box<RawValue>,
    /// Its `request`.
    facts: Box<RawValue>,
    /// Whether a crawler made it.
    bot: bool,
}

/// The event's own context, with what the batch and the request know and it lacks.
fn context(own: Option<Box<RawValue>>, arrival: &Arrival<'_>) -> Result<Surroundings, String> {
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
    let is_elsewhere = own.is_some() && own.as_deref() != arrival.address;
    let address = own.as_deref().or(arrival.address);
    if let Some(kept) = address.and_then(|address| facts::address(arrival.policy, address)) {
        set(&mut members, "ip", &kept);
    }
    let agent: Option<String> = of_json(members.get("userAgent").map(|raw| &**raw));
    if let Some(agent) = arrival.visitor.agent.filter(|_| !members.contains_key("userAgent")) {
        set(&mut members, "userAgent", agent);
    }
    let facts = arrival.visitor.facts_of(agent.as_deref(), is_elsewhere);
    let (bot, facts) = facts.map_err(|error| error.to_string())?;
    let context = serde_json::value::to_raw_value(&members).map_err(|error| error.to_string())?;
    Ok(Surroundings { context, facts, bot })
}

/// Gives a member of an event what the batch says of it for all, where it says nothing
/// else itself.
fn share(members: &mut Members, name: &str, shared: &Members) {
    let mut own = match members.get(name).map(|own| serde_json::from_str(own.get())) {
        None => Members::new(),
        Some(Ok(own)) => Option::<Members>::unwrap_or_default(own),
        Some(Err(_)) => return,
    };
    for (name, value) in shared {
        own.entry(name.clone()).or_insert_with(|| value.clone());
    }
    // It is made of JSON.
    if let Ok(raw) = serde_json::value::to_raw_value(&own) {
        members.insert(name.to_owned(), raw);
    }
}

/// The id of an event of which nothing else is looked at.
#[must_use]
pub fn id_of(raw: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "messageId")]
        id: Option<Value>,
    }
    match serde_json::from_str::<Named>(raw.get()).ok()?.id? {
        Value::String(id) => Some(id).filter(|id| !id.is_empty() && id.len() <= MAX_ID),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// An event as it may be kept when it is refused: with as much of the address in its
/// context as the policy keeps. None where it is kept as it is.
#[must_use]
pub fn without_address(raw: &RawValue, policy: Address) -> Option<Box<RawValue>> {
    let mut members: Members = of_json(Some(raw))?;
    let context = context_without_address(members.get("context")?, policy)?;
    members.insert("context".to_owned(), context);
    serde_json::value::to_raw_value(&members).ok()
}

/// A `context` with as much of its address as the policy keeps. None where it is kept
/// as it is.
#[must_use]
pub fn context_without_address(raw: &RawValue, policy: Address) -> Option<Box<RawValue>> {
    if policy == Address::Keep {
        return None;
    }
    let mut members: Members = of_json(Some(raw))?;
    let named = members.remove("ip")?;
    let named: Option<String> = of_json(Some(&*named));
    if let Some(kept) = named.and_then(|named| facts::address(policy, &named)) {
        set(&mut members, "ip", &kept);
    }
    serde_json::value::to_raw_value(&members).ok()
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

/// Reads a moment: RFC 3339, the same without a zone (UTC then), a day, or seconds or
/// milliseconds since 1970.
fn moment(value: &Value) -> Option<DateTime<Utc>> {
    let moment = match value {
        Value::String(text) => of_text(text)?,
        Value::Number(number) => of_number(number.as_f64()?)?,
        _ => return None,
    };
    // Others cannot be written as four digits, nor reckoned with.
    (0..=9999).contains(&moment.year()).then_some(moment)
}

fn of_text(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.with_timezone(&Utc));
    }
    if let Ok(moment) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z") {
        return Some(moment.with_timezone(&Utc));
    }
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let local = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let local = local.or_else(|| day().map(|day| day.and_time(NaiveTime::MIN)))?;
    Some(local.and_utc())
}

fn of_number(number: f64) -> Option<DateTime<Utc>> {
    // As seconds, that is the year 5138; as milliseconds, March 1973.
    const LEAST_MS: f64 = 1e11;
    let ms = if number.abs() < LEAST_MS { number * 1_000.0 } else { number };
    #[expect(clippy::cast_possible_truncation, reason = "a part of a millisecond is not kept")]
    let ms = ms.round() as i64;
    DateTime::from_timestamp_millis(ms)
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
    pub sent_at: Option<Box<RawValue>>,
    /// What all of its events share.
    pub context: Option<Box<RawValue>>,
    /// Where all of its events are to go, of Segment's destinations.
    pub integrations: Option<Box<RawValue>>,
    /// The key of its source.
    write_key: Option<Box<RawValue>>,
}

impl Batch {
    /// The key of its source.
    #[must_use]
    pub fn write_key(&self) -> Option<String> {
        of_json(self.write_key.as_deref())
    }
}

/// The moment that a batch says; none where it says nothing that can be read: its
/// events are not worth less for that.
#[must_use]
pub fn moment_of(raw: Option<&RawValue>) -> Option<DateTime<Utc>> {
    moment(&of_json(raw)?)
}

/// What all events of a batch share, where it is an object.
#[must_use]
pub fn members_of(raw: Option<&RawValue>) -> Option<Members> {
    of_json(raw)
}

fn of_json<T: serde::de::DeserializeOwned>(raw: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 \
        (KHTML, like Gecko) Version/18.1 Safari/605.1.15";

    fn time(text: &str) -> DateTime<Utc> {
        moment(&text.into()).unwrap()
    }

    fn headers() -> http::HeaderMap {
        let mut headers = http::HeaderMap::new();
        headers.insert("user-agent", "agent".parse().unwrap());
        headers.insert("cloudfront-viewer-country", "DE".parse().unwrap());
        headers
    }

    fn read(text: &str, kind: Option<&str>) -> Result<Value, Refused> {
        let headers = headers();
        let visitor = Visitor::of(&headers).unwrap();
        let shared = serde_json::from_str(r#"{"library":{"name":"sdk"}}"#).unwrap();
        let integrations = serde_json::from_str(r#"{"All":false,"Slack":true}"#).unwrap();
        let arrival = Arrival {
            at: time("2026-11-23T10:00:10Z"),
            sent_at: Some(time("2026-11-23T11:00:05Z")),
            source: "web",
            anonymous_id: "from-the-cookie",
            address: Some("203.0.113.9"),
            policy: Address::Truncate,
            visitor: &visitor,
            context: Some(&shared),
            integrations: Some(&integrations),
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
        let headers = http::HeaderMap::new();
        let visitor = Visitor::of(&headers).unwrap();
        let arrival = Arrival {
            at: Utc::now(),
            sent_at: None,
            source: "web",
            anonymous_id: "a",
            address: None,
            policy: Address::Keep,
            visitor: &visitor,
            context: None,
            integrations: None,
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

    /// What a sender says of the time is read in the ways that senders have.
    #[test]
    fn moments_are_read_or_left_as_they_were_sent() {
        let original = |timestamp: &str| {
            let text = format!(r#"{{"type":"page","timestamp":{timestamp}}}"#);
            read(&text, None).unwrap()["originalTimestamp"].clone()
        };
        for (sent, read) in [
            ("1700000000000", "2023-11-14T22:13:20.000Z"),
            ("1700000000", "2023-11-14T22:13:20.000Z"),
            ("1700000000.25", "2023-11-14T22:13:20.250Z"),
            (r#""2020-01-02T03:04:05""#, "2020-01-02T03:04:05.000Z"),
            (r#""2020-01-02 03:04:05.678""#, "2020-01-02T03:04:05.678Z"),
            (r#""2020-01-02T03:04:05+0200""#, "2020-01-02T01:04:05.000Z"),
            (r#""2020-01-02""#, "2020-01-02T00:00:00.000Z"),
            // It happened when it was sent.
            (r#""""#, "2026-11-23T11:00:05.000Z"),
            ("null", "2026-11-23T11:00:05.000Z"),
        ] {
            assert_eq!(original(sent), read, "{sent}");
        }
        for sent in [r#""yesterday""#, "{\"at\":1}", "1e300", "9e15", r#""+12345-01-01""#] {
            let expected: Value = serde_json::from_str(sent).unwrap();
            assert_eq!(original(sent), expected, "the view names it as a problem");
        }
        let both = r#"{"type":"page","originalTimestamp":"?","timestamp":"2026-11-23T11:00:00Z"}"#;
        let both = read(both, None).unwrap();
        assert_eq!(both["originalTimestamp"], "?");
        assert_eq!(both["timestamp"], "2026-11-23T10:00:05.000Z");
    }

    #[test]
    fn a_server_speaks_for_its_visitor() {
        let event = |context: &str| {
            let text = format!(r#"{{"type":"page","userId":"u","context":{context}}}"#);
            read(&text, None).unwrap()
        };
        let server = event(&format!(r#"{{"userAgent":"{SAFARI}","ip":"198.51.100.7"}}"#));
        let request = &server["request"];
        assert_eq!(
            (&request["browser"]["name"], &request["os"]["name"], &request["device"]["type"]),
            (&"Safari".into(), &"Mac OSX".into(), &"desktop".into())
        );
        assert_eq!(request.get("country"), None, "it is that of the server");
        assert_eq!(server["context"]["userAgent"], SAFARI);
        let crawler = event(r#"{"userAgent":"Googlebot/2.1"}"#);
        assert_eq!(crawler["request"]["bot"], true);
        assert_eq!(crawler["request"]["country"], "DE");
        // Its own address, or none at all.
        for context in [r#"{"ip":"203.0.113.9"}"#, "{}"] {
            assert_eq!(event(context)["request"]["country"], "DE", "{context}");
        }
    }

    #[test]
    fn integrations_of_a_batch_are_shared() {
        let event = read(r#"{"type":"page"}"#, None).unwrap();
        assert_eq!(event["integrations"], serde_json::json!({"All": false, "Slack": true}));
        let event = read(r#"{"type":"page","integrations":{"All":true}}"#, None).unwrap();
        assert_eq!(event["integrations"], serde_json::json!({"All": true, "Slack": true}));
        let event = read(r#"{"type":"page","integrations":"none"}"#, None).unwrap();
        assert_eq!(event["integrations"], "none");
    }

    /// As `analytics-next` sends it.
    #[test]
    fn an_alias_without_a_former_id_is_of_the_anonymous_one() {
        let event = read(r#"{"type":"alias","userId":"u","anonymousId":"a"}"#, None).unwrap();
        assert_eq!((&event["userId"], &event["previousId"]), (&"u".into(), &"a".into()));
    }

    #[test]
    fn a_refused_event_keeps_no_more_of_an_address_than_any_other() {
        let kept = |policy, text: &str| {
            let raw: &RawValue = serde_json::from_str(text).unwrap();
            without_address(raw, policy).map(|raw| raw.get().to_owned())
        };
        let event = r#"{"type":"buy","context":{"ip":"198.51.100.7","n":1.50}}"#;
        let truncated = r#"{"context":{"ip":"198.51.100.0","n":1.50},"type":"buy"}"#;
        assert_eq!(kept(Address::Truncate, event).as_deref(), Some(truncated));
        let dropped = r#"{"context":{"n":1.50},"type":"buy"}"#;
        assert_eq!(kept(Address::Drop, event).as_deref(), Some(dropped));
        assert_eq!(kept(Address::Keep, event), None);
        for other in [r#"{"type":"buy"}"#, r#"{"context":{}}"#, r#"{"context":[]}"#, "7"] {
            assert_eq!(kept(Address::Drop, other), None, "{other}");
        }
    }

    #[test]
    fn the_id_alone_is_read_of_what_is_too_large() {
        let id = |text: &str| id_of(serde_json::from_str(text).unwrap());
        assert_eq!(id(r#"{"type":"page","messageId":"m1","more":[1]}"#).as_deref(), Some("m1"));
        assert_eq!(id(r#"{"messageId":12}"#).as_deref(), Some("12"));
        for none in [r#"{"messageId":{}}"#, r#"{"messageId":""}"#, "{}", "7"] {
            assert_eq!(id(none), None, "{none}");
        }
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
