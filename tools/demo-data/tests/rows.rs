//! What the decoders and steps make of the real files, without any server: the
//! rows are those that the list says. Fetches the package when it is not there.

use std::path::Path;
use std::sync::Arc;

use demo_data::{BUCKET, DemoData, Rows, SOURCES};
use ingest::preview;
use model::document::SourceDocument;
use model::{Counts, Pattern};
use objects::{MemoryObjects, ObjectReader};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_is_read_filtered_or_quarantined_as_listed() {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.motherlode/cache");
    let data = DemoData::fetch(&cache, &|step| println!("{step}")).unwrap();
    for source in SOURCES {
        let document = Arc::new(SourceDocument::from_yaml(source.document).unwrap());
        let pattern = Pattern::new(&document.matching).unwrap();
        let mut counts = Counts::default();
        let mut reasons = Vec::new();
        for object in source.objects {
            let objects = Arc::new(MemoryObjects::new());
            objects.put(BUCKET, object.key, data.object(object).unwrap());
            let info = objects.head(BUCKET, object.key).await.unwrap();
            let captures = pattern.matches(BUCKET, object.key).unwrap();
            let seen = preview(objects, info, Arc::clone(&document), captures, 3, None)
                .await
                .unwrap_or_else(|error| panic!("{}: {error:?}", object.key));
            counts += seen.counts;
            reasons.extend(
                seen.rejected
                    .into_iter()
                    .map(|row| format!("row {}, {}: {}", row.row, row.column, row.reason)),
            );
        }
        let found = Rows {
            read: counts.rows_read,
            filtered: counts.rows_filtered,
            quarantined: counts.rows_quarantined,
            inserted: counts.rows_inserted,
        };
        assert_eq!(found, source.rows, "{}: {reasons:#?}", source.name);
        assert!(counts.closes(), "{}: {counts:?}", source.name);
    }
}
