//! Reading ranges and several keys at once.

use rookery_store::KeyRange;

use crate::engines::UnderTest;
use crate::probe::{key, put, range, read_range, under};

pub(crate) async fn a_range_is_in_order_both_ways_and_limited(mut test: UnderTest) {
    let store = test.store().await;
    // Bytes from 128 on come after the others: order is bytewise, without signs.
    let names = ["a", "b", "b\u{1}", "c", "\u{e9}", "\u{ff}"];
    for name in names.iter().rev() {
        store.submit(&0, put(&format!("r/{name}"), name)).await.expect("it commits");
    }
    store.submit(&0, put("q/z", "beside")).await.expect("it commits");
    store.submit(&0, put("s/a", "beside")).await.expect("it commits");
    for limit in [1, 3, 6, 100] {
        for reverse in [false, true] {
            let asked = KeyRange { limit, reverse, ..under("r/") };
            let mut expected = names.to_vec();
            if reverse {
                expected.reverse();
            }
            expected.truncate(limit);
            let found = range(&store, &asked).await;
            assert_eq!(found.iter().map(|(_, value)| &value[..]).collect::<Vec<_>>(), expected.iter().map(|name| name.as_bytes()).collect::<Vec<_>>());
            let in_operation = store.submit(&0, read_range(asked)).await.expect("it commits").answer;
            assert_eq!(in_operation, found.iter().map(|(key, value)| (key.to_vec(), value.clone())).collect::<Vec<_>>());
        }
    }
    assert_eq!(range(&store, &KeyRange { limit: 0, ..under("r/") }).await, []);
}

pub(crate) async fn a_range_begins_at_its_first_key_and_ends_before_its_last(mut test: UnderTest) {
    let store = test.store().await;
    for name in ["r/a", "r/b", "r/c"] {
        store.submit(&0, put(name, "")).await.expect("it commits");
    }
    for reverse in [false, true] {
        let asked = KeyRange { begin: key("r/a"), end: key("r/c"), limit: 10, reverse };
        let mut expected = vec![key("r/a"), key("r/b")];
        if reverse {
            expected.reverse();
        }
        let found = range(&store, &asked).await;
        assert_eq!(found.iter().map(|(key, _)| key.to_vec()).collect::<Vec<_>>(), expected);
    }
}

pub(crate) async fn keys_fetched_together_keep_their_order(mut test: UnderTest) {
    let store = test.store().await;
    store.submit(&0, put("b", "2")).await.expect("it commits");
    store.submit(&0, put("a", "")).await.expect("it commits");
    let snapshot = store.snapshot().await.expect("the store can be read");
    let values = snapshot.get_many(&["b", "none", "a", "b"].map(key)).await.expect("the store can be read");
    let two = bytes::Bytes::from("2");
    assert_eq!(values, [Some(two.clone()), None, Some(bytes::Bytes::new()), Some(two)]);
    assert_eq!(snapshot.get_many(&[]).await.expect("the store can be read"), []);
}
