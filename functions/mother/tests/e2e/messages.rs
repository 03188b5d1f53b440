//! Every way in which a message can name an object.

use serde_json::{Value, json};

use crate::{document, files, shared};

#[tokio::test(flavor = "multi_thread")]
async fn every_envelope_is_opened_and_loads_once() {
    let lake = shared().await;
    lake.register(&document("msg-envelopes", "{ csv: {} }", "")).await.unwrap();
    // S3 has sent a notification of its own for this key.
    let key = "msg-envelopes/a b+c/ä.csv";
    let landed = lake.land("msg-envelopes", key, files::csv(10)).await.unwrap();
    let record = json!({"Records": [{
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "landing"}, "object": {"key": "msg-envelopes/a+b%2Bc/%C3%A4.csv"}},
    }]});
    let sns = json!({"Type": "Notification", "TopicArn": "arn:aws:sns:x:0:y", "Message": record.to_string()});
    let bridge = json!({
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "landing"}, "object": {"key": key}},
    });
    let direct = json!({"bucket": "landing", "key": key, "source": "msg-envelopes"});
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "landing"});
    for message in [&record, &sns, &bridge, &direct, &test] {
        lake.send(&message.to_string()).await.unwrap();
    }
    lake.done(&landed).await.unwrap();
    let invoked = lake.control.invoke("mother", direct.to_string()).await.unwrap().unwrap();
    let answer: Value = serde_json::from_slice(&invoked).unwrap();
    assert_eq!(answer["objects"][0]["state"], "already_loaded", "{answer}");
    assert_eq!(lake.scalar("SELECT count() FROM e2e.msg_envelopes").await.unwrap(), "10");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_invocation_loads_and_reports() {
    let lake = shared().await;
    // No notification names this source: its match fits nothing that lands.
    let yaml =
        document("msg-direct", "{ csv: {} }", "").replace("prefix: msg-direct/", "prefix: never/");
    lake.register(&yaml).await.unwrap();
    let landed = lake.land("msg-direct", "unmatched/direct.csv", files::csv(7)).await.unwrap();
    let event = json!({"bucket": "landing", "key": landed.id.key, "source": "msg-direct"});
    let answer = lake.control.invoke("mother", event.to_string()).await.unwrap().unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["objects"][0]["state"], "loaded", "{answer}");
    assert_eq!(answer["objects"][0]["report"]["counts"]["rows_written"], 7);
    assert_eq!(lake.scalar("SELECT count() FROM e2e.msg_direct").await.unwrap(), "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_rubbish_ends_in_the_dead_letters() {
    let lake = shared().await;
    lake.send("rubbish 4711").await.unwrap();
    assert_eq!(lake.dead_letter("rubbish 4711").await.unwrap(), "rubbish 4711");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_document_is_picked_up_by_a_warm_function() {
    let lake = shared().await;
    lake.register(&document("msg-change", "{ csv: {} }", "")).await.unwrap();
    let first = lake.land("msg-change", "msg-change/1.csv", files::csv(5)).await.unwrap();
    assert_eq!(lake.done(&first).await.unwrap().config_version, 1);
    let changed = document(
        "msg-change",
        "{ csv: {} }",
        "transform: [{ filter: { column: id, op: ge, value: 3 } }]",
    );
    lake.register(&changed).await.unwrap();
    // Each file is loaded with the document as the function sees it then.
    let start = std::time::Instant::now();
    for n in 2.. {
        let next =
            lake.land("msg-change", &format!("msg-change/{n}.csv"), files::csv(5)).await.unwrap();
        let record = lake.done(&next).await.unwrap();
        if record.config_version == 2 {
            assert_eq!((record.counts.rows_written, record.counts.rows_filtered), (2, 3));
            break;
        }
        assert!(start.elapsed().as_secs() < 30, "the change was not seen within 30 seconds");
    }
}
