//! Groups and unknown outcomes: whatever is asked for again happens once.

use rookery_protocol::{GroupChange, GroupSettings};
use rookery_store::ops::{Outcome, Refusal};
use rookery_store::{Store, StoreConfig, StoreError};

use crate::engines::UnderTest;
use crate::faulty::{Fault, FaultyEngine};
use crate::groups::{accepted, change, create, log, made, members, outcome, people, refused, say, sound, users};
use crate::one_batch::OneBatch;
use crate::people::At;

/// One of each kind, each of which changes something after those before it.
fn one_of_each(other: At, new: At) -> Vec<GroupChange> {
    vec![
        GroupChange::Added(users(&[new])),
        GroupChange::Removed(users(&[new])),
        GroupChange::Promoted(users(&[other])),
        GroupChange::Demoted(users(&[other])),
        GroupChange::Named("new".into()),
        GroupChange::Described("new".into()),
        GroupChange::Pictured("new".into()),
        GroupChange::Set(GroupSettings { backlog: 5, ..GroupSettings::default() }),
        GroupChange::Left { successor: None },
    ]
}

pub(crate) async fn a_change_made_again_after_an_unknown_outcome_is_made_once(mut test: UnderTest) {
    let engine = FaultyEngine::new(test.engine().await);
    let store = Store::start(engine.clone(), StoreConfig::default());
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    for fault in [Fault::CommittedButUnknown, Fault::NotCommittedAndUnknown] {
        let is_there = fault == Fault::CommittedButUnknown;
        let op = create(anna, 1 + u128::from(is_there), &[bert]);
        let group = op.group();
        engine.inject(fault);
        let failed = store.submit(&0, op.clone()).await;
        assert!(matches!(failed, Err(StoreError::Ambiguous(_))), "{failed:?}");
        assert_eq!(is_there, matches!(outcome(&store, op).await, Outcome::Duplicate(_)));
        assert_eq!(log(&store, group).await.len(), 1);

        for (number, wanted) in (10..).zip(one_of_each(bert, carl)) {
            let entries = log(&store, group).await.len() as u64;
            let op = change(anna, group, number, wanted.clone());
            engine.inject(fault);
            let failed = store.submit(&0, op.clone()).await;
            assert!(matches!(failed, Err(StoreError::Ambiguous(_))), "{failed:?}");
            match outcome(&store, op.clone()).await {
                Outcome::Accepted(accepted) => assert_eq!((is_there, accepted.seq.get()), (false, entries + 1)),
                Outcome::Duplicate(record) => assert_eq!((is_there, record.seq.get()), (true, entries + 1)),
                other => panic!("{wanted:?}: {other:?}"),
            }
            // However late it is asked for.
            assert!(matches!(outcome(&store, op).await, Outcome::Duplicate(_)), "{wanted:?}");
            assert_eq!(log(&store, group).await.len() as u64, entries + 1, "{wanted:?}");
        }
        sound(&store, group, &people).await;
    }
}

pub(crate) async fn the_end_of_a_group_asked_for_again_is_answered_as_before(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert] = people::<2>(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    let deleted = accepted(&store, change(anna, group, 2, GroupChange::Deleted)).await;
    match outcome(&store, change(anna, group, 2, GroupChange::Deleted)).await {
        Outcome::Duplicate(record) => assert_eq!(record.seq, deleted.seq),
        other => panic!("{other:?}"),
    }
    assert_eq!(refused(&store, change(anna, group, 3, GroupChange::Deleted)).await, Refusal::NotMember);
    sound(&store, group, &people).await;
}

pub(crate) async fn what_is_asked_for_twice_in_one_batch_happens_once(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let batch = OneBatch::gather(&mut test).await;
    let create = create(anna, 1, &[bert]);
    let group = create.group();
    let mut told = vec![batch.submit(create.clone()), batch.submit(create)];
    for (number, wanted) in (10..).zip(one_of_each(bert, carl)) {
        // A message goes between, by who is a member all the time.
        told.push(batch.submit(say(bert, group, number)));
        told.push(batch.submit(say(bert, group, number)));
        told.push(batch.submit(change(anna, group, number, wanted.clone())));
        told.push(batch.submit(change(anna, group, number, wanted)));
    }
    batch.commit();
    let mut outcomes = Vec::new();
    for outcome in told {
        outcomes.push(outcome.await.expect("told").expect("it commits").answer);
    }
    for (seq, pair) in (1..).zip(outcomes.chunks(2)) {
        let [Outcome::Accepted(first), Outcome::Duplicate(second)] = pair else { panic!("{pair:?}") };
        assert_eq!([first.seq.get(), second.seq.get()], [seq; 2]);
    }
    assert_eq!(members(&store, group).await.len(), 1);
    sound(&store, group, &people).await;
}
