//! Bans.

use rookery_store::keys::ban::{BANS_MAX, Ban, Network};
use rookery_store::ops::{AddBan, BanAdded, RemoveBan};
use rookery_store::{Store, queries};

use crate::engines::UnderTest;

fn network(text: &str) -> Network {
    text.parse().expect("tests use fine networks")
}

fn ban(reason: &str, until_ms: Option<u64>) -> Ban {
    Ban { reason: reason.into(), since_ms: 1, until_ms }
}

async fn add(store: &Store, text: &str, ban: Ban) -> BanAdded {
    let op = AddBan { network: network(text), ban };
    store.submit(&0, op).await.expect("it commits").answer.expect("it can be read")
}

async fn remove(store: &Store, text: &str, ended_by_ms: Option<u64>) -> bool {
    let op = RemoveBan { network: network(text), ended_by_ms };
    store.submit(&0, op).await.expect("it commits").answer.expect("it can be read")
}

async fn listed(store: &Store) -> Vec<(String, Ban)> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let mut all = Vec::new();
    while let [(network, ban)] =
        &queries::bans(&*snapshot, all.last().map(|(network, _)| *network), 1).await.expect("and its bans")[..]
    {
        all.push((*network, ban.clone()));
    }
    all.into_iter().map(|(network, ban)| (network.to_string(), ban)).collect()
}

pub(crate) async fn a_ban_is_listed_replaced_and_taken_away(mut test: UnderTest) {
    let store = test.store().await;
    assert_eq!(add(&store, "192.0.2.0/24", ban("spam", None)).await, BanAdded::Changed);
    assert_eq!(add(&store, "192.0.2.0/24", ban("spam", None)).await, BanAdded::Unchanged);
    assert_eq!(add(&store, "2001:db8::1", ban("flood", Some(9))).await, BanAdded::Changed);
    assert_eq!(add(&store, "192.0.2.0/24", ban("more spam", None)).await, BanAdded::Changed);
    let both = [
        ("192.0.2.0/24".to_owned(), ban("more spam", None)),
        ("2001:db8::1".to_owned(), ban("flood", Some(9))),
    ];
    assert_eq!(listed(&store).await, both);
    assert!(remove(&store, "192.0.2.0/24", None).await);
    assert!(!remove(&store, "192.0.2.0/24", None).await);
    assert_eq!(listed(&store).await, both[1..]);
}

pub(crate) async fn a_ban_that_is_made_again_meanwhile_does_not_end_with_its_time(mut test: UnderTest) {
    let store = test.store().await;
    add(&store, "192.0.2.7", ban("", Some(10))).await;
    assert!(!remove(&store, "192.0.2.7", Some(9)).await);
    add(&store, "192.0.2.7", ban("", Some(20))).await;
    assert!(!remove(&store, "192.0.2.7", Some(10)).await);
    assert!(remove(&store, "192.0.2.7", Some(20)).await);
}

pub(crate) async fn there_are_at_most_so_many_bans(mut test: UnderTest) {
    let store = test.store().await;
    for number in 0..BANS_MAX as u32 {
        let network = Network::of(std::net::Ipv4Addr::from(number).into());
        let op = AddBan { network, ban: ban("", None) };
        // Answered in order; the last answer below says that all have been.
        store.submit_then(&0, op, |_| ()).expect("there is room in the queue");
    }
    assert_eq!(add(&store, "2001:db8::1", ban("", None)).await, BanAdded::TooMany);
    assert_eq!(add(&store, "0.0.0.1", ban("replaced", None)).await, BanAdded::Changed);
    assert!(remove(&store, "0.0.0.1", None).await);
    assert_eq!(add(&store, "2001:db8::1", ban("", None)).await, BanAdded::Changed);
}
