//! Every way of sending, and everything that is refused.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::lane::{Lane, Setup, Spill};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_answered_with_2xx_is_in_kafka_and_the_rest_says_why_not() {
    let lane = Lane::start(Setup { name: "pixel-requests", spill: Spill::Works }).await;

    // Segment's API: one event of each kind, and a batch.
    for (kind, more) in [
        ("track", json!({"event": "Bought"})),
        ("page", json!({"name": "Home"})),
        ("screen", json!({})),
        ("identify", json!({"traits": {"plan": "pro"}})),
        ("group", json!({"groupId": "g1"})),
        ("alias", json!({"previousId": "a0"})),
    ] {
        let mut event = more;
        event["messageId"] = format!("m-{kind}").into();
        event["userId"] = "u1".into();
        let answer = lane.post(&format!("/v1/{kind}"), &event).await;
        assert_eq!(answer, (200, json!({"success": true})), "{kind}");
    }
    let batch = json!({
        "sentAt": "2026-11-23T10:00:00.000Z",
        "context": {"library": {"name": "sdk"}},
        "batch": [
            {"type": "track", "event": "A", "messageId": "b-1", "anonymousId": "v1"},
            {"type": "buy", "messageId": "b-2", "context": {"ip": "198.51.100.7"}},
            {"type": "track", "event": "Priced", "messageId": "b-3", "properties": {"prize": 1}},
            {"type": "track", "event": "Priced", "messageId": "b-4", "properties": {"price": 1}},
            {"type": "track", "event": "Long", "messageId": "b-5", "properties": {"text": "x".repeat(3_000)}},
        ],
    });
    let (status, answer) = lane.post("/v1/batch", &batch).await;
    assert_eq!(status, 200);
    let rejected = answer["rejected"].as_array().unwrap();
    let indexes: Vec<_> = rejected.iter().map(|one| one["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, [1, 2, 4], "{answer}");
    for (one, reason) in rejected.iter().zip([
        "`type` is `buy`",
        "\"price\" is a required property",
        "2000 are taken",
    ]) {
        assert!(one["reason"].as_str().unwrap().contains(reason), "{one}");
    }
    assert_eq!(rejected[2]["messageId"], "b-5", "also of what is too large to be read");

    // A beacon: text, the key in the address, no preflight; a compressed one.
    let event = |id: &str| json!({"batch": [{"type": "page", "messageId": id}]}).to_string();
    let request = lane.request("POST", "/e?k=wk_web_0001").header("content-type", "text/plain");
    let request =
        request.header("origin", "https://shop.example").header("cookie", "mid=visitor-7");
    let answer = lane.send(request.body(event("e-1").into()).unwrap()).await;
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("access-control-allow-origin"), "https://shop.example");
    assert_eq!(header("access-control-allow-credentials"), "true");
    assert_eq!(header("access-control-expose-headers"), "retry-after");
    assert!(
        header("set-cookie").starts_with("mid=visitor-7; Path=/; "),
        "{}",
        header("set-cookie")
    );
    let request = lane.request("POST", "/e?k=wk_web_0001").header("content-encoding", "gzip");
    let answer = lane.send(request.body(gzip(&event("e-2")).into()).unwrap()).await;
    assert_eq!(answer.status(), 200);

    // The picture.
    let path = "/p.gif?k=wk_web_0001&d=%7B%22type%22%3A%22page%22%2C%22messageId%22%3A%22g-1%22%7D";
    let request = lane.request("GET", path).header("user-agent", "Googlebot/2.1");
    let answer = lane.send(request.body(Default::default()).unwrap()).await;
    assert_eq!((answer.status().as_u16(), &answer.body()[..6]), (200, &b"GIF89a"[..]));
    assert_eq!(answer.headers()["content-type"], "image/gif");
    assert_eq!(answer.headers()["cache-control"], "no-store");

    let mut expected: Vec<String> = ["track", "page", "screen", "identify", "group", "alias"]
        .map(|kind| format!("m-{kind}"))
        .into();
    expected.extend(["b-1", "b-4", "e-1", "e-2", "g-1"].map(str::to_owned));
    expected.sort();
    assert_eq!(lane.ids().await, expected);
    let events: Vec<Value> = lane.topic("events", crate::lane::PARTITIONS).await.concat();
    let find = |id: &str| events.iter().find(|event| event["messageId"] == id).unwrap();
    assert_eq!(find("e-1")["anonymousId"], "visitor-7");
    assert_eq!(
        (&find("b-1")["context"]["library"]["name"], &find("b-1")["source"]),
        (&"sdk".into(), &"web".into())
    );
    assert_eq!(find("b-1")["context"]["ip"], "127.0.0.0", "the address is truncated");
    assert_eq!(find("g-1")["request"]["bot"], true);
    assert_eq!(find("m-page")["request"]["bot"], false);
    let invalid = lane.topic("events.invalid", 1).await.concat();
    let ids: Vec<_> =
        invalid.iter().map(|one| one["event"]["messageId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["b-2", "b-3", "b-5"], "refused events are kept whole");
    assert_eq!(invalid[2]["event"]["properties"]["text"].as_str().unwrap().len(), 3_000);
    for one in &invalid {
        assert_eq!(one["context"], batch["context"], "and with what their batch says of them");
        assert_eq!(one["sentAt"], batch["sentAt"]);
    }
    assert_eq!(invalid[0]["event"]["context"]["ip"], "198.51.100.0", "but for the address");

    // What is no request of ours.
    let answer = |method: &'static str, path: &'static str, body: &'static str| {
        let request = lane.request(method, path).header("content-type", "application/json");
        let request = request.body(body.into()).unwrap();
        let lane = &lane;
        async move { lane.send(request).await }
    };
    assert_eq!(answer("POST", "/v1/batch", r#"{"batch":[]}"#).await.status(), 401);
    assert_eq!(answer("POST", "/v1/batch?k=wk_nobody", r#"{"batch":[]}"#).await.status(), 401);
    assert_eq!(answer("POST", "/v1/batch?k=wk_web_0001", "{").await.status(), 400);
    assert_eq!(answer("POST", "/v1/batch", "{").await.status(), 400);
    let kept = lane.topic("events.invalid", 1).await.concat();
    assert_eq!(kept.last().unwrap()["event"], "{", "what cannot be read is kept of whom we know");
    let broken = b"\x1f\x8b\x08no gzip\xff";
    let request = lane.request("POST", "/e?k=wk_web_0001").body(broken[..].into()).unwrap();
    assert_eq!(lane.send(request).await.status(), 400);
    let kept = lane.topic("events.invalid", 1).await.concat();
    let last = kept.last().unwrap();
    assert_eq!(STANDARD.decode(last["bodyBase64"].as_str().unwrap()).unwrap(), broken);
    assert!(last["reason"].as_str().unwrap().contains("no gzip"), "{last}");
    assert_eq!(answer("POST", "/v1/nothing?k=wk_web_0001", "{}").await.status(), 404);
    assert_eq!(answer("GET", "/nothing", "").await.status(), 404);
    assert_eq!(answer("PUT", "/e", "").await.status(), 405);
    assert_eq!(answer("GET", "/health", "").await.status(), 200);
    assert_eq!(answer("OPTIONS", "/v1/batch", "").await.status(), 204);
    let tracker = answer("GET", "/pixel.js", "").await;
    assert_eq!(tracker.body(), include_str!("../../tracker/pixel.js"));
    assert_eq!(tracker.headers()["vary"], "accept-encoding, origin");
    let request = lane.request("GET", "/pixel.js").header("accept-encoding", "gzip, br");
    let zipped = lane.send(request.body(Default::default()).unwrap()).await;
    assert_eq!(zipped.headers()["content-encoding"], "gzip");
    assert!(zipped.body().len() < 4_096, "{}", zipped.body().len());
    let mut text = String::new();
    flate2::read::GzDecoder::new(&zipped.body()[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, include_str!("../../tracker/pixel.js"));
    let head = answer("HEAD", "/pixel.js", "").await;
    assert!(head.status() == 200 && head.body().is_empty());
    let large = format!(r#"{{"batch":["{}"]}}"#, "x".repeat(6 * 1024 * 1024));
    let request = lane.request("POST", "/e?k=wk_web_0001").header("content-encoding", "gzip");
    let answer = lane.send(request.body(gzip(&large).into()).unwrap()).await;
    assert_eq!(answer.status(), 413, "a bomb");
    // Bytes come to a function as base64.
    let request = lane.request("POST", "/e?k=wk_web_0001").body(vec![b' '; 5_000_000].into());
    assert_eq!(lane.send(request.unwrap()).await.status(), 413, "more than a function is given");
    let many = format!(r#"{{"batch":[1{}]}}"#, ",1".repeat(10_000));
    let request = lane.request("POST", "/e?k=wk_web_0001");
    let answer = lane.send(request.body(many.into()).unwrap()).await;
    assert_eq!(answer.status(), 413, "more events than an answer may name");
    let events = r#",{"type":"page"}"#.repeat(10_000);
    let spread = format!(
        r#"{{"context":{{"x":"{}"}},"batch":[{}]}}"#,
        "a".repeat(30_000),
        events.trim_start_matches(',')
    );
    let request = lane.request("POST", "/e?k=wk_strict_01");
    let request = request.header("origin", "https://shop.example");
    let answer = lane.send(request.body(gzip(&spread).into()).unwrap()).await;
    assert_eq!(answer.status(), 413, "300 MB of some hundreds of bytes");
    assert_eq!(lane.ids().await, expected, "nothing of that is in Kafka");

    // Every event is given the context of its batch: it counts for each.
    let wide = json!({
        "context": {"text": "x".repeat(1_900)},
        "batch": [{"type": "page", "messageId": "w-1", "properties": {"text": "x".repeat(200)}}],
    });
    let (status, answer) = lane.post("/v1/batch", &wide).await;
    let reason = answer["rejected"][0]["reason"].as_str().unwrap();
    assert!(status == 200 && reason.contains("of its batch's context"), "{answer}");
    // What a batch says oddly of itself makes its events not worth less.
    let odd = json!({
        "sentAt": 1_700_000_000, "context": "none", "writeKey": 7,
        "batch": [{"type": "page", "messageId": 77, "userId": 5}],
    });
    assert_eq!(lane.post("/v1/batch", &odd).await.0, 200);
    expected.push("77".to_owned());
    expected.sort();
    assert_eq!(lane.ids().await, expected);

    // A refused event that no broker takes: whole in the bucket, and Kafka stays in use.
    let event = json!({"type": "track", "event": "Huge", "messageId": "h-1", "properties": {"text": "y".repeat(1_200_000)}});
    let (status, answer) = lane
        .post("/v1/batch", &json!({"batch": [event, {"type": "page", "messageId": "h-2"}]}))
        .await;
    assert_eq!((status, &answer["rejected"][0]["index"]), (200, &json!(0)), "{answer}");
    expected.push("h-2".to_owned());
    expected.sort();
    assert_eq!(lane.ids().await, expected, "its neighbour is in Kafka at once");
    let invalid = lane.topic("events.invalid", 1).await.concat();
    let address = invalid.last().unwrap()["object"].as_str().unwrap();
    assert!(address.contains("/invalid/web/"), "{address}");
    assert_eq!(lane.object(address).await["event"], event);

    // A picture whose event is no JSON: nobody reads the answer, so it is kept.
    let picture = lane.request("GET", "/p.gif?k=wk_web_0001&d=%7Bbroken");
    assert_eq!(lane.send(picture.body(Default::default()).unwrap()).await.status(), 200);
    let invalid = lane.topic("events.invalid", 1).await.concat();
    assert_eq!(invalid.last().unwrap()["event"], "{broken");

    // The cookie takes the id that the page's script has given its visitor.
    let body = json!({"batch": [{"type": "page", "anonymousId": "script-1"}]}).to_string();
    let request = lane.request("POST", "/e?k=wk_web_0001").header("cookie", "mid=visitor-7");
    let answer = lane.send(request.body(body.into()).unwrap()).await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("mid=script-1; "), "{cookie}");

    // Whatever is refused, the answer is one that Lambda carries.
    let bad: Vec<Value> = (0..10_000).map(|_| json!({"type": "\"".repeat(250)})).collect();
    let body = gzip(&json!({"batch": bad}).to_string());
    let request = lane.request("POST", "/e?k=wk_web_0001");
    let answer = lane.send(request.body(body.into()).unwrap()).await;
    assert_eq!(answer.status(), 200);
    let answer: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(answer["rejected"].as_array().unwrap().len(), 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_says_whose_events_it_takes() {
    let lane = Lane::start(Setup { name: "pixel-policy", spill: Spill::Absent }).await;
    let send = async |id: &str, header: (&str, &str)| {
        let event = json!({"batch": [{"type": "page", "messageId": id}]});
        let request = lane.request("POST", "/e?k=wk_strict_01").header(header.0, header.1);
        lane.send(request.body(event.to_string().into()).unwrap()).await.status().as_u16()
    };
    assert_eq!(send("bot", ("user-agent", "Googlebot/2.1")).await, 200, "as any other");
    assert_eq!(send("dnt", ("dnt", "1")).await, 200);
    assert_eq!(send("gpc", ("sec-gpc", "1")).await, 200);
    assert_eq!(send("stranger", ("origin", "https://elsewhere.example")).await, 403);
    assert_eq!(send("shop", ("origin", "https://shop.example")).await, 200);
    assert_eq!(send("app", ("dnt", "0")).await, 200);
    // A server speaks for its visitors: each of them by the agent that it names.
    let batch = json!({"batch": [
        {"type": "page", "messageId": "crawler", "context": {"userAgent": "Googlebot/2.1"}},
        {"type": "page", "messageId": "human"},
    ]});
    let answer = lane.post("/v1/batch?k=wk_strict_01", &batch).await;
    assert_eq!(answer, (200, json!({"success": true})));
    assert_eq!(lane.ids_in("strict", 1).await, ["app", "human", "shop"]);

    // More than a batch may have together: it is split by event.
    let events: Vec<Value> = (0..4)
        .map(|number| {
            let text = "x".repeat(300_000);
            json!({"type": "page", "messageId": format!("split-{number}"), "properties": {"text": text}})
        })
        .collect();
    let answer = lane.post("/v1/batch?k=wk_strict_01", &json!({"batch": events})).await;
    assert_eq!(answer, (200, json!({"success": true})));
    let ids = lane.ids_in("strict", 1).await;
    assert_eq!(ids[3..], ["split-0", "split-1", "split-2", "split-3"]);
}
