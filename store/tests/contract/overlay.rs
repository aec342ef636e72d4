//! What an operation sees of those before it in its batch.

use rookery_store::KeyRange;

use crate::engines::UnderTest;
use crate::one_batch::OneBatch;
use crate::probe::{append, get, increment, key, number, probe, put, range, read_range, texts, under};

fn names(entries: &[(Vec<u8>, bytes::Bytes)]) -> Vec<String> {
    let prefix = key("r/").len();
    entries.iter().map(|(key, _)| String::from_utf8(key[prefix..].to_vec()).expect("text")).collect()
}

pub(crate) async fn an_operation_sees_what_those_before_it_in_the_batch_wrote(mut test: UnderTest) {
    let batch = OneBatch::gather(&mut test).await;
    let first: Vec<_> = (0..3).map(|_| batch.submit(increment("n"))).collect();
    let deleted = batch.submit(probe(&["n"], |view, writes| {
        writes.delete(key("n"));
        number(view.get(&key("n")).as_deref())
    }));
    let after = batch.submit(increment("n"));
    batch.commit();
    for (expected, outcome) in (0..).zip(first) {
        assert_eq!(outcome.await.expect("told").expect("it commits").answer, expected);
    }
    assert_eq!(deleted.await.expect("told").expect("it commits").answer, 3);
    assert_eq!(after.await.expect("told").expect("it commits").answer, 0);
    assert_eq!(number(get(&batch.store, "n").await.as_deref()), 1);
}

pub(crate) async fn a_range_sees_puts_deletes_and_cleared_ranges_of_its_batch(mut test: UnderTest) {
    let store = test.store().await;
    for name in ["r/a", "r/b", "r/c", "r/d", "r/e"] {
        store.submit(&0, put(name, "old")).await.expect("it commits");
    }
    let batch = OneBatch::gather(&mut test).await;
    drop(batch.submit(put("r/bb", "new")));
    drop(batch.submit(probe(&[], |_, writes| writes.delete(key("r/a")))));
    drop(batch.submit(probe(&[], |_, writes| writes.clear_range(key("r/bb"), key("r/e")))));
    drop(batch.submit(put("r/c", "again")));
    let seen = batch.submit(read_range(under("r/")));
    let backwards = batch.submit(read_range(KeyRange { reverse: true, ..under("r/") }));
    batch.commit();
    let seen = seen.await.expect("told").expect("it commits").answer;
    assert_eq!(names(&seen), ["b", "c", "e"]);
    let backwards = backwards.await.expect("told").expect("it commits").answer;
    assert_eq!(names(&backwards), ["e", "c", "b"]);
    let written = texts(&batch.store, "r/").await;
    let expected = [("b", "old"), ("c", "again"), ("e", "old")];
    assert_eq!(written, expected.map(|(key, value)| (key.into(), value.into())).into());
}

pub(crate) async fn a_limited_range_has_no_gap_where_its_batch_deleted(mut test: UnderTest) {
    let store = test.store().await;
    for name in ["r/b", "r/c", "r/d"] {
        store.submit(&0, put(name, "old")).await.expect("it commits");
    }
    let batch = OneBatch::gather(&mut test).await;
    drop(batch.submit(probe(&[], |_, writes| writes.delete(key("r/b")))));
    drop(batch.submit(put("r/z", "new")));
    let two = batch.submit(read_range(KeyRange { limit: 2, ..under("r/") }));
    drop(batch.submit(put("r/b", "back")));
    drop(batch.submit(probe(&[], |_, writes| writes.delete(key("r/d")))));
    drop(batch.submit(probe(&[], |_, writes| writes.delete(key("r/z")))));
    drop(batch.submit(put("r/a", "new")));
    let last = batch.submit(read_range(KeyRange { limit: 2, reverse: true, ..under("r/") }));
    batch.commit();
    let two = names(&two.await.expect("told").expect("it commits").answer);
    assert!(["c", "d"].starts_with(&two.iter().map(String::as_str).collect::<Vec<_>>()), "{two:?}");
    let last = names(&last.await.expect("told").expect("it commits").answer);
    assert!(["c", "b"].starts_with(&last.iter().map(String::as_str).collect::<Vec<_>>()), "{last:?}");
}

pub(crate) async fn a_cleared_range_takes_stamped_keys_of_its_batch_along(mut test: UnderTest) {
    let batch = OneBatch::gather(&mut test).await;
    drop(batch.submit(append("r/", "cleared")));
    let other = batch.submit(append("s/", "kept"));
    drop(batch.submit(probe(&[], |_, writes| {
        let KeyRange { begin, end, .. } = under("r/");
        writes.clear_range(begin, end);
    })));
    let after = batch.submit(append("r/", "after"));
    batch.commit();
    other.await.expect("told").expect("it commits");
    after.await.expect("told").expect("it commits");
    let values = |entries: Vec<(bytes::Bytes, bytes::Bytes)>| entries.into_iter().map(|(_, value)| value);
    assert_eq!(values(range(&batch.store, &under("r/")).await).collect::<Vec<_>>(), ["after"]);
    assert_eq!(values(range(&batch.store, &under("s/")).await).collect::<Vec<_>>(), ["kept"]);
}

pub(crate) async fn an_empty_or_reversed_range_is_empty_and_clears_nothing(mut test: UnderTest) {
    let batch = OneBatch::gather(&mut test).await;
    drop(batch.submit(put("r/b", "kept")));
    drop(batch.submit(probe(&[], |_, writes| writes.clear_range(key("r/c"), key("r/a")))));
    drop(batch.submit(probe(&[], |_, writes| writes.clear_range(key("r/b"), key("r/b")))));
    let reversed = KeyRange { begin: key("r/c"), end: key("r/a"), limit: 10, reverse: false };
    let seen = batch.submit(read_range(reversed.clone()));
    batch.commit();
    assert_eq!(seen.await.expect("told").expect("it commits").answer, []);
    assert_eq!(range(&batch.store, &reversed).await, []);
    assert_eq!(get(&batch.store, "r/b").await.as_deref(), Some(&b"kept"[..]));
}
