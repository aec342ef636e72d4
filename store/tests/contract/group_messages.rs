//! Messages in groups.

use rookery_protocol::{GroupChange, Seq};
use rookery_store::ops::{Outcome, Refusal, SendMessage};

use crate::engines::UnderTest;
use crate::groups::{accepted, change, got, log, made, outcome, people, refused, say, sound, users};
use crate::people::{id, inbox, user};

pub(crate) async fn a_message_is_in_every_members_inbox_at_one_place(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl, dora] = people::<4>(&store).await;
    let group = made(&store, anna, 1, &[bert, carl]).await;
    let op = say(bert, group, 2);
    let conversation = op.conversation;
    let committed = store.submit(&0, op).await.expect("it commits");
    let Outcome::Accepted(accepted) = &committed.answer else { panic!("{:?}", committed.answer) };
    assert_eq!((accepted.seq, &accepted.told), (Seq::new(2), &users(&[anna, bert, carl])));
    for user in &accepted.told {
        let (stamp, _) = inbox(&store, *user).await.pop().expect("it was told");
        assert_eq!(stamp, committed.stamp(accepted.slot));
    }
    assert_eq!(got(&store, dora.user, group).await, []);
    let last = log(&store, group).await.pop().expect("it was logged");
    assert_eq!((last.conversation, last.sender, last.change), (conversation, bert.user, None));
    sound(&store, group, &people).await;
}

pub(crate) async fn a_message_sent_to_a_group_again_answers_the_first_seq(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert] = people::<2>(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    assert_eq!(accepted(&store, say(bert, group, 5)).await.seq, Seq::new(2));
    let mut again = say(bert, group, 5);
    again.author.time_ms = 99;
    match outcome(&store, again).await {
        Outcome::Duplicate(record) => assert_eq!((record.seq, record.time_ms), (Seq::new(2), 5)),
        other => panic!("{other:?}"),
    }
    let chained = |number| SendMessage { after: Some(id(number - 1)), ..say(bert, group, number) };
    assert!(matches!(outcome(&store, chained(7)).await, Outcome::OutOfOrder));
    assert_eq!(accepted(&store, chained(6)).await.seq, Seq::new(3));
    assert_eq!(accepted(&store, chained(7)).await.seq, Seq::new(4));
    sound(&store, group, &people).await;
}

pub(crate) async fn who_is_no_member_sends_nothing_whether_there_is_a_group_or_not(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    let nothing = rookery_protocol::GroupId::new(12_345).expect("a small number is an id");
    assert_eq!(refused(&store, say(carl, group, 2)).await, Refusal::NotMember);
    assert_eq!(refused(&store, say(carl, nothing, 2)).await, Refusal::NotMember);
    accepted(&store, change(anna, group, 2, GroupChange::Removed(users(&[bert])))).await;
    assert_eq!(refused(&store, say(bert, group, 3)).await, Refusal::NotMember);
    assert_eq!(inbox(&store, user(3)).await, []);
    sound(&store, group, &people).await;
}

pub(crate) async fn a_groups_seqs_are_dense_under_concurrent_senders(mut test: UnderTest) {
    let stores = [test.store().await, test.second_store().await];
    let people @ [anna, bert, carl] = people::<3>(&stores[0]).await;
    let group = made(&stores[0], anna, 1, &[bert, carl]).await;
    let tasks = (0..60_u128).map(|number| {
        let store = stores[number as usize % 2].clone();
        let by = people[number as usize % 3];
        tokio::spawn(async move { accepted(&store, say(by, group, 10 + number)).await.seq.get() })
    });
    let mut seqs = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        seqs.push(task.await.expect("nothing panics"));
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (2..=61).collect::<Vec<_>>());
    sound(&stores[0], group, &people).await;
}
