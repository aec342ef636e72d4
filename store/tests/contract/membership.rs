//! Joining, renewing, being removed.

use rookery_protocol::Epoch;
use rookery_store::keys::node::{Incarnation, NodeId};
use rookery_store::keys::view::{ClusterView, MEMBERS_MAX, Member, key as view_key};
use rookery_store::ops::{Join, JoinError, RemoveNode, RemoveOutcome, RenewOutcome};
use rookery_store::{Store, StoreConfig, StoreError, queries};

use crate::engines::UnderTest;
use crate::faulty::{Fault, FaultyEngine};
use crate::nodes::{commit, join, name, node, remove, renew, view};
use crate::one_batch::OneBatch;
use crate::probe::probe;

pub(crate) async fn who_joins_is_in_the_view_and_has_a_lease(mut test: UnderTest) {
    let store = test.store().await;
    assert_eq!(view(&store).await.epoch, Epoch::new(0));
    let b = join(&store, "b", 100, 1).await;
    let a = join(&store, "a", 50, 2).await;
    assert_eq!([b.view.epoch, a.view.epoch], [1, 2].map(Epoch::new));
    assert_eq!([&a.id, &b.id].map(ToString::to_string), ["a-1", "b-1"]);
    let view = view(&store).await;
    assert_eq!(view, a.view);
    assert_eq!(view.members.iter().map(|member| member.id()).collect::<Vec<_>>(), [a.id, b.id]);
    assert_eq!(view.member(&name("a")).expect("it has joined").clients, ["ws://a/v1"]);

    let snapshot = store.snapshot().await.expect("the store can be read");
    let leases = queries::leases(&*snapshot).await.expect("the leases can be read");
    let said: Vec<_> = leases.iter().map(|(name, lease)| (name.as_str(), lease.weight, lease.renewed)).collect();
    assert_eq!(said, [("a", 50, 0), ("b", 100, 0)]);
}

pub(crate) async fn a_join_tried_again_after_an_unknown_outcome_makes_no_second_incarnation(mut test: UnderTest) {
    let engine = FaultyEngine::new(test.engine().await);
    let store = Store::start(engine.clone(), StoreConfig::default());
    engine.inject(Fault::CommittedButUnknown);
    engine.inject(Fault::NotCommittedAndUnknown);
    for _ in 0..2 {
        let unknown = store.submit(&"cluster", node("a", 100, 7)).await;
        assert!(matches!(unknown, Err(StoreError::Ambiguous(_))), "{unknown:?}");
    }
    let joined = join(&store, "a", 100, 7).await;
    assert_eq!((joined.id.incarnation, joined.view.epoch), (Incarnation::new(1), Epoch::new(1)));
    assert_eq!(join(&store, "a", 100, 7).await, joined);
    // Renewed in between, it is the same joining still.
    renew(&store, &joined.id).await;
    assert_eq!(join(&store, "a", 100, 7).await, joined);
    // Another joining is another run.
    let again = join(&store, "a", 100, 8).await;
    assert_eq!((again.id.incarnation, again.view.epoch), (Incarnation::new(2), Epoch::new(2)));
    assert_eq!(view(&store).await.members.len(), 1);
}

pub(crate) async fn a_join_that_comes_late_takes_nobodys_place(mut test: UnderTest) {
    let store = test.store().await;
    let late = |after, nonce| Join { after: Incarnation::new(after), ..node("a", 100, nonce) };
    let first = join(&store, "a", 100, 1).await.id;
    remove(&store, &first).await;
    // It sent this before it died, and a successor came.
    let second = join(&store, "a", 100, 3).await;
    for after in [0, 1, 3] {
        let outcome = commit(&store, late(after, 2)).await;
        let overtaken = matches!(
            outcome,
            Err(JoinError::Overtaken { last, is_member: true }) if last == second.id.incarnation
        );
        assert!(overtaken, "{outcome:?}");
    }
    assert_eq!(view(&store).await, second.view);
    assert_eq!(lease(&store).await, (2, 0));

    remove(&store, &second.id).await;
    let outcome = commit(&store, late(1, 2)).await;
    assert!(matches!(outcome, Err(JoinError::Overtaken { is_member: false, .. })), "{outcome:?}");
    // Whoever knows of it comes after it.
    let third = commit(&store, late(2, 2)).await.expect("it knows the last");
    assert_eq!(third.id.incarnation, Incarnation::new(3));
}

pub(crate) async fn incarnations_never_repeat_after_removal(mut test: UnderTest) {
    let store = test.store().await;
    let mut seen = Vec::new();
    for nonce in [5, 5, 6, 5] {
        let joined = join(&store, "a", 100, nonce).await;
        seen.push(joined.id.incarnation.get());
        remove(&store, &joined.id).await;
    }
    assert_eq!(seen, [1, 2, 3, 4]);
    let view = view(&store).await;
    assert_eq!((view.epoch, view.members.len()), (Epoch::new(8), 0));
}

pub(crate) async fn a_lease_counts_its_renewals_until_its_node_is_replaced_or_removed(mut test: UnderTest) {
    let store = test.store().await;
    let first = join(&store, "a", 100, 1).await.id;
    let renewed = RenewOutcome::Renewed { epoch: Epoch::new(1) };
    assert_eq!([renew(&store, &first).await, renew(&store, &first).await], [renewed.clone(), renewed]);
    assert_eq!(lease(&store).await, (1, 2));

    let second = join(&store, "a", 100, 2).await.id;
    assert_eq!(renew(&store, &first).await, RenewOutcome::Superseded);
    assert_eq!(lease(&store).await, (2, 0));
    remove(&store, &second).await;
    assert_eq!(renew(&store, &second).await, RenewOutcome::Removed);
    assert_eq!(renew(&store, &first).await, RenewOutcome::Removed);
}

/// The one lease's incarnation, and how often it was renewed.
async fn lease(store: &Store) -> (u64, u64) {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let leases = queries::leases(&*snapshot).await.expect("the leases can be read");
    (leases[0].1.incarnation.get(), leases[0].1.renewed)
}

pub(crate) async fn who_has_renewed_since_is_not_removed(mut test: UnderTest) {
    let store = test.store().await;
    let id = join(&store, "a", 100, 1).await.id;
    renew(&store, &id).await;
    let before = view(&store).await;
    let op = |seen| RemoveNode { id: id.clone(), seen_renewed: Some(seen) };
    assert_eq!(commit(&store, op(0)).await.expect("it is read"), RemoveOutcome::Alive);
    assert_eq!(view(&store).await, before);
    assert_eq!(renew(&store, &id).await, RenewOutcome::Renewed { epoch: Epoch::new(1) });
    let removed = commit(&store, op(2)).await.expect("it is read");
    assert!(matches!(removed, RemoveOutcome::Removed { .. }), "{removed:?}");
}

pub(crate) async fn only_the_run_that_is_named_is_removed(mut test: UnderTest) {
    let store = test.store().await;
    let first = join(&store, "a", 100, 1).await.id;
    let second = join(&store, "a", 100, 2).await.id;
    let before = view(&store).await;
    let never = NodeId { name: name("b"), ..first.clone() };
    for id in [first, never] {
        for seen_renewed in [None, Some(0)] {
            let outcome = commit(&store, RemoveNode { id: id.clone(), seen_renewed }).await;
            assert_eq!(outcome.expect("it is read"), RemoveOutcome::NotMember);
        }
    }
    assert_eq!(view(&store).await, before);
    assert!(before.has(&second));
}

pub(crate) async fn two_who_remove_the_same_node_make_one_step(mut test: UnderTest) {
    for name in ["a", "b", "c"] {
        join(&test.store().await, name, 100, 1).await;
    }
    let before = view(&test.store().await).await;
    let dead = before.members[2].id();
    let op = || RemoveNode { id: dead.clone(), seen_renewed: Some(0) };
    // In one batch, and from two stores that may conflict.
    let batch = OneBatch::gather(&mut test).await;
    let outcomes = [batch.submit(op()), batch.submit(op())];
    batch.commit();
    let mut answers = Vec::new();
    for outcome in outcomes {
        answers.push(outcome.await.expect("told").expect("it commits").answer.expect("it is read"));
    }
    assert!(matches!(&answers[0], RemoveOutcome::Removed { .. }), "{answers:?}");
    assert_eq!(answers[1], RemoveOutcome::NotMember);
    assert_eq!(view(&batch.store).await.epoch, Epoch::new(before.epoch.get() + 1));

    let (one, other) = (test.store().await, test.second_store().await);
    let dead = before.members[1].id();
    let op = || RemoveNode { id: dead.clone(), seen_renewed: Some(0) };
    let (one_answer, other_answer) = tokio::join!(commit(&one, op()), commit(&other, op()));
    let answers = [one_answer.expect("it is read"), other_answer.expect("it is read")];
    let removed = answers.iter().filter(|answer| matches!(answer, RemoveOutcome::Removed { .. })).count();
    assert_eq!((removed, answers.contains(&RemoveOutcome::NotMember)), (1, true), "{answers:?}");
    assert_eq!(view(&one).await.epoch, Epoch::new(before.epoch.get() + 2));
}

pub(crate) async fn a_cluster_has_so_many_nodes_and_no_longer_addresses(mut test: UnderTest) {
    let store = test.store().await;
    let long = Join { link: "x".repeat(1_000), ..node("long", 100, 1) };
    assert!(matches!(commit(&store, long).await, Err(JoinError::TooLong { .. })));
    let long = Join { version: "x".repeat(1_000), ..node("long", 100, 1) };
    assert!(matches!(commit(&store, long).await, Err(JoinError::TooLong { .. })));
    // Were they to join one by one, that would take a while.
    let template = join(&store, "n0", 100, 1).await.view.members.pop().expect("it has joined");
    let members = (0..MEMBERS_MAX).map(|number| {
        let name = name(&format!("n{number}"));
        Member { name, ..template.clone() }
    });
    let full = ClusterView::placed(Epoch::new(9), members.collect());
    commit(&store, probe(&[], move |_, writes| writes.put(view_key(), full.encode()))).await;
    assert!(matches!(commit(&store, node("one-more", 100, 1)).await, Err(JoinError::TooMany)));
    // Who is a member already may join again.
    join(&store, "n7", 100, 2).await;
    assert_eq!(view(&store).await.members.len(), MEMBERS_MAX);
}
