//! Outcomes that are not known.

use rookery_protocol::{ConversationId, Seq};
use rookery_store::ops::{Accepted, Outcome};
use rookery_store::{Store, StoreConfig, StoreError, queries};

use crate::engines::UnderTest;
use crate::faulty::{Fault, FaultyEngine};
use crate::people::{ack, acked, add, counts, inbox, message};
use crate::probe::{get, put};

pub(crate) async fn a_message_sent_again_after_an_unknown_outcome_is_there_once(mut test: UnderTest) {
    let engine = FaultyEngine::new(test.engine().await);
    let store = Store::start(engine.clone(), StoreConfig::default());
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let conversation = ConversationId::direct(anna.user, bert.user);
    let faults = [Fault::CommittedButUnknown, Fault::NotCommittedAndUnknown, Fault::Unavailable];
    for (number, fault) in (1..).zip(faults.into_iter().cycle().take(9)) {
        engine.inject(fault);
        let failed = store.submit(&conversation, message(anna, bert.user, number)).await;
        match fault {
            Fault::Unavailable => assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}"),
            _ => assert!(matches!(failed, Err(StoreError::Ambiguous(_))), "{failed:?}"),
        }
        let again = store.submit(&conversation, message(anna, bert.user, number)).await;
        let seq = match again.expect("it commits").answer {
            Outcome::Accepted(Accepted { seq, .. }) => {
                assert_ne!(fault, Fault::CommittedButUnknown);
                seq
            }
            Outcome::Duplicate(record) => {
                assert_eq!(fault, Fault::CommittedButUnknown);
                record.seq
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(u128::from(seq.get()), number);
        assert_eq!(inbox(&store, bert.user).await.len() as u128, number);
    }
    let snapshot = store.snapshot().await.expect("the store can be read");
    assert_eq!(queries::head(&*snapshot, conversation).await.expect("read"), Seq::new(9));
}

pub(crate) async fn an_acknowledgement_again_after_an_unknown_outcome_tells_once(mut test: UnderTest) {
    let engine = FaultyEngine::new(test.engine().await);
    let store = Store::start(engine.clone(), StoreConfig::default());
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let op = message(anna, bert.user, 1);
    let conversation = op.conversation;
    store.submit(&conversation, op).await.expect("it commits");
    let stamp = inbox(&store, bert.user).await[0].0;
    let op = ack(bert, stamp, &[(conversation, Seq::new(1))]);
    engine.inject(Fault::CommittedButUnknown);
    store.submit(&bert.user, op.clone()).await.expect_err("its outcome is not known");
    // Whom it has told is known to the lost answer alone: sessions sweep.
    assert_eq!(acked(&store, op).await, []);
    assert_eq!(counts(&store, anna.user).await, (1, 1));
}

pub(crate) async fn nothing_is_answered_before_its_commit(mut test: UnderTest) {
    let engine = FaultyEngine::new(test.engine().await);
    let store = Store::start(engine.clone(), StoreConfig::default());
    engine.inject(Fault::Unavailable);
    store.submit(&0, put("a", "1")).await.expect_err("the commit failed");
    assert_eq!(get(&store, "a").await, None);
    store.submit(&0, put("a", "2")).await.expect("it commits");
    assert_eq!(get(&store, "a").await.as_deref(), Some(&b"2"[..]));
}
