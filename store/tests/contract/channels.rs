//! Who follows a channel, and what comes of it.

use rookery_protocol::{
    AccountPart, ConversationId, ConversationSettings, GroupChange, GroupId, GroupSettings, Seq, UserId, limits,
};
use rookery_store::check::Check;
use rookery_store::keys::inbox::{AccountChange, InboxEntry};
use rookery_store::ops::{CreateGroup, Follow, MarkRead, MarkedRead, Refusal, RemoveUser, Removed, SetConversation, Settled};
use rookery_store::{Store, queries, remove_user};

use crate::engines::UnderTest;
use crate::groups::{accepted, change, create, got, made, members, people, say, sound};
use crate::one_batch::OneBatch;
use crate::people::{At, add_user, inbox};

fn as_channel() -> GroupSettings {
    GroupSettings { only_admins_send: true, is_channel: true, ..GroupSettings::default() }
}

async fn channel(store: &Store, by: At, number: u128) -> GroupId {
    let op = CreateGroup { settings: as_channel(), ..create(by, number, &[]) };
    let group = op.group();
    accepted(store, op).await;
    group
}

fn following(user: UserId, group: GroupId, follow: bool) -> Follow {
    Follow { user, asker: None, group, follow, time_ms: 9 }
}

async fn follow(store: &Store, user: UserId, group: GroupId) -> Settled {
    store.submit(&user, following(user, group, true)).await.expect("it commits").answer
}

async fn unfollow(store: &Store, user: UserId, group: GroupId) -> Settled {
    store.submit(&user, following(user, group, false)).await.expect("it commits").answer
}

/// Who follows a channel, and whether their number is as counted.
async fn followers(store: &Store, group: GroupId) -> Vec<UserId> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let followers = queries::followers(&*snapshot, group, None, 1_000).await.expect("read");
    let count = queries::followers_count(&*snapshot, group).await.expect("read");
    assert_eq!(count, followers.len() as u64);
    followers
}

/// What a user follows, and from which entry on.
async fn followed(store: &Store, user: UserId) -> Vec<(GroupId, u64)> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let followed = queries::followed(&*snapshot, user).await.expect("read");
    followed.into_iter().map(|(group, following)| (group, following.from.get())).collect()
}

async fn told(store: &Store, user: UserId) -> usize {
    let told = InboxEntry::Account(AccountChange { part: AccountPart::Followed, person: None, time_ms: 9 });
    inbox(store, user).await.iter().filter(|(_, entry)| *entry == told).count()
}

fn refused(settled: &Settled) -> Refusal {
    match settled {
        Settled::Refused(refusal) => *refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
fn done(settled: &Settled) {
    assert!(matches!(settled, Settled::Done), "{settled:?}");
}

async fn nothing_is_wrong(store: &Store) {
    assert_eq!(Check::new(9).finish(store, 9).await.expect("read"), []);
}

pub(crate) async fn channels_are_listed_in_pages_and_other_groups_passed_over(mut test: UnderTest) {
    const BESIDE: u128 = 100;
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let mut expected = Vec::new();
    for number in [BESIDE + 1, BESIDE + 2, BESIDE + 3] {
        expected.push(channel(&store, anna, number).await);
    }
    for number in 1..=BESIDE {
        accepted(&store, create(bert, number, &[])).await;
    }
    let gone = expected.pop().expect("there are three");
    accepted(&store, change(anna, gone, 999, GroupChange::Left { successor: None })).await;
    expected.sort_unstable();

    for (limit, groups_max) in [(10, 1_000), (1, 1_000), (10, 1), (1, 1)] {
        let snapshot = store.snapshot().await.expect("the store can be read");
        let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = queries::channels(&*snapshot, after, limit, groups_max).await.expect("read");
            assert!(page.0.len() <= limit && page.0.iter().all(|channel| channel.members == 1));
            found.extend(page.0.into_iter().map(|channel| channel.group));
            pages += 1;
            after = page.1;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{limit} of {groups_max}");
        assert!(pages > 1 || (limit, groups_max) == (10, 1_000), "{limit} of {groups_max}");
    }
}

pub(crate) async fn following_is_told_to_the_follower_alone_and_again_changes_nothing(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let news = channel(&store, anna, 1).await;
    accepted(&store, say(anna, news, 2)).await;
    for _ in 0..2 {
        done(&follow(&store, bert.user, news).await);
    }
    done(&follow(&store, carl.user, news).await);
    assert_eq!(followers(&store, news).await, [bert.user, carl.user]);
    let mut check = Check::new(9);
    assert_eq!(check.finish(&store, 9).await.expect("read"), []);
    assert_eq!(check.counts().followed, 2);
    assert_eq!(followed(&store, bert.user).await, [(news, 2)]);
    assert_eq!((told(&store, bert.user).await, told(&store, anna.user).await), (1, 0));
    accepted(&store, say(anna, news, 3)).await;
    assert!(got(&store, bert.user, news).await.is_empty(), "a follower's inbox has nothing of it");
    assert_eq!(members(&store, news).await.len(), 1);
    sound(&store, news, &people).await;

    for _ in 0..2 {
        done(&unfollow(&store, bert.user, news).await);
    }
    assert_eq!(followers(&store, news).await, [carl.user]);
    assert_eq!((followed(&store, bert.user).await, told(&store, bert.user).await), (vec![], 2));
    sound(&store, news, &people).await;
}

pub(crate) async fn what_is_no_channel_is_not_followed(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let group = made(&store, anna, 1, &[]).await;
    assert_eq!(refused(&follow(&store, bert.user, group).await), Refusal::NotAChannel);
    let nothing = GroupId::new(1).expect("a small number is an id");
    assert_eq!(refused(&follow(&store, bert.user, nothing).await), Refusal::NoSuchChannel);
    let nobody = UserId::new(77).expect("a small number is an id");
    assert_eq!(refused(&follow(&store, nobody, group).await), Refusal::NoSuchUser(nobody));
    done(&unfollow(&store, bert.user, nothing).await);

    let news = channel(&store, anna, 2).await;
    done(&follow(&store, bert.user, news).await);
    accepted(&store, change(anna, news, 3, GroupChange::Deleted)).await;
    assert_eq!(refused(&follow(&store, bert.user, news).await), Refusal::NoSuchChannel);
    nothing_is_wrong(&store).await;
    done(&unfollow(&store, bert.user, news).await);
    assert_eq!((followed(&store, bert.user).await, followers(&store, news).await), (vec![], vec![]));
    nothing_is_wrong(&store).await;
}

pub(crate) async fn a_user_follows_at_most_so_many_channels(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let mut channels = Vec::new();
    for number in 0..=limits::FOLLOWED_MAX as u128 {
        channels.push(channel(&store, anna, 1 + number).await);
    }
    let last = channels.pop().expect("there is one more");
    for group in &channels {
        done(&follow(&store, bert.user, *group).await);
    }
    assert_eq!(refused(&follow(&store, bert.user, last).await), Refusal::TooManyFollowed);
    done(&follow(&store, bert.user, channels[0]).await);
    done(&unfollow(&store, bert.user, channels[0]).await);
    done(&follow(&store, bert.user, last).await);
    assert_eq!(followed(&store, bert.user).await.len(), limits::FOLLOWED_MAX);
}

pub(crate) async fn many_who_follow_at_once_are_all_counted(mut test: UnderTest) {
    let store = test.store().await;
    let [anna] = people::<1>(&store).await;
    let news = channel(&store, anna, 1).await;
    let mut users = Vec::new();
    for number in 2..=60 {
        users.push(add_user(&store, number).await);
    }
    let all = users.iter().map(|user| follow(&store, *user, news));
    futures_util::future::join_all(all).await.iter().for_each(done);
    assert_eq!(followers(&store, news).await, users);
    let some = users.iter().filter(|user| user.get() % 2 == 0).map(|user| unfollow(&store, *user, news));
    futures_util::future::join_all(some).await.iter().for_each(done);
    assert_eq!(followers(&store, news).await.len(), 29);
    nothing_is_wrong(&store).await;
}

pub(crate) async fn a_removed_account_follows_nothing(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert, carl] = people::<3>(&store).await;
    let (news, other) = (channel(&store, anna, 1).await, channel(&store, anna, 2).await);
    for user in [bert.user, carl.user] {
        done(&follow(&store, user, news).await);
        done(&follow(&store, user, other).await);
    }
    let removed = store.submit(&0, RemoveUser { user: bert.user }).await.expect("it commits").answer;
    assert_eq!(removed.expect("read"), Removed::InGroups);
    assert!(remove_user(&store, bert.user, 9).await.expect("it commits"));
    for group in [news, other] {
        assert_eq!(followers(&store, group).await, [carl.user]);
    }
    assert_eq!((followed(&store, bert.user).await, inbox(&store, bert.user).await), (vec![], vec![]));
    nothing_is_wrong(&store).await;
}

pub(crate) async fn an_account_is_not_removed_while_one_channel_is_left_in_its_batch(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let news = channel(&store, anna, 1).await;
    let batch = OneBatch::gather(&mut test).await;
    let follows = batch.submit(following(bert.user, news, true));
    let first = batch.submit(RemoveUser { user: bert.user });
    drop(batch.submit(following(bert.user, news, false)));
    let second = batch.submit(RemoveUser { user: bert.user });
    let too_late = batch.submit(following(bert.user, news, true));
    batch.commit();
    done(&follows.await.expect("told").expect("it commits").answer);
    let answer = |told: crate::one_batch::Outcome<_>| told.expect("it commits").answer;
    assert_eq!(answer(first.await.expect("told")).expect("read"), Removed::InGroups);
    assert_eq!(answer(second.await.expect("told")).expect("read"), Removed::Done);
    let too_late = too_late.await.expect("told").expect("it commits").answer;
    assert_eq!(refused(&too_late), Refusal::NoSuchUser(bert.user));
    nothing_is_wrong(&store).await;
}

pub(crate) async fn a_follower_reads_and_lists_like_a_member(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert, carl] = people::<3>(&store).await;
    let news = channel(&store, anna, 1).await;
    let conversation = ConversationId::group(news);
    let last = accepted(&store, say(anna, news, 2)).await.seq;
    let read = |user| MarkRead { conversation, user, seq: Seq::new(9), time_ms: 9 };
    let set = |at: At| SetConversation {
        asker: at.asker(1),
        conversation,
        settings: ConversationSettings { pinned: true, ..ConversationSettings::default() },
    };
    let answer = store.submit(&0, read(bert.user)).await.expect("it commits").answer;
    assert!(matches!(answer, MarkedRead::NotMember), "{answer:?}");
    let answer = store.submit(&0, set(bert)).await.expect("it commits").answer;
    assert_eq!(refused(&answer), Refusal::NotMember);

    done(&follow(&store, bert.user, news).await);
    let answer = store.submit(&0, read(bert.user)).await.expect("it commits").answer;
    assert!(matches!(&answer, MarkedRead::Done { told, .. } if *told == [bert.user]), "{answer:?}");
    done(&store.submit(&0, set(bert)).await.expect("it commits").answer);
    let snapshot = store.snapshot().await.expect("the store can be read");
    let users = [anna.user, bert.user, carl.user];
    let marks = queries::marks_of(&*snapshot, conversation, users).await.expect("read");
    assert_eq!(marks.iter().map(|mark| mark.read).collect::<Vec<_>>(), [Seq::ZERO, last, Seq::ZERO]);
    nothing_is_wrong(&store).await;
}
