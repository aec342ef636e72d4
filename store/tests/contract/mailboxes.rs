//! Mail between nodes.

use bytes::Bytes;
use rookery_protocol::Stamp;
use rookery_store::keys::mail::{ENTRIES_MAX, ENTRY_BYTES_MAX, bell_key};
use rookery_store::keys::node::NodeId;
use rookery_store::ops::{PostMail, PostOutcome, TakeMail};
use rookery_store::{Store, StoreError, queries};

use crate::engines::UnderTest;
use crate::nodes::{commit, join, name, remove};

async fn post(store: &Store, to: &NodeId, says: &[&str], nonce: u64) -> PostOutcome {
    let entries = says.iter().map(|says| Bytes::copy_from_slice(says.as_bytes())).collect();
    commit(store, PostMail { to: to.clone(), entries, nonce }).await.expect("the lease can be read")
}

async fn mail(store: &Store, node: &str) -> Vec<(Stamp, Bytes)> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    queries::mail(&*snapshot, &name(node), 100_000).await.expect("the mail can be read")
}

async fn says(store: &Store, node: &str) -> Vec<String> {
    let text = |(_, says): (Stamp, Bytes)| String::from_utf8(says.to_vec()).expect("tests write text");
    mail(store, node).await.into_iter().map(text).collect()
}

async fn take(store: &Store, node: &str, upto: Stamp) {
    commit(store, TakeMail { name: name(node), upto }).await.expect("the mail can be read");
}

pub(crate) async fn mail_is_there_in_order_until_it_is_taken(mut test: UnderTest) {
    let store = test.store().await;
    let (a, ab) = (join(&store, "a", 1, 1).await.id, join(&store, "ab", 1, 1).await.id);
    assert_eq!(post(&store, &a, &["1", "2"], 1).await, PostOutcome::Posted);
    assert_eq!(post(&store, &ab, &["other"], 2).await, PostOutcome::Posted);
    assert_eq!(post(&store, &a, &["3"], 3).await, PostOutcome::Posted);
    assert_eq!(says(&store, "a").await, ["1", "2", "3"]);
    let snapshot = store.snapshot().await.expect("the store can be read");
    assert_eq!(queries::mail(&*snapshot, &a.name, 2).await.expect("it is read").len(), 2);

    let second = mail(&store, "a").await[1].0;
    // Taking it again changes nothing.
    for _ in 0..2 {
        take(&store, "a", second).await;
        assert_eq!(says(&store, "a").await, ["3"]);
    }
    assert_eq!(says(&store, "ab").await, ["other"]);
    post(&store, &a, &["4"], 4).await;
    assert_eq!(says(&store, "a").await, ["3", "4"]);
}

pub(crate) async fn a_bell_wakes_with_each_post(mut test: UnderTest) {
    let (store, other) = (test.store().await, test.second_store().await);
    let a = join(&store, "a", 1, 1).await.id;
    for nonce in 1..4 {
        let woken = tokio::spawn(store.watch(bell_key(&a.name)));
        post(&other, &a, &["wake"], nonce).await;
        woken.await.expect("nothing panics").expect("it watches");
    }
}

pub(crate) async fn a_post_tried_again_is_there_once(mut test: UnderTest) {
    let store = test.store().await;
    let a = join(&store, "a", 1, 1).await.id;
    for _ in 0..3 {
        assert_eq!(post(&store, &a, &["once"], 7).await, PostOutcome::Posted);
    }
    assert_eq!(says(&store, "a").await, ["once"]);
}

pub(crate) async fn who_is_no_member_gets_no_mail(mut test: UnderTest) {
    let store = test.store().await;
    let never = NodeId { name: name("never"), ..join(&store, "a", 1, 1).await.id };
    assert_eq!(post(&store, &never, &["lost"], 1).await, PostOutcome::NotMember);
    let first = join(&store, "b", 1, 1).await.id;
    let second = join(&store, "b", 1, 2).await.id;
    assert_eq!(post(&store, &first, &["lost"], 2).await, PostOutcome::NotMember);
    assert_eq!(post(&store, &second, &["got"], 3).await, PostOutcome::Posted);
    remove(&store, &second).await;
    assert_eq!(post(&store, &second, &["lost"], 4).await, PostOutcome::NotMember);
    assert_eq!(says(&store, "b").await, Vec::<String>::new());
}

pub(crate) async fn mail_goes_with_the_run_of_the_node_it_is_for(mut test: UnderTest) {
    let store = test.store().await;
    let a = join(&store, "a", 1, 1).await.id;
    let first = join(&store, "b", 1, 1).await.id;
    post(&store, &a, &["stays"], 1).await;
    post(&store, &first, &["for the first"], 2).await;
    let second = join(&store, "b", 1, 2).await.id;
    assert_eq!(says(&store, "b").await, Vec::<String>::new());
    post(&store, &second, &["for the second"], 2).await;
    let stamp = mail(&store, "b").await[0].0;
    remove(&store, &second).await;
    assert_eq!(crate::probe::get_key(&store, bell_key(&name("b"))).await, None);
    assert_eq!(says(&store, "b").await, Vec::<String>::new());
    // Too late to take it: that leaves nothing behind.
    take(&store, "b", stamp).await;
    assert_eq!(crate::probe::get_key(&store, rookery_store::keys::mail::taken_key(&name("b"))).await, None);
    assert_eq!(says(&store, "a").await, ["stays"]);
}

pub(crate) async fn so_much_mail_may_wait_and_each_be_so_long(mut test: UnderTest) {
    let store = test.store().await;
    let a = join(&store, "a", 1, 1).await.id;
    let long = |bytes| PostMail { to: a.clone(), entries: vec![vec![7; bytes].into()], nonce: bytes as u64 };
    assert_eq!(commit(&store, long(ENTRY_BYTES_MAX)).await.expect("it fits"), PostOutcome::Posted);
    let too_long = commit(&store, long(ENTRY_BYTES_MAX + 1)).await;
    assert!(matches!(too_long, Err(StoreError::TooLarge(_))), "{too_long:?}");
    // Another 9,999 is all there may be.
    for nonce in 1..10 {
        assert_eq!(post(&store, &a, &["x"; 1_000], nonce).await, PostOutcome::Posted);
    }
    assert_eq!(post(&store, &a, &["x"; 1_000], 10).await, PostOutcome::Full);
    assert_eq!(post(&store, &a, &["x"; 999], 11).await, PostOutcome::Posted);
    assert_eq!(post(&store, &a, &["x"], 12).await, PostOutcome::Full);
    let waiting = mail(&store, "a").await;
    assert_eq!(waiting.len() as u64, ENTRIES_MAX);
    take(&store, "a", waiting[1].0).await;
    assert_eq!(post(&store, &a, &["x"; 3], 13).await, PostOutcome::Full);
    assert_eq!(post(&store, &a, &["x"; 2], 14).await, PostOutcome::Posted);
    assert_eq!(mail(&store, "a").await.len() as u64, ENTRIES_MAX);
}
