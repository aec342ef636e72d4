//! What a check says of chats, hidden messages, edits and deletions when something is wrong with them.

use bytes::Bytes;
use rookery_protocol::{
    Body, ConversationId, GroupId, Message, MessageHead, Reference, ReferenceKind, Seq, UserId, decode_value,
};
use rookery_store::Store;
use rookery_store::check::Finding;
use rookery_store::keys::chat::{self, Chat};
use rookery_store::keys::conversation::{edit_key, log_key};
use rookery_store::keys::hidden;
use rookery_store::ops::{Hide, Settled};

use crate::checks::{bytes, check, spoil};
use crate::engines::UnderTest;
use crate::groups::{accepted, made, people};
use crate::people::{At, message, send};
use crate::references::about;

/// What is done, the key that is written, its value or that it is removed, and what is found then.
type Case = (&'static str, Vec<u8>, Option<Bytes>, Vec<Finding>);

/// Writes one after the other, and takes each back.
pub(crate) async fn found(store: &Store, cases: Vec<Case>) {
    assert_eq!(check(store, 1_000).await.0, []);
    for (what, key, value, expected) in cases {
        let before = spoil(store, key.clone(), value).await;
        for keys_max in [1, 1_000] {
            let (findings, _) = check(store, keys_max).await;
            let is_unreadable =
                |found: &[Finding]| matches!(found, [Finding::Unreadable { key: at, .. }] if *at == key);
            if what == "unreadable" {
                assert!(is_unreadable(&findings), "{key:02x?}: {findings:#?}");
            } else {
                assert_eq!(findings, expected, "{what}, {keys_max} keys a step");
            }
        }
        spoil(store, key, before).await;
    }
    assert_eq!(check(store, 1_000).await.0, []);
}

fn nobody() -> UserId {
    UserId::new(77).expect("a small number is an id")
}

pub(crate) async fn what_is_wrong_with_chats_and_hidden_messages_is_found(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert, cora] = people(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    for number in 1..=4 {
        send(&store, anna, bert.user, number).await;
    }
    let group = made(&store, anna, 9, &[bert]).await;
    let (up_to, seqs) = (Seq::new(1), vec![Seq::new(3)]);
    let hide = Hide { asker: bert.asker(1), conversation, up_to, seqs };
    assert!(matches!(store.submit(&0, hide).await.expect("it commits").answer, Settled::Done));
    let (_, counts) = check(&store, 3).await;
    assert_eq!((counts.chats, counts.hidden), (2, 1));

    let user = bert.user;
    let hidden_up_to = |seq| Some(bytes(&Chat { hidden_up_to: Seq::new(seq), ..Chat::default() }));
    let hidden_key = |seq| hidden::key(user, conversation, Seq::new(seq));
    let value = || Some(Bytes::from_static(hidden::VALUE));
    let ahead = |conversation, hidden_up_to, head| Finding::ChatAhead {
        user,
        conversation,
        hidden_up_to: Seq::new(hidden_up_to),
        head: Seq::new(head),
    };
    let hidden_ahead =
        |seq| Finding::HiddenAhead { user, conversation, seq: Seq::new(seq), head: Seq::new(4) };
    let nothing_said = ConversationId::direct(bert.user, cora.user);
    let others = ConversationId::direct(anna.user, anna.user);
    let in_group = ConversationId::group(group);
    let no_group = ConversationId::group(GroupId::new(5).expect("a small number is an id"));
    let stranger = |user, conversation| Finding::ChatOfStranger { user, conversation };
    found(&store, vec![
        ("a chat is lost", chat::key(anna.user, conversation), None, vec![
            Finding::ConversationWithoutChat { conversation, user: anna.user },
        ]),
        ("a chat is lost that hides something", chat::key(user, conversation), None, vec![
            Finding::HiddenWithoutChat { user, conversation, seq: Seq::new(3) },
            Finding::ConversationWithoutChat { conversation, user },
        ]),
        ("a chat of nobody", chat::key(nobody(), ConversationId::direct(nobody(), user)), hidden_up_to(0), vec![
            Finding::KeptForNobody { user: nobody(), what: "chat" },
            Finding::ChatAhead {
                user: nobody(),
                conversation: ConversationId::direct(nobody(), user),
                hidden_up_to: Seq::ZERO,
                head: Seq::ZERO,
            },
        ]),
        ("a chat of nothing", chat::key(user, nothing_said), hidden_up_to(0), vec![ahead(nothing_said, 0, 0)]),
        ("a chat of others", chat::key(user, others), hidden_up_to(0), vec![
            stranger(user, others), ahead(others, 0, 0),
        ]),
        ("a chat of a group", chat::key(user, in_group), hidden_up_to(1), vec![]),
        ("a chat of a stranger's group", chat::key(cora.user, in_group), hidden_up_to(1), vec![
            stranger(cora.user, in_group),
        ]),
        ("a chat of no group", chat::key(user, no_group), hidden_up_to(0), vec![
            stranger(user, no_group), ahead(no_group, 0, 0),
        ]),
        ("a chat hides what is to come", chat::key(anna.user, conversation), hidden_up_to(5), vec![
            Finding::ChatAhead { user: anna.user, conversation, hidden_up_to: Seq::new(5), head: Seq::new(4) },
        ]),
        ("all is hidden", chat::key(anna.user, conversation), hidden_up_to(4), vec![]),
        ("what is hidden by name is hidden anyway", chat::key(user, conversation), hidden_up_to(3), vec![
            Finding::HiddenTwice { user, conversation, seq: Seq::new(3) },
        ]),
        ("another is hidden", hidden_key(4), value(), vec![]),
        ("one to come is hidden", hidden_key(5), value(), vec![hidden_ahead(5)]),
        ("hidden from nobody", hidden::key(nobody(), conversation, Seq::new(2)), value(), vec![
            Finding::HiddenWithoutChat { user: nobody(), conversation, seq: Seq::new(2) },
        ]),
        ("nothing is hidden", hidden_key(3), None, vec![]),
        ("unreadable", hidden_key(3), Some(Bytes::from_static(&[2])), vec![]),
        ("unreadable", chat::key(user, conversation), Some(Bytes::new()), vec![]),
        ("unreadable", [hidden_key(3), vec![1]].concat(), value(), vec![]),
        ("unreadable", [chat::key(user, conversation), vec![1]].concat(), hidden_up_to(0), vec![]),
    ])
    .await;
}

pub(crate) async fn what_is_wrong_with_edits_and_deletions_is_found(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    let from = |who: At, other: At, number| message(who, other.user, number);
    send(&store, anna, bert.user, 1).await;
    accepted(&store, about(from(anna, bert, 2), ReferenceKind::Edit, 1)).await;
    send(&store, bert, anna.user, 3).await;
    accepted(&store, about(from(bert, anna, 4), ReferenceKind::Edit, 3)).await;
    accepted(&store, about(from(bert, anna, 5), ReferenceKind::Delete, 3)).await;
    assert_eq!(check(&store, 3).await.1.edits, 2);

    let key = |seq| log_key(conversation, Seq::new(seq));
    let mut log = Vec::new();
    for seq in 1..=5 {
        let logged = crate::probe::get_key(&store, key(seq)).await.expect("it is there");
        log.push(decode_value::<Message>(&logged).expect("it is a message"));
    }
    let was = |seq: usize| log[seq - 1].clone();
    let edit = |of, edit| edit_key(conversation, Seq::new(of), Seq::new(edit));
    let head = |seq: usize| {
        let Message { conversation, seq, sender, device, id, time_ms, .. } = was(seq);
        Some(bytes(&MessageHead { conversation, seq, sender, device, id, time_ms }))
    };
    let said = |seq| Finding::DeletedAndSaid { conversation, seq: Seq::new(seq) };
    let [one, two, four] = [1, 2, 4].map(Seq::new);
    let body = Some(Body::new("x"));
    let reply = Some(Reference { kind: ReferenceKind::Reply, seq: one });
    found(&store, vec![
        ("an edit is not noted", edit(1, 2), None, vec![
            Finding::EditNotNoted { conversation, of: one, edit: two },
        ]),
        ("an edit of nothing", edit(9, 2), head(2), vec![
            Finding::EditOfAnother { conversation, of: Seq::new(9), edit: two },
            Finding::EditOfNothing { conversation, of: Seq::new(9), edit: two },
        ]),
        ("an edit that is none", edit(1, 5), head(5), vec![
            Finding::EditOfAnother { conversation, of: one, edit: Seq::new(5) },
        ]),
        ("an edit of another", edit(1, 4), head(4), vec![
            Finding::EditOfAnother { conversation, of: one, edit: four },
        ]),
        ("an edit that has become an answer", key(2), Some(bytes(&Message { reference: reply, ..was(2) })), vec![
            Finding::EditOfAnother { conversation, of: one, edit: two },
        ]),
        ("a deleted message with a body", key(3), Some(bytes(&Message { body: body.clone(), ..was(3) })), vec![said(3)]),
        ("a deletion not done", key(3), Some(bytes(&Message { deleted: false, body: body.clone(), ..was(3) })), vec![
            said(3),
        ]),
        ("an edit left", key(4), Some(bytes(&Message { deleted: false, body, ..was(4) })), vec![said(4)]),
        ("unreadable", edit(1, 2), head(4), vec![]),
        ("unreadable", edit(1, 2), Some(Bytes::new()), vec![]),
    ])
    .await;
}
