//! What an account sends that only its user may see.

use rookery_protocol::{ConversationId, Seq};
use rookery_store::ops::{SetStanding, SuspendUser};
use rookery_store::{Store, queries};

use crate::engines::UnderTest;
use crate::groups::{accepted, made, people, say};
use crate::people::{At, inbox, message, send, user};

async fn ban(store: &Store, who: At, is_shadow_banned: bool) -> Option<bool> {
    let op = SetStanding { user: who.user, is_unlimited: None, is_shadow_banned: Some(is_shadow_banned) };
    store.submit(&who.user, op).await.expect("it commits").answer.expect("the account can be read")
}

async fn withheld(store: &Store, conversation: ConversationId) -> Vec<u64> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let all = (Seq::new(1), Seq::new(u64::MAX));
    let withheld = queries::withheld(&*snapshot, conversation, all, 100).await.expect("and what is withheld");
    withheld.into_iter().map(Seq::get).collect()
}

pub(crate) async fn what_a_shadow_banned_user_sends_is_accepted_and_nobody_else_has_it(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert, carl] = people::<3>(&store).await;
    let (direct, group) =
        (ConversationId::direct(anna.user, bert.user), made(&store, anna, 1, &[bert, carl]).await);
    assert_eq!(ban(&store, bert, true).await, Some(true));
    assert_eq!(ban(&store, bert, true).await, Some(false), "it is so already");
    let (annas, carls) = (inbox(&store, anna.user).await.len(), inbox(&store, carl.user).await.len());
    for (number, op) in [(1, message(bert, anna.user, 10)), (2, say(bert, group, 11))] {
        let accepted = accepted(&store, op).await;
        assert_eq!((accepted.seq, &accepted.told), (Seq::new(number), &vec![bert.user]));
    }
    assert_eq!(inbox(&store, anna.user).await.len(), annas);
    assert_eq!(inbox(&store, carl.user).await.len(), carls);
    assert_eq!(withheld(&store, direct).await, [1]);
    assert_eq!(withheld(&store, ConversationId::group(group)).await, [2]);

    assert_eq!(ban(&store, bert, false).await, Some(true));
    assert_eq!(send(&store, bert, anna.user, 12).await, Seq::new(2));
    assert_eq!(send(&store, anna, bert.user, 13).await, Seq::new(3));
    assert_eq!(inbox(&store, anna.user).await.len(), annas + 2);
    assert_eq!(withheld(&store, direct).await, [1]);
}

pub(crate) async fn what_operators_say_of_an_account_is_its_own_and_outlasts_other_changes(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    assert_eq!(ban(&store, anna, true).await, Some(true));
    let unlimited = SetStanding { user: anna.user, is_unlimited: Some(true), is_shadow_banned: None };
    assert_eq!(store.submit(&0, unlimited).await.expect("it commits").answer.expect("the account can be read"), Some(true));
    store.submit(&0, SuspendUser { user: anna.user, suspension: None }).await.expect("it commits").answer.expect("the account can be read");
    let snapshot = store.snapshot().await.expect("the store can be read");
    let standing = async |who| queries::user(&*snapshot, who).await.expect("read").expect("an account").standing;
    let annas = standing(anna.user).await;
    assert!(annas.is_unlimited && annas.is_shadow_banned);
    let berts = standing(bert.user).await;
    assert!(!berts.is_unlimited && !berts.is_shadow_banned);
    let nobody = SetStanding { user: user(99), is_unlimited: Some(true), is_shadow_banned: None };
    assert_eq!(store.submit(&0, nobody).await.expect("it commits").answer.expect("the account can be read"), None);
}
