//! `reload`: an object is loaded once more, as its document says.

use crate::{answer, document, motherlode, rows, shared};

const FIRST: &str = "id,amount\n1,1.5\n2,2.5\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_loaded_is_loaded_again_only_in_the_place_of_its_rows() {
    let lake = shared().await;
    lake.register(&document("rld-again", "Float64", "")).await.unwrap();
    let landed = lake.land("rld-again", "rld-again/a.csv", FIRST).await.unwrap();
    lake.done(&landed).await.unwrap();
    let refused = motherlode(&lake, &["reload", "s3://landing/rld-again/a.csv"]).await;
    assert!(!refused.is_success && refused.said.contains("--again"), "{}", refused.said);
    assert_eq!(rows(&lake, "rld_again").await, (2, 2));

    let again = ["reload", "--again", "s3://landing/rld-again/a.csv"];
    for _ in 0..2 {
        let records = answer(&lake, &again).await;
        assert_eq!(records[0]["state"], "done", "{records}");
        assert_eq!(rows(&lake, "rld_again").await, (2, 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_object_is_loaded_by_the_policy_of_its_source() {
    let lake = shared().await;
    for (source, policy, expected) in [
        ("rld-append", "append", (5, 4)),
        ("rld-replace", "replace", (3, 3)),
        ("rld-ignore", "ignore", (2, 2)),
    ] {
        let document = document(source, "Float64", &format!("changed: {policy}"));
        lake.register(&document).await.unwrap();
        let key = format!("{source}/a.csv");
        let first = lake.land(source, &key, FIRST).await.unwrap();
        lake.done(&first).await.unwrap();
        let text = "id,amount\n2,20\n3,30\n4,40\n";
        lake.land(source, &key, text).await.unwrap();
        lake.drained().await.unwrap();
        // The function has done it already, or has left it out: then so does the
        // command, and says so.
        let address = format!("s3://landing/{key}");
        let done = motherlode(&lake, &["reload", &address]).await;
        let is_refused = !done.is_success;
        assert_eq!(is_refused, policy != "replace", "{policy}: {}", done.said);
        let table = source.replace('-', "_");
        assert_eq!(rows(&lake, &table).await, expected, "{policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_there_is_named_with_what_to_do() {
    let lake = shared().await;
    lake.register(&document("rld-gone", "Float64", "")).await.unwrap();
    let gone = motherlode(&lake, &["reload", "s3://landing/rld-gone/no.csv"]).await;
    assert!(!gone.is_success);
    assert!(gone.said.contains("s3://landing/rld-gone/no.csv"), "{}", gone.said);
}
