//! Dead letters of mother: messages that name objects.

use ingest::Ingest;
use ledger::State;
use model::notification::{Named, objects_of};

use super::Understood;

/// What a message names, and why that failed.
pub async fn read(body: &str, ingest: &Ingest) -> anyhow::Result<Understood> {
    let objects = match objects_of(body) {
        Ok(objects) => objects,
        Err(error) => return Ok(Understood::nothing(error.to_string())),
    };
    let mut reasons = Vec::new();
    for object in &objects {
        reasons.push(reason(object, ingest).await?);
    }
    Ok(Understood {
        places: objects.iter().map(|one| format!("s3://{}/{}", one.bucket, one.key)).collect(),
        keys: objects.into_iter().map(|one| one.key).collect(),
        reason: reasons.join("; "),
    })
}

/// What is known of an object that a dead letter names.
async fn reason(object: &Named, ingest: &Ingest) -> anyhow::Result<String> {
    let info = match ingest.objects.head(&object.bucket, &object.key).await {
        Ok(info) => info,
        Err(error) => return Ok(error.to_string()),
    };
    let source = match &object.source {
        Some(source) => source.clone(),
        None => match ingest.catalog.snapshot().await?.route(&object.bucket, &object.key) {
            Ok((source, _)) => source.document.source.clone(),
            Err(error) => return Ok(error.to_string()),
        },
    };
    Ok(match ingest.ledger.get(&source, &info.id).await? {
        None => format!("source {source}: the object is not in the ledger"),
        Some(record) if record.state == State::Done => format!("source {source}: it is loaded"),
        Some(record) => format!(
            "source {source}: {}: {}",
            record.state.name(),
            record.reason.unwrap_or_else(|| "no reason is known".to_owned())
        ),
    })
}
