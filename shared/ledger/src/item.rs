//! How a record lies in DynamoDB: one item, every attribute readable in the
//! console.

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo::{Fault, Item, Row, TableName, number, text};
use model::{ChunkBounds, Counts, ObjectId, Token};
use sha2::{Digest, Sha256};

use crate::{Extent, Part, Pending, Record, State, StepMillis};

/// Most bytes of a partition key.
const MAX_KEY_BYTES: usize = 2048;

/// The partition key of an object under a source, or of a part of it.
///
/// The four names are joined by `#`, with `#` and `%` inside of them escaped, so
/// that no two objects share a key; the number of a part comes behind another.
/// Only an absurdly long one is hashed; it then has two `#` instead of three.
pub(crate) fn key_of(source: &str, object: &ObjectId, part: Option<u32>) -> String {
    let names = [source, &object.bucket, &object.key, &object.etag];
    let mut key = names.map(|name| name.replace('%', "%25").replace('#', "%23")).join("#");
    if let Some(index) = part {
        key.push_str(&format!("#{index}"));
    }
    if key.len() <= MAX_KEY_BYTES {
        return key;
    }
    let digest = Sha256::digest(key.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("#sha256#{hex}")
}

/// A pending chunk as an attribute.
pub(crate) fn pending_attribute(pending: &Pending) -> AttributeValue {
    AttributeValue::M(Item::from([
        ("start".to_owned(), number(pending.bounds.start)),
        ("end".to_owned(), number(pending.bounds.end)),
        ("token".to_owned(), text(pending.token.as_str())),
        ("clusters".to_owned(), texts(&pending.clusters)),
        ("loaded_at_ms".to_owned(), number(pending.loaded_at_ms)),
    ]))
}

/// Where chunks are, as an attribute.
pub(crate) fn extents_attribute(extents: &[Extent]) -> AttributeValue {
    let extent = |extent: &Extent| {
        AttributeValue::M(Item::from([
            ("start".to_owned(), number(extent.start)),
            ("end".to_owned(), number(extent.end)),
            ("inserted".to_owned(), number(extent.inserted)),
            ("config_version".to_owned(), number(extent.config_version)),
            ("loaded_at_ms".to_owned(), number(extent.loaded_at_ms)),
            ("on".to_owned(), texts(&extent.on)),
            ("maybe".to_owned(), texts(&extent.maybe)),
        ]))
    };
    AttributeValue::L(extents.iter().map(extent).collect())
}

fn texts<'a>(values: impl IntoIterator<Item = &'a String>) -> AttributeValue {
    AttributeValue::L(values.into_iter().map(text).collect())
}

/// The parts of an object as an attribute.
pub(crate) fn parts_attribute(parts: &[Part]) -> AttributeValue {
    AttributeValue::L(parts.iter().map(part_attribute).collect())
}

/// A part of an object as an attribute.
pub(crate) fn part_attribute(part: &Part) -> AttributeValue {
    AttributeValue::M(Item::from([
        ("index".to_owned(), number(part.index)),
        ("start".to_owned(), number(part.start)),
        ("end".to_owned(), number(part.end)),
    ]))
}

/// The milliseconds of the steps as an attribute.
pub(crate) fn steps_attribute(steps: &StepMillis) -> AttributeValue {
    AttributeValue::M(Item::from([
        ("fetch".to_owned(), number(steps.fetch)),
        ("decode".to_owned(), number(steps.decode)),
        ("transform".to_owned(), number(steps.transform)),
        ("write".to_owned(), number(steps.write)),
        ("commit".to_owned(), number(steps.commit)),
    ]))
}

/// The record that an item holds. Counters that are absent are 0; what decides
/// about exactly-once must be there.
pub(crate) fn record(table: &TableName, item: &Item) -> Result<Record, Fault> {
    let row = Row::new(table, item);
    let count = |name: &str| Ok::<u64, Fault>(row.number_if_any(name)?.unwrap_or(0));
    let name = row.text("state")?;
    Ok(Record {
        source: row.text("source")?.to_owned(),
        object: ObjectId {
            bucket: row.text("bucket")?.to_owned(),
            key: row.text("key")?.to_owned(),
            etag: row.text("etag")?.to_owned(),
        },
        part: row.map_if_any("part")?.map(|row| part(&row)).transpose()?,
        parts: row.maps("parts")?.iter().map(part).collect::<Result<_, _>>()?,
        state: State::from_name(name)
            .ok_or_else(|| row.damaged("state", &format!("is `{name}`, no known state")))?,
        owner: row.text("owner")?.to_owned(),
        lease_until_ms: row.number("lease_until_ms")?,
        fence: row.number("fence")?,
        again_ms: row.number_if_any("again_ms")?.unwrap_or(0),
        config_version: row.number("config_version")?,
        written_version: row.number_if_any("written_version")?,
        next_row: row.number("next_row")?,
        counts: Counts {
            rows_read: count("rows_read")?,
            rows_written: count("rows_written")?,
            rows_filtered: count("rows_filtered")?,
            rows_quarantined: count("rows_quarantined")?,
            rows_inserted: count("rows_inserted")?,
            chunks: count("chunks")?,
        },
        bytes: count("bytes")?,
        steps: row.map_if_any("steps")?.map_or(Ok(StepMillis::default()), |row| steps(&row))?,
        pending: row.map_if_any("pending")?.map(|row| pending(&row)).transpose()?,
        extents: row.maps("extents")?.iter().map(extent).collect::<Result<_, _>>()?,
        is_owing: row.text_if_any("owes")?.is_some(),
        payer: match row.text_if_any("payer")? {
            Some(payer) => Some((payer.to_owned(), row.number("payer_until_ms")?)),
            None => None,
        },
        attempt: row.number("attempt")?,
        put_offs: row.number_if_any("put_offs")?.unwrap_or(0),
        claimed_at_ms: row.time("claimed_at")?,
        updated_at_ms: row.time("updated_at")?,
        finished_at_ms: row.time_if_any("finished_at")?,
        duration_ms: count("duration_ms")?,
        cluster: row.text_if_any("cluster")?.map(str::to_owned),
        table: row.text_if_any("table")?.map(str::to_owned),
        reason: row.text_if_any("reason")?.map(str::to_owned),
    })
}

fn pending(row: &Row<'_>) -> Result<Pending, Fault> {
    Ok(Pending {
        bounds: ChunkBounds { start: row.number("start")?, end: row.number("end")? },
        token: Token::from_stored(row.text("token")?),
        clusters: row.texts("clusters")?,
        loaded_at_ms: row.number("loaded_at_ms")?,
    })
}

fn part(row: &Row<'_>) -> Result<Part, Fault> {
    Ok(Part { index: row.number("index")?, start: row.number("start")?, end: row.number("end")? })
}

fn extent(row: &Row<'_>) -> Result<Extent, Fault> {
    Ok(Extent {
        start: row.number("start")?,
        end: row.number("end")?,
        inserted: row.number("inserted")?,
        config_version: row.number("config_version")?,
        loaded_at_ms: row.number("loaded_at_ms")?,
        on: row.texts("on")?.into_iter().collect(),
        maybe: row.texts("maybe")?.into_iter().collect(),
    })
}

fn steps(row: &Row<'_>) -> Result<StepMillis, Fault> {
    Ok(StepMillis {
        fetch: row.number("fetch")?,
        decode: row.number("decode")?,
        transform: row.number("transform")?,
        write: row.number("write")?,
        commit: row.number("commit")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(bucket: &str, key: &str, etag: &str) -> ObjectId {
        ObjectId { bucket: bucket.into(), key: key.into(), etag: etag.into() }
    }

    fn decoded(key: &str) -> Vec<String> {
        key.split('#').map(|part| part.replace("%23", "#").replace("%25", "%")).collect()
    }

    #[test]
    fn the_longest_key_of_s3_fits() {
        for key in ["#".repeat(1024), "ü".repeat(512), "a".repeat(1024)] {
            let made = key_of(
                "source",
                &object("bucket", &key, "0123456789abcdef0123456789abcdef-12"),
                None,
            );
            assert!(made.len() <= MAX_KEY_BYTES, "{}", made.len());
        }
        assert_ne!(
            key_of("s", &object("b", &"#".repeat(1024), "e"), None),
            key_of("s", &object("b", &"#".repeat(1024), "f"), None)
        );
    }

    proptest::proptest! {
        #[test]
        fn every_identity_has_its_own_key(parts in proptest::collection::vec("[a#%23/]{0,6}", 4)) {
            let key = key_of(&parts[0], &object(&parts[1], &parts[2], &parts[3]), None);
            proptest::prop_assert_eq!(decoded(&key), parts.clone());
            let part = key_of(&parts[0], &object(&parts[1], &parts[2], &parts[3]), Some(7));
            proptest::prop_assert_eq!(part.split('#').count(), key.split('#').count() + 1);
        }
    }
}
