//! `backfill`: what lies in the bucket and the ledger does not know is loaded, once.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{answer, document, motherlode, rows, shared};

#[tokio::test(flavor = "multi_thread")]
async fn what_lay_in_s3_before_its_source_was_there_is_loaded_once() {
    let lake = shared().await;
    let mut landed = Vec::new();
    for number in 0..25 {
        let key = format!("bck-one/{number:02}-early.csv");
        let text = format!("id,amount\n{number},1.5\n");
        landed.push(lake.land("bck-one", &key, text).await.unwrap());
    }
    lake.dead_letter("24-early.csv").await.unwrap();
    lake.register(&document("bck-one", "Float64", "")).await.unwrap();
    // One comes after the source, by itself.
    let by_itself = lake.land("bck-one", "bck-one/25.csv", "id,amount\n25,1.5\n").await.unwrap();
    lake.done(&by_itself).await.unwrap();

    let counts = |answer: &serde_json::Value| {
        let names = ["listed", "loaded_before", "not_of_the_source", "sent"];
        names.map(|name| answer[name].as_u64().unwrap())
    };
    let backfill = ["backfill", "--source", "bck-one", "--rate", "1000"];
    let plan = answer(&lake, &[&backfill[..], &["--plan"]].concat()).await;
    assert_eq!(counts(&plan), [26, 1, 0, 25], "{plan}");
    assert_eq!(plan["first"][0], json!("s3://landing/bck-one/00-early.csv"));
    assert_eq!(rows(&lake, "bck_one").await, (1, 1), "a plan loads nothing");

    let slowly = ["backfill", "--source", "bck-one", "--rate", "5", "--prefix", "bck-one/0"];
    let began = Instant::now();
    let some = answer(&lake, &slowly).await;
    assert_eq!(counts(&some), [10, 0, 0, 10], "{some}");
    assert!(began.elapsed() >= Duration::from_millis(1_800), "10 objects at 5 a second");
    assert_eq!(counts(&answer(&lake, &backfill).await)[0], 26);
    for object in &landed {
        lake.done(object).await.unwrap();
    }
    assert_eq!(counts(&answer(&lake, &backfill).await), [26, 26, 0, 0]);
    // What was sent twice was loaded once.
    lake.drained().await.unwrap();
    assert_eq!(rows(&lake, "bck_one").await, (26, 26));

    let late = motherlode(&lake, &[&backfill[..], &["--since", "2999-01-01"]].concat()).await;
    assert!(!late.is_success && late.said.contains("since"), "{}", late.said);
}
