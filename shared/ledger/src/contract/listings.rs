//! Put-offs, keys and listings.

use super::*;

/// Claims are many, for many reasons; what counts is how often something stood in
/// the way of the next step.
pub async fn put_offs_are_counted_until_there_is_progress(
    ledger: Arc<dyn Ledger>,
    _clock: TestClock,
) {
    for expected in 0..3 {
        let claim = claimed(&*ledger, &request("a", &format!("owner {expected}"))).await;
        assert_eq!(claim.put_offs, expected);
        ledger.pause(claim, Some("the cluster is away")).await.unwrap();
        let claim = claimed(&*ledger, &request("a", &format!("deadline {expected}"))).await;
        ledger.pause(claim, None).await.unwrap();
    }
    let mut claim = claimed(&*ledger, &request("a", "progress")).await;
    assert_eq!((claim.put_offs, claim.attempt), (3, 7));
    begin(&*ledger, &mut claim, 0).await;
    ledger.commit(&mut claim, ten_rows(10)).await.unwrap();
    assert_eq!(claim.put_offs, 0);
    ledger.pause(claim, Some("the cluster is away")).await.unwrap();
    assert_eq!(claimed(&*ledger, &request("a", "last")).await.put_offs, 1);
}

/// Nothing in a key can make two objects one.
pub async fn any_key_is_its_own_object(ledger: Arc<dyn Ledger>, _clock: TestClock) {
    let (hashes, marks, wide) = ("#".repeat(1_024), "%".repeat(1_024), "ü".repeat(512));
    let keys =
        ["a#b", "a%23b", "a", "b#etag", " ", "a/b?c=1&d=+", "Ⅷ/😀\"\\\n", &hashes, &marks, &wide];
    for key in keys {
        let claim = claimed(&*ledger, &request(key, key)).await;
        assert_eq!(claim.fence, 1, "{key}");
    }
    for key in keys {
        let found = record(&*ledger, key).await;
        assert_eq!((found.object, found.owner.as_str()), (object(key), key));
    }
    let other = ClaimRequest { source: "returns".into(), ..request("a", "x") };
    assert_eq!(claimed(&*ledger, &other).await.fence, 1, "two sources may read one object");
    let mut version = request("a", "x");
    version.object.etag = "other".into();
    assert_eq!(claimed(&*ledger, &version).await.fence, 1, "other bytes are another object");
}

/// By source and over all sources, in a state, limited.
pub async fn listings_are_newest_first(ledger: Arc<dyn Ledger>, clock: TestClock) {
    for i in 0..12 {
        clock.pass(Duration::from_millis(10));
        let source = if i % 3 == 0 { "returns" } else { "orders" };
        let claim = claimed(
            &*ledger,
            &ClaimRequest { source: source.into(), ..request(&format!("k{i}"), "one") },
        )
        .await;
        if i % 2 == 0 {
            ledger.fail(claim, "bad").await.unwrap();
        }
    }
    let keys = async |source: Option<&str>, state: Option<State>, limit: usize| -> Vec<String> {
        let query = ListQuery { source: source.map(str::to_owned), state, limit };
        ledger.list(&query).await.unwrap().into_iter().map(|record| record.object.key).collect()
    };
    assert_eq!(keys(Some("orders"), None, 3).await, ["k11", "k10", "k8"]);
    assert_eq!(keys(Some("returns"), None, 100).await, ["k9", "k6", "k3", "k0"]);
    assert_eq!(keys(Some("orders"), Some(State::Failed), 2).await, ["k10", "k8"]);
    assert_eq!(keys(Some("orders"), Some(State::Done), 2).await, Vec::<String>::new());
    assert_eq!(keys(None, None, 4).await, ["k11", "k10", "k9", "k8"]);
    assert_eq!(keys(None, Some(State::Failed), 100).await, ["k10", "k8", "k6", "k4", "k2", "k0"]);
    assert_eq!(keys(Some("nobody"), None, 100).await, Vec::<String>::new());
    assert_eq!(keys(None, None, 0).await, Vec::<String>::new());
}
