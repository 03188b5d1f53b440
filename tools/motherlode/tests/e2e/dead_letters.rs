//! `dlq`: dead letters are listed, and replayed once their cause is mended.

use serde_json::json;

use crate::{answer, document, rows, shared};

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_listed_with_its_reason_and_replayed_once_its_cause_is_mended() {
    let lake = shared().await;
    // A column that the file does not have.
    let wrong = document("dlq-one", "Float64, from: { column: price }, required: true", "");
    lake.register(&wrong).await.unwrap();
    let landed = lake
        .land("dlq-one", "dlq-one/wrong-column.csv", "id,amount\n1,1.5\n2,2.5\n")
        .await
        .unwrap();
    // Beside it one that nobody asks for here.
    lake.land("nobody", "no-source-takes-this.csv", "id\n1\n").await.unwrap();
    lake.dead_letter("wrong-column.csv").await.unwrap();
    lake.dead_letter("no-source-takes-this.csv").await.unwrap();

    let only = ["dlq", "list", "--object", "dlq-one/"];
    let listed = answer(&lake, &only).await;
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed[0]["names"], json!(["s3://landing/dlq-one/wrong-column.csv"]));
    let reason = listed[0]["reason"].as_str().unwrap();
    assert!(reason.contains("dlq-one") && reason.contains("`required`"), "{reason}");
    assert_eq!(answer(&lake, &only).await, listed, "looking changes nothing");

    lake.register(&document("dlq-one", "Float64", "")).await.unwrap();
    let replayed = answer(&lake, &["dlq", "replay", "--object", "dlq-one/"]).await;
    assert_eq!(replayed.as_array().unwrap().len(), 1, "{replayed}");
    lake.replayed(&landed).await.unwrap();
    assert_eq!(rows(&lake, "dlq_one").await, (2, 2));
    assert_eq!(answer(&lake, &only).await, json!([]));
    // The other one is where it was, and is seen by others.
    let other = answer(&lake, &["dlq", "list", "--object", "no-source"]).await;
    assert_eq!(other[0]["names"], json!(["s3://landing/no-source-takes-this.csv"]));
    lake.dead_letter("no-source-takes-this.csv").await.unwrap();
}
