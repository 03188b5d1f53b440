//! `quarantine`: bad rows are listed and replayed, and the accounts close.

use crate::{answer, document, motherlode, rows, shared};

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_are_listed_replayed_once_and_the_accounts_close() {
    let lake = shared().await;
    let lenient = "errors: { max_bad_share: 1 }";
    lake.register(&document("qrn-one", "Float64", lenient)).await.unwrap();
    let text = "id,amount\n1,1.5\n2,free\n3,2.5\n";
    let landed = lake.land("qrn-one", "qrn-one/a.csv", text).await.unwrap();
    lake.done(&landed).await.unwrap();
    let shown = answer(&lake, &["quarantine", "list", "--source", "qrn-one"]).await;
    assert_eq!(shown.as_array().unwrap().len(), 1, "{shown}");
    let object = "qrn-one/a.csv";
    let row = ["quarantine", "show", "--source", "qrn-one", "--object", object, "--row", "1"];
    let whole = answer(&lake, &row).await;
    assert!(whole.to_string().contains("2,free"), "{whole}");

    let lenient = "errors: { max_bad_share: 1 }";
    let corrected = document("qrn-one", "Float64, on_error: default, default: 0", lenient);
    lake.register(&corrected).await.unwrap();
    for _ in 0..2 {
        answer(&lake, &["quarantine", "replay", "--source", "qrn-one"]).await;
        assert_eq!(rows(&lake, "qrn_one").await, (3, 3));
    }
    let check = ["accounting", "--source", "qrn-one", "--check"];
    answer(&lake, &check).await;
    lake.query("ingestion", "DELETE FROM commands.qrn_one WHERE id = 3").await.unwrap();
    let leak = motherlode(&lake, &check).await;
    assert!(!leak.is_success, "{}", leak.answer);
    assert!(leak.answer.to_string().contains("qrn-one/a.csv"), "{}", leak.answer);
    assert_eq!(answer(&lake, &["reconcile", "--plan"]).await, serde_json::json!([]));
}
