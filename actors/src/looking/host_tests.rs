use rookery_protocol::{Doing, GroupId, RequestId, Seq};

use super::*;

const SEEN: Sight = Sight { online: true, last_seen: true, last_seen_ms: 60_000 };
const HIDDEN: Sight = Sight::NONE;

fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

fn group(number: u64) -> ConversationId {
    ConversationId::group(GroupId::new(number).unwrap())
}

fn person(number: u64) -> Topic {
    Topic::User(user(number))
}

fn channel(number: u64) -> GroupId {
    GroupId::new(number).unwrap()
}

/// Something that is said in a channel.
fn said(number: u64) -> News {
    News::Said(channel(number), Bytes::from_static(b"entry"))
}

/// What followers are told of it.
fn heard(connections: &[u64]) -> Effect<u64> {
    Effect::Push(connections.to_vec(), Notice::Channel(encode_channel_notice(b"entry")))
}

fn mark(number: u64, delivered: u64) -> MemberMark {
    let (user, delivered) = (user(number), Seq::new(delivered));
    MemberMark { user, delivered, read: Seq::ZERO, delivered_ms: 1, read_ms: 0 }
}

fn presence(number: u64, availability: Availability, last_seen_ms: u64) -> Presence {
    Presence { user: user(number), availability, last_seen_ms }
}

fn told(connection: u64, people: &[Presence]) -> Effect<u64> {
    Effect::Push(vec![connection], Notice::Presence(PresenceNotice { people: people.to_vec() }))
}

fn looks(connection: u64, look: u64, users: &[u64]) -> Effect<u64> {
    let users = users.iter().copied().map(user).collect();
    Effect::Look { connection: ConnectionId(connection), look, viewer: user(9), users }
}

struct Scene {
    host: Host<u64>,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        Self { host: Host::new(now), now }
    }

    /// User 9 watches on a connection.
    fn watch(&mut self, connection: u64, users: &[u64], conversations: &[u64]) -> Vec<Effect<u64>> {
        self.watch_as(9, connection, users, conversations)
    }

    fn watch_as(
        &mut self,
        viewer: u64,
        connection: u64,
        users: &[u64],
        conversations: &[u64],
    ) -> Vec<Effect<u64>> {
        let mut effects = Vec::new();
        let watch = Watch {
            request: RequestId::new(1),
            users: users.iter().copied().map(user).collect(),
            conversations: conversations.iter().copied().map(group).collect(),
        };
        let id = ConnectionId(connection);
        let number = self.host.watch(self.now, (id, connection), user(viewer), &watch, &mut effects);
        self.host.opened(self.now, (id, number), watch.conversations, &mut effects);
        effects
    }

    /// A connection's user follows these, by this version of the store.
    fn follows(&mut self, connection: u64, version: u64, channels: &[u64]) -> Vec<Effect<u64>> {
        let mut effects = Vec::new();
        let channels: Vec<_> = channels.iter().copied().map(channel).collect();
        self.host.follows(self.now, (ConnectionId(connection), connection), version, channels, &mut effects);
        effects
    }

    fn gone(&mut self, connection: u64) -> Vec<Effect<u64>> {
        let mut effects = Vec::new();
        self.host.gone(ConnectionId(connection), &mut effects);
        effects
    }

    /// The last look has found this.
    fn seen(&mut self, connection: u64, whom: u64, sight: Sight) -> Vec<Effect<u64>> {
        self.seen_by(self.host.numbers, connection, whom, sight)
    }

    fn seen_by(&mut self, look: u64, connection: u64, whom: u64, sight: Sight) -> Vec<Effect<u64>> {
        self.host.seen((ConnectionId(connection), look), [(user(whom), sight)]);
        self.after(Duration::ZERO)
    }

    fn news(&mut self, news: News) -> Vec<Effect<u64>> {
        let mut effects = Vec::new();
        self.host.news(news, &mut effects);
        effects
    }

    fn present(&mut self, people: &[Presence]) -> Vec<Effect<u64>> {
        assert_eq!(self.news(News::Presence(people.to_vec())), []);
        self.after(Duration::ZERO)
    }

    fn not_taken(&mut self, connection: u64, people: &[Presence]) {
        let notice = PresenceNotice { people: people.to_vec() };
        self.host.not_taken(self.now, ConnectionId(connection), &notice);
    }

    fn after(&mut self, time: Duration) -> Vec<Effect<u64>> {
        let mut effects = Vec::new();
        self.now += time;
        self.host.step(self.now, &mut effects);
        self.host.tick(self.now, &mut effects);
        effects
    }
}

#[test]
fn owners_hear_of_what_is_watched_first_and_of_what_nobody_watches_any_more() {
    let mut scene = Scene::new();
    let both = scene.watch(1, &[2, 1, 2], &[7]);
    let watching = |topics: &[Topic]| Effect::Watching(topics.to_vec());
    assert_eq!(both, [watching(&[person(1), person(2)]), watching(&[Topic::Conversation(group(7))])]);
    assert_eq!(scene.watch(2, &[2], &[]), []);
    assert_eq!(scene.watch(1, &[3], &[7]), [watching(&[person(3)]), Effect::Unwatching(vec![person(1)])]);
    let mut effects = Vec::new();
    scene.host.gone(ConnectionId(1), &mut effects);
    assert_eq!(effects, [Effect::Unwatching(vec![person(3), Topic::Conversation(group(7))])]);
    scene.host.gone(ConnectionId(2), &mut effects);
    assert_eq!(effects[1..], [Effect::Unwatching(vec![person(2)])]);
    assert!(scene.host.topics.is_empty() && scene.host.watchers.is_empty());
}

#[test]
fn many_who_watch_the_same_are_told_by_and_by_and_all_of_them_in_their_time() {
    let mut scene = Scene::new();
    let watchers = 2_000;
    for connection in 1..=watchers {
        scene.watch(connection, &[1], &[]);
        let number = scene.host.numbers;
        scene.host.seen((ConnectionId(connection), number), [(user(1), SEEN)]);
    }
    while scene.host.is_telling(scene.now) {
        assert_eq!(scene.after(STEP), [], "the owner has said nothing");
    }
    for availability in [Availability::Online, Availability::Idle] {
        let how = presence(1, availability, 0);
        assert_eq!(scene.news(News::Presence(vec![how.clone()])), []);
        let mut all = Vec::new();
        for _ in 0..TOLD_IN_STEPS {
            assert!(scene.host.is_telling(scene.now + STEP));
            let some = scene.after(STEP);
            assert_eq!(some.len(), watchers as usize / TOLD_IN_STEPS);
            all.extend(some);
        }
        assert!(!scene.host.is_telling(scene.now));
        assert_eq!(all, (1..=watchers).map(|it| told(it, std::slice::from_ref(&how))).collect::<Vec<_>>());
    }
}

#[test]
fn presence_is_told_once_it_is_known_and_may_be_seen_and_at_most_twice_a_second() {
    let mut scene = Scene::new();
    scene.watch(1, &[1, 2], &[]);
    let (one, two) = (presence(1, Availability::Online, 0), presence(2, Availability::Idle, 0));
    assert_eq!(scene.present(std::slice::from_ref(&one)), [], "it is not known whether it may be seen");
    assert_eq!(scene.seen(1, 1, SEEN), [told(1, &[one])]);
    assert_eq!(scene.seen(1, 2, SEEN), [], "the owner has said nothing");
    assert_eq!(scene.present(std::slice::from_ref(&two)), [], "it is too soon");
    let gone = presence(1, Availability::Offline, 3 * 60_000 + 59_999);
    assert_eq!(scene.present(&[gone]), []);
    let rounded = presence(1, Availability::Offline, 3 * 60_000);
    assert_eq!(scene.after(PRESENCE_EVERY), [told(1, &[rounded, two])]);
    assert_eq!(scene.after(PRESENCE_EVERY), []);
    let back = [presence(2, Availability::Online, 0)];
    assert_eq!(scene.present(&back), [told(1, &back)], "at once after a while");
}

#[test]
fn many_who_come_and_go_at_once_are_told_of_together_and_only_they() {
    let mut scene = Scene::new();
    scene.watch(1, &[1, 2, 3], &[]);
    let online = [1, 2, 3].map(|number| presence(number, Availability::Online, 0));
    scene.present(&online);
    [1, 2, 3].into_iter().for_each(|number| drop(scene.seen(1, number, SEEN)));
    scene.after(PRESENCE_EVERY);
    for availability in [Availability::Idle, Availability::Offline, Availability::Idle] {
        for number in [3, 1] {
            assert_eq!(scene.news(News::Presence(vec![presence(number, availability, 0)])), []);
        }
    }
    assert_eq!(scene.host.watchers[&ConnectionId(1)].untold, [1, 3].map(user).into());
    let idle = [1, 3].map(|number| presence(number, Availability::Idle, 0));
    assert_eq!(scene.after(PRESENCE_EVERY), [told(1, &idle)]);
    assert!(!scene.host.is_telling(scene.now + PRESENCE_EVERY));
}

#[test]
fn those_whom_nothing_is_shown_take_nobodys_turn() {
    let mut scene = Scene::new();
    let hidden = 3 * TOLD_AT_ONCE_MIN as u64;
    for connection in 1..=hidden {
        scene.watch(connection, &[1], &[]);
        scene.seen(connection, 1, Sight::NONE);
    }
    scene.watch(hidden + 1, &[1], &[]);
    scene.seen(hidden + 1, 1, SEEN);
    for availability in [Availability::Online, Availability::Idle] {
        let how = [presence(1, availability, 0)];
        scene.now += PRESENCE_EVERY;
        assert_eq!(scene.present(&how), [told(hidden + 1, &how)]);
    }
}

#[test]
fn a_watch_renewed_tells_nothing_twice_and_lasts_on() {
    let mut scene = Scene::new();
    let online = [presence(1, Availability::Online, 0)];
    scene.watch(1, &[1], &[]);
    scene.seen(1, 1, SEEN);
    assert_eq!(scene.present(&online), [told(1, &online)]);
    scene.after(WATCH_LASTS / 2);
    assert_eq!(scene.watch(1, &[1], &[]), []);
    assert_eq!(scene.seen(1, 1, SEEN), []);
    assert_eq!(scene.after(WATCH_LASTS / 2 + LOOK_EVERY), [Effect::Watching(vec![person(1)])]);
    assert_eq!(scene.after(WATCH_LASTS / 2), [Effect::Unwatching(vec![person(1)])]);
}

#[test]
fn one_who_comes_to_watch_what_others_watch_is_told_at_once() {
    let mut scene = Scene::new();
    scene.watch(1, &[1], &[]);
    let offline = [presence(1, Availability::Offline, 0)];
    scene.present(&offline);
    scene.watch(2, &[1], &[]);
    let dated = presence(1, Availability::Offline, 60_000);
    assert_eq!(scene.seen(2, 1, SEEN), [told(2, &[dated])], "with what the store knows");
    scene.watch(3, &[1], &[]);
    let undated = Sight { last_seen: false, ..SEEN };
    assert_eq!(scene.seen(3, 1, undated), [told(3, &offline)]);
    scene.watch(4, &[1], &[]);
    assert_eq!(scene.seen(4, 1, HIDDEN), [], "nothing at all");
}

#[test]
fn who_hides_looks_gone_and_nothing_more_is_told_until_they_show_themselves() {
    let mut scene = Scene::new();
    scene.watch(1, &[1], &[]);
    let online = [presence(1, Availability::Online, 0)];
    scene.present(&online);
    scene.seen(1, 1, SEEN);
    let (watch, look) = (1, 2);
    assert_eq!(scene.news(News::Recheck(person(1))), []);
    assert_eq!(scene.after(PRESENCE_EVERY), [looks(1, look, &[1])]);
    let idle = [presence(1, Availability::Idle, 0)];
    assert_eq!(scene.present(&idle), [], "it is being looked at");
    assert_eq!(scene.seen_by(watch, 1, 1, SEEN), [], "what was read before the user hid");
    assert_eq!(scene.seen(1, 1, HIDDEN), [told(1, &[presence(1, Availability::Offline, 0)])]);
    scene.after(PRESENCE_EVERY);
    assert_eq!(scene.seen_by(watch, 1, 1, SEEN), []);
    assert_eq!(scene.present(&online), []);
    scene.news(News::Recheck(person(1)));
    assert_eq!(scene.after(Duration::ZERO), [looks(1, look + 1, &[1])]);
    assert_eq!(scene.seen_by(look, 1, 1, HIDDEN), [], "it is being looked at anew");
    assert_eq!(scene.seen(1, 1, SEEN), [told(1, &online)]);
}

#[test]
fn what_is_to_be_looked_at_anew_is_so_once_in_a_while_and_only_by_those_concerned() {
    let mut scene = Scene::new();
    scene.watch(1, &[1, 2, 3], &[]);
    scene.watch_as(8, 2, &[1], &[]);
    scene.watch(3, &[2], &[]);
    for _ in 0..3 {
        assert_eq!(scene.news(News::RecheckViewer { user: user(1), viewer: user(9) }), []);
        assert_eq!(scene.news(News::Recheck(person(2))), []);
    }
    assert_eq!(scene.after(Duration::ZERO), [looks(1, 4, &[1, 2]), looks(3, 5, &[2])]);
    assert_eq!(scene.after(Duration::ZERO), []);
    scene.host.recheck_for(&[ConnectionId(4)]);
    assert_eq!(scene.after(Duration::ZERO), []);
    scene.host.recheck_for(&[ConnectionId(1)]);
    assert_eq!(scene.after(Duration::ZERO), [looks(1, 6, &[1, 2, 3])]);
    scene.host.recheck_for(&[ConnectionId(3)]);
    scene.watch(3, &[2], &[]);
    assert_eq!(scene.after(Duration::ZERO), [], "who watches anew looks anyway");
}

#[test]
fn no_more_look_at_once_than_may_and_the_others_when_those_have() {
    let mut scene = Scene::new();
    for connection in 1..=100 {
        scene.watch(connection, &[1], &[7]);
    }
    scene.news(News::Recheck(person(1)));
    scene.news(News::Recheck(Topic::Conversation(group(7))));
    let first = scene.after(Duration::ZERO);
    assert_eq!(first.len(), 64);
    assert_eq!(scene.after(Duration::ZERO), []);
    let mut rest = Vec::new();
    for _ in first {
        scene.host.looked(&mut rest);
    }
    assert_eq!(rest.len(), 37);
    assert_eq!(rest[0], looks(65, 165, &[1]));
    assert!(matches!(&rest[36], Effect::Check { watchers, .. } if watchers.len() == 100));
}

#[test]
fn nothing_is_shown_of_those_of_whom_it_cannot_be_read_what_may_be_seen() {
    let mut scene = Scene::new();
    let connection = ConnectionId(1);
    scene.watch(1, &[1, 2], &[]);
    let online = [1, 2].map(|number| presence(number, Availability::Online, 0));
    scene.present(&online);
    scene.seen(1, 1, SEEN);
    scene.host.unseen((connection, 1));
    assert_eq!(
        scene.after(PRESENCE_EVERY),
        [],
        "of the first it has been read, of the second nothing was told"
    );
    scene.news(News::Recheck(person(1)));
    scene.host.unseen((connection, 1));
    assert_eq!(scene.after(PRESENCE_EVERY), [looks(1, 2, &[1])], "an earlier one has failed");
    scene.host.unseen((connection, 2));
    assert_eq!(scene.after(PRESENCE_EVERY), [told(1, &[presence(1, Availability::Offline, 0)])]);
    scene.watch(1, &[1, 2], &[]);
    scene.after(PRESENCE_EVERY);
    let all = [(user(1), SEEN), (user(2), SEEN)];
    scene.host.seen((connection, 3), all);
    assert_eq!(scene.after(Duration::ZERO), [told(1, &online)]);
}

#[test]
fn typing_is_told_to_others_who_have_the_conversation_open() {
    let mut scene = Scene::new();
    scene.watch_as(1, 1, &[], &[7]);
    scene.watch_as(2, 2, &[], &[7, 8]);
    scene.watch_as(3, 3, &[], &[8]);
    let typing = TypingNotice { conversation: group(7), user: user(1), doing: Doing::Typing };
    let notice = Effect::Push(vec![2], Notice::Typing(typing.clone()));
    assert_eq!(scene.news(News::Typing(typing.clone())), [notice]);
    scene.watch_as(2, 2, &[], &[8]);
    assert_eq!(scene.news(News::Typing(typing)), []);
}

#[test]
fn conversations_of_an_earlier_watch_are_not_opened() {
    let mut scene = Scene::new();
    let (id, mut effects) = (ConnectionId(1), Vec::new());
    let watch = |conversations: &[u64]| Watch {
        request: RequestId::new(1),
        users: Vec::new(),
        conversations: conversations.iter().copied().map(group).collect(),
    };
    let first = scene.host.watch(scene.now, (id, 1), user(1), &watch(&[7]), &mut effects);
    let second = scene.host.watch(scene.now, (id, 1), user(1), &watch(&[8]), &mut effects);
    scene.host.opened(scene.now, (id, second), vec![group(8)], &mut effects);
    scene.host.opened(scene.now, (id, first), vec![group(7)], &mut effects);
    assert_eq!(effects, [Effect::Watching(vec![Topic::Conversation(group(8))])]);
}

#[test]
fn a_conversation_is_closed_for_those_who_are_not_in_it_any_more() {
    let mut scene = Scene::new();
    scene.watch_as(1, 1, &[], &[7]);
    scene.watch_as(2, 2, &[], &[7, 8]);
    let watchers = vec![(ConnectionId(1), user(1)), (ConnectionId(2), user(2))];
    let check = Effect::Check { conversation: group(7), watchers };
    scene.news(News::Recheck(Topic::Conversation(group(7))));
    assert_eq!(scene.after(Duration::ZERO), [check]);
    let mut effects = Vec::new();
    scene.host.closed(scene.now, group(7), &[ConnectionId(2), ConnectionId(9)], &mut effects);
    assert_eq!(effects, []);
    let typing = TypingNotice { conversation: group(7), user: user(3), doing: Doing::Typing };
    assert_eq!(scene.news(News::Typing(typing.clone())), [Effect::Push(vec![1], Notice::Typing(typing))]);
    scene.host.closed(scene.now, group(7), &[ConnectionId(1)], &mut effects);
    assert_eq!(effects, [Effect::Unwatching(vec![Topic::Conversation(group(7))])]);
}

#[test]
fn receipts_are_told_without_ones_own() {
    let mut scene = Scene::new();
    scene.watch_as(1, 1, &[], &[7]);
    scene.watch_as(2, 2, &[], &[7]);
    scene.watch_as(3, 3, &[], &[7]);
    let receipts = |numbers: &[u64]| ReceiptsNotice {
        conversation: group(7),
        marks: numbers.iter().map(|number| mark(*number, 5)).collect(),
    };
    let effects = scene.news(News::Receipts(receipts(&[1, 2])));
    let push = |to: &[u64], numbers: &[u64]| Effect::Push(to.to_vec(), Notice::Receipts(receipts(numbers)));
    assert_eq!(effects, [push(&[1], &[2]), push(&[2], &[1]), push(&[3], &[1, 2])]);
    assert_eq!(scene.news(News::Receipts(receipts(&[3]))), [push(&[1, 2], &[3])]);
}

#[test]
fn what_is_said_in_a_channel_is_told_at_once_to_those_who_follow_it() {
    let mut scene = Scene::new();
    let watching = |numbers: &[u64]| {
        Effect::Watching(numbers.iter().map(|number| Topic::Channel(channel(*number))).collect())
    };
    assert_eq!(scene.follows(1, 1, &[7]), [watching(&[7])]);
    assert_eq!(scene.follows(2, 2, &[7, 8]), [watching(&[8])], "the owner of the first knows");
    assert_eq!(scene.news(said(7)), [heard(&[1, 2])]);
    assert_eq!(scene.news(said(7)), [heard(&[1, 2])], "each time");
    assert_eq!(scene.news(said(8)), [heard(&[2])]);
    assert_eq!(scene.news(said(9)), []);
    scene.watch(3, &[], &[7]);
    assert_eq!(scene.news(said(7)), [heard(&[1, 2])], "who has the group open follows no channel by it");
}

#[test]
fn who_follows_no_more_or_goes_hears_no_more_and_owners_hear_of_the_last() {
    let mut scene = Scene::new();
    scene.follows(1, 1, &[7]);
    scene.follows(2, 1, &[7, 8]);
    assert_eq!(scene.follows(1, 2, &[]), []);
    assert_eq!(scene.news(said(7)), [heard(&[2])]);
    let both = [7, 8].map(|number| Topic::Channel(channel(number)));
    assert_eq!(scene.gone(2), [Effect::Unwatching(both.to_vec())]);
    assert_eq!((scene.news(said(7)), scene.gone(2), scene.gone(1)), (vec![], vec![], vec![]));
    assert!(scene.host.topics.is_empty() && scene.host.followers.is_empty());
}

#[test]
fn what_is_followed_is_what_the_latest_version_of_the_store_says() {
    let mut scene = Scene::new();
    scene.follows(1, 5, &[7]);
    assert_eq!(scene.follows(1, 4, &[8]), [], "it was read before");
    assert_eq!((scene.news(said(7)), scene.news(said(8))), (vec![heard(&[1])], vec![]));
    let [seven, eight] = [7, 8].map(|number| Topic::Channel(channel(number)));
    assert_eq!(scene.follows(1, 5, &[7]), []);
    let moved = [Effect::Watching(vec![eight]), Effect::Unwatching(vec![seven])];
    assert_eq!(scene.follows(1, 6, &[8]), moved);
    assert_eq!((scene.news(said(7)), scene.news(said(8))), (vec![], vec![heard(&[1])]));
}

#[test]
fn following_lasts_as_long_as_the_connection_and_is_renewed_with_the_owner() {
    let mut scene = Scene::new();
    let topic = Topic::Channel(channel(7));
    scene.follows(1, 1, &[7]);
    scene.watch(1, &[2], &[]);
    let renewed = scene.after(RENEWED_EVERY);
    let both = |topics: &[Topic]| topics.len() == 2 && topics.contains(&topic);
    assert!(matches!(&renewed[..], [Effect::Watching(topics)] if both(topics)), "{renewed:?}");
    let ended = scene.after(WATCH_LASTS - RENEWED_EVERY);
    assert_eq!(ended, [Effect::Unwatching(vec![person(2)]), Effect::Watching(vec![topic])]);
    assert_eq!(scene.after(RENEWED_EVERY), [Effect::Watching(vec![topic])]);
    assert_eq!(scene.news(said(7)), [heard(&[1])], "watching has ended, and following has not");
    assert_eq!(scene.gone(1), [Effect::Unwatching(vec![topic])]);
}

#[test]
fn what_changes_who_may_see_what_is_nothing_to_those_who_follow() {
    let mut scene = Scene::new();
    scene.follows(1, 1, &[7]);
    scene.news(News::Recheck(Topic::Channel(channel(7))));
    scene.news(News::Recheck(Topic::Conversation(group(7))));
    scene.host.recheck_for(&[ConnectionId(1)]);
    assert_eq!(scene.after(Duration::ZERO), []);
    assert_eq!(scene.news(said(7)), [heard(&[1])]);
}

#[test]
fn marks_of_members_here_go_together_and_no_more_wait_than_may() {
    let mut scene = Scene::new();
    assert!(scene.host.moved(group(7), mark(1, 5)) && scene.host.moved(group(7), mark(1, 6)));
    let notice = ReceiptsNotice { conversation: group(7), marks: vec![mark(1, 6)] };
    assert_eq!(scene.after(Duration::ZERO), [Effect::Publish(News::Receipts(notice))]);
    for number in 1..=MARKS_MAX as u64 {
        assert!(scene.host.moved(group(number % 90 + 1), mark(number, 5)));
    }
    assert!(!scene.host.moved(group(1), mark(u64::from(u32::MAX), 5)));
    assert_eq!(scene.after(MARKS_EVERY / 2), []);
    assert_eq!(scene.after(MARKS_EVERY / 2).len(), 90);
    assert!(scene.host.moved(group(1), mark(1, 5)));
}

#[test]
fn what_a_connection_had_no_room_for_is_told_again() {
    let mut scene = Scene::new();
    scene.watch(1, &[1], &[]);
    scene.seen(1, 1, SEEN);
    let online = [presence(1, Availability::Online, 0)];
    assert_eq!(scene.present(&online), [told(1, &online)]);
    scene.not_taken(1, &online);
    assert_eq!(scene.after(PRESENCE_EVERY / 2), []);
    assert_eq!(scene.after(PRESENCE_EVERY / 2), [told(1, &online)]);
    assert_eq!(scene.after(PRESENCE_EVERY), []);
}

#[test]
fn who_hides_while_a_connection_has_no_room_looks_gone_once_it_has() {
    let mut scene = Scene::new();
    scene.watch(1, &[1, 2], &[]);
    let both = [1, 2].map(|number| presence(number, Availability::Online, 0));
    scene.host.seen((ConnectionId(1), 1), [(user(1), SEEN), (user(2), SEEN)]);
    assert_eq!(scene.present(&both), [told(1, &both)]);
    let idle = [presence(1, Availability::Idle, 0)];
    scene.after(PRESENCE_EVERY);
    assert_eq!(scene.present(&idle), [told(1, &idle)]);
    scene.not_taken(1, &idle);
    scene.news(News::Recheck(person(1)));
    assert_eq!(scene.after(Duration::ZERO), [looks(1, 2, &[1])]);
    scene.seen(1, 1, HIDDEN);
    let gone = [presence(1, Availability::Offline, 0)];
    assert_eq!(scene.after(PRESENCE_EVERY), [told(1, &gone)]);
    scene.not_taken(1, &gone);
    scene.watch(1, &[1, 2], &[]);
    scene.seen(1, 1, HIDDEN);
    assert_eq!(scene.after(PRESENCE_EVERY), [told(1, &gone)]);
    assert_eq!(scene.after(PRESENCE_EVERY), []);
}

#[test]
fn a_watch_of_the_most_takes_little_memory() {
    let most = size_of::<Watcher<std::sync::Arc<crate::connection::Connection>>>()
        + limits::WATCH_USERS_MAX * (size_of::<Seen>() + size_of::<Topic>() + size_of::<Followed>() + 64);
    println!("a user watched {}, a topic {} bytes", size_of::<Seen>(), size_of::<Followed>());
    assert!(most <= 16 * 1024, "{most}");
}
