//! The owner's side: which hosts watch the topics of this node, and what they are told. No IO.
//!
//! It is soft state: a host says anew what it watches, and is then told how it stands.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use rookery_protocol::{Availability, ConversationId, MemberMark, Presence, ReceiptsNotice, UserId, limits};
use tokio::time::Instant;

use super::news::{News, Topic, WATCHED_AT_ONCE_MAX};
use crate::cluster::{Owner as Place, Peer};

/// After which a host that has not renewed watches no more.
const HOST_LASTS: Duration = Duration::from_millis(2 * limits::WATCH_MS as u64);
/// Between two looks for those.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Between two notices of receipts in one conversation.
const RECEIPTS_EVERY: Duration = Duration::from_secs(2);
/// Users of whom a host is told in one message, at most.
const PRESENT_AT_ONCE_MAX: usize = WATCHED_AT_ONCE_MAX;
/// Topics of one node that are watched, at most: about 250 MB.
const TOPICS_MAX: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(crate) struct Owner {
    topics: HashMap<Topic, Watched>,
    /// Conversations with marks to be told.
    moved: BTreeSet<ConversationId>,
    /// Users of whom hosts are to be told.
    changed: BTreeSet<UserId>,
    look_at: Instant,
}

/// A topic that is watched.
#[derive(Debug)]
struct Watched {
    hosts: Vec<Host>,
    is: How,
}

/// A node with connections that watch a topic.
#[derive(Debug)]
struct Host {
    place: Place,
    until: Instant,
    /// The view in which it said so, or a later one.
    epoch: u64,
}

/// What is known of a topic, and what is to be told of it.
#[derive(Debug)]
enum How {
    User(Option<Presence>),
    Conversation { marks: BTreeMap<UserId, MemberMark>, not_before: Instant },
    Channel,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The user's shard is to tell how the user is, now and at each change.
    Follow(UserId),
    /// The user's shard need not any more.
    Unfollow(UserId),
    /// These hosts are to hear this.
    Tell(Vec<PlaceId>, News),
}

/// A place, compared by which it is.
#[derive(Debug, Clone)]
pub(crate) struct PlaceId(pub(crate) Place);

impl PartialEq for PlaceId {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_same(&other.0)
    }
}

impl Eq for PlaceId {}

impl Owner {
    pub(crate) fn new(now: Instant) -> Self {
        Self { topics: HashMap::new(), moved: BTreeSet::new(), changed: BTreeSet::new(), look_at: now }
    }

    /// A host watches these topics, or still does. It has said so in the view of this epoch. How many were too many.
    pub(crate) fn watching(
        &mut self,
        now: Instant,
        place: &Place,
        epoch: u64,
        topics: Vec<Topic>,
        effects: &mut Vec<Effect>,
    ) -> usize {
        let (mut known, mut refused) = (Vec::new(), 0);
        for topic in topics {
            if self.topics.len() >= TOPICS_MAX && !self.topics.contains_key(&topic) {
                refused += 1;
                continue;
            }
            let watched = self.topics.entry(topic).or_insert_with(|| Watched::new(now, topic));
            watched.put(Host { place: place.clone(), until: now + HOST_LASTS, epoch });
            if let Topic::User(user) = topic {
                effects.push(Effect::Follow(user));
                if let How::User(Some(presence)) = &watched.is {
                    known.push(presence.clone());
                }
            }
        }
        if !known.is_empty() {
            effects.push(Effect::Tell(vec![PlaceId(place.clone())], News::Presence(known)));
        }
        refused
    }

    /// A host does not watch these any more.
    pub(crate) fn unwatching(&mut self, place: &Place, topics: &[Topic], effects: &mut Vec<Effect>) {
        for topic in topics {
            let Some(watched) = self.topics.get_mut(topic) else { continue };
            watched.hosts.retain(|host| !host.place.is_same(place));
            if watched.hosts.is_empty() {
                self.topics.remove(topic);
                effects.extend(unfollow(*topic));
            }
        }
    }

    /// A user's shard tells how the user is. Hosts hear of it with the tick: many may come and go at once.
    pub(crate) fn present(&mut self, mut presence: Presence, effects: &mut Vec<Effect>) {
        let Some(watched) = self.topics.get_mut(&Topic::User(presence.user)) else {
            return effects.push(Effect::Unfollow(presence.user));
        };
        let How::User(known) = &mut watched.is else { return };
        if let Some(known) = known
            && known.availability == Availability::Offline
            && presence.availability == Availability::Offline
        {
            // The shard has forgotten it once it is in the store.
            presence.last_seen_ms = presence.last_seen_ms.max(known.last_seen_ms);
        }
        if known.as_ref() != Some(&presence) {
            self.changed.insert(presence.user);
            *known = Some(presence);
        }
    }

    /// A host tells what is to be passed on. What nobody watches is not.
    pub(crate) fn published(&mut self, news: News, effects: &mut Vec<Effect>) {
        // Of presence only a shard of this node knows.
        let Some(topic) = news.topic() else { return };
        let Some(watched) = self.topics.get_mut(&topic) else { return };
        match (news, &mut watched.is) {
            (
                News::Receipts(ReceiptsNotice { conversation, marks }),
                How::Conversation { marks: told, .. },
            ) => {
                merge(told, marks);
                self.moved.insert(conversation);
            }
            (news, _) => effects.push(Effect::Tell(watched.places(), news)),
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.tell_presence(effects);
        self.moved.retain(|conversation| {
            let Some(watched) = self.topics.get_mut(&Topic::Conversation(*conversation)) else {
                return false;
            };
            let places = watched.places();
            let How::Conversation { marks, not_before } = &mut watched.is else { return false };
            if now < *not_before {
                return true;
            }
            *not_before = now + RECEIPTS_EVERY;
            let marks = std::mem::take(marks).into_values().collect();
            let notice = ReceiptsNotice { conversation: *conversation, marks };
            effects.push(Effect::Tell(places, News::Receipts(notice)));
            false
        });
        if now >= self.look_at {
            self.look_at = now + LOOK_EVERY;
            self.keep(effects, |_, host| host.until > now);
        }
    }

    /// Tells each host of all those that it watches and that have changed, in as few messages as may be.
    fn tell_presence(&mut self, effects: &mut Vec<Effect>) {
        let mut told: Vec<(Place, Vec<Presence>)> = Vec::new();
        for user in std::mem::take(&mut self.changed) {
            let Some(Watched { hosts, is: How::User(Some(presence)) }) = self.topics.get(&Topic::User(user))
            else {
                continue;
            };
            for host in hosts {
                match told.iter_mut().find(|(place, _)| place.is_same(&host.place)) {
                    Some((_, people)) => people.push(presence.clone()),
                    None => told.push((host.place.clone(), vec![presence.clone()])),
                }
            }
        }
        for (place, people) in told {
            effects.extend(
                people
                    .chunks(PRESENT_AT_ONCE_MAX)
                    .map(|some| Effect::Tell(vec![PlaceId(place.clone())], News::Presence(some.to_vec()))),
            );
        }
    }

    /// The view of this epoch holds: topics of others, and hosts that are no members, are forgotten. Who has said in a later
    /// view that it watches knows better.
    pub(crate) fn placed(
        &mut self,
        epoch: u64,
        is_mine: impl Fn(Topic) -> bool,
        is_member: impl Fn(&Peer) -> bool,
        effects: &mut Vec<Effect>,
    ) {
        let is_there = |place: &Place| match place {
            Place::Here => true,
            Place::Elsewhere(peer) => is_member(peer),
        };
        self.keep(effects, |topic, host| host.epoch > epoch || is_mine(topic) && is_there(&host.place));
    }

    fn keep(&mut self, effects: &mut Vec<Effect>, is_kept: impl Fn(Topic, &Host) -> bool) {
        self.topics.retain(|topic, watched| {
            watched.hosts.retain(|host| is_kept(*topic, host));
            if watched.hosts.is_empty() {
                effects.extend(unfollow(*topic));
            }
            !watched.hosts.is_empty()
        });
    }
}

impl Watched {
    fn new(now: Instant, topic: Topic) -> Self {
        let is = match topic {
            Topic::User(_) => How::User(None),
            Topic::Conversation(_) => How::Conversation { marks: BTreeMap::new(), not_before: now },
            Topic::Channel(_) => How::Channel,
        };
        Self { hosts: Vec::with_capacity(1), is }
    }

    fn put(&mut self, host: Host) {
        match self.hosts.iter_mut().find(|known| known.place.is_same(&host.place)) {
            Some(known) => *known = Host { epoch: known.epoch.max(host.epoch), ..host },
            None => self.hosts.push(host),
        }
    }

    fn places(&self) -> Vec<PlaceId> {
        self.hosts.iter().map(|host| PlaceId(host.place.clone())).collect()
    }
}

fn unfollow(topic: Topic) -> Option<Effect> {
    match topic {
        Topic::User(user) => Some(Effect::Unfollow(user)),
        Topic::Conversation(_) | Topic::Channel(_) => None,
    }
}

/// Takes in how far members have come, of each the furthest.
pub(super) fn merge(marks: &mut BTreeMap<UserId, MemberMark>, more: Vec<MemberMark>) {
    for mark in more {
        let known = marks.entry(mark.user).or_insert_with(|| mark.clone());
        if mark.delivered > known.delivered {
            (known.delivered, known.delivered_ms) = (mark.delivered, mark.delivered_ms);
        }
        if mark.read > known.read {
            (known.read, known.read_ms) = (mark.read, mark.read_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rookery_protocol::{Doing, GroupId, Seq, TypingNotice};
    use rookery_store::keys::node::{Incarnation, NodeId};

    use super::*;

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    fn group() -> ConversationId {
        ConversationId::group(GroupId::new(1).unwrap())
    }

    fn host(name: &str) -> Place {
        let id = NodeId { name: name.parse().unwrap(), incarnation: Incarnation::new(1) };
        Place::Elsewhere(Peer::new(id, 4))
    }

    fn presence(availability: Availability, last_seen_ms: u64) -> Presence {
        Presence { user: user(1), availability, last_seen_ms }
    }

    fn told(places: &[&Place], news: News) -> Effect {
        Effect::Tell(places.iter().map(|place| PlaceId((*place).clone())).collect(), news)
    }

    fn mark(number: u64, delivered: u64, read: u64) -> MemberMark {
        let (delivered, read) = (Seq::new(delivered), Seq::new(read));
        MemberMark { user: user(number), delivered, read, delivered_ms: delivered.get(), read_ms: read.get() }
    }

    struct Scene {
        owner: Owner,
        now: Instant,
    }

    impl Scene {
        fn new() -> Self {
            let now = Instant::now();
            Self { owner: Owner::new(now), now }
        }

        fn watching(&mut self, place: &Place, topic: Topic) -> Vec<Effect> {
            let mut effects = Vec::new();
            assert_eq!(self.owner.watching(self.now, place, 5, vec![topic], &mut effects), 0);
            effects
        }

        fn present(&mut self, presence: Presence) -> Vec<Effect> {
            let mut effects = Vec::new();
            self.owner.present(presence, &mut effects);
            self.owner.tick(self.now, &mut effects);
            effects
        }

        fn published(&mut self, news: News) -> Vec<Effect> {
            let mut effects = Vec::new();
            self.owner.published(news, &mut effects);
            effects
        }

        fn after(&mut self, time: Duration) -> Vec<Effect> {
            let mut effects = Vec::new();
            self.now += time;
            self.owner.tick(self.now, &mut effects);
            effects
        }
    }

    #[test]
    fn hosts_hear_how_a_user_is_when_they_come_and_at_each_change() {
        let (mut scene, a, b) = (Scene::new(), host("a"), host("b"));
        let topic = Topic::User(user(1));
        assert_eq!(scene.watching(&a, topic), [Effect::Follow(user(1))]);
        let online = News::Presence(vec![presence(Availability::Online, 0)]);
        assert_eq!(scene.present(presence(Availability::Online, 0)), [told(&[&a], online.clone())]);
        assert_eq!(scene.watching(&b, topic), [Effect::Follow(user(1)), told(&[&b], online)]);
        assert_eq!(scene.present(presence(Availability::Online, 0)), []);
        let gone = presence(Availability::Offline, 7);
        let news = News::Presence(vec![gone.clone()]);
        assert_eq!(scene.present(gone), [told(&[&a], news.clone()), told(&[&b], news)]);
        assert_eq!(scene.present(presence(Availability::Offline, 0)), [], "when is in the store now");
        let mut effects = Vec::new();
        scene.owner.unwatching(&a, &[topic], &mut effects);
        assert_eq!(effects, []);
        scene.owner.unwatching(&b, &[topic], &mut effects);
        assert_eq!(effects, [Effect::Unfollow(user(1))]);
        assert_eq!(scene.present(presence(Availability::Online, 0)), [Effect::Unfollow(user(1))]);
    }

    #[test]
    fn each_host_hears_of_all_who_come_and_go_at_once_in_one_message() {
        let (mut scene, a, b) = (Scene::new(), host("a"), host("b"));
        let people = PRESENT_AT_ONCE_MAX as u64 + 1;
        for number in 1..=people {
            scene.watching(&a, Topic::User(user(number)));
        }
        scene.watching(&b, Topic::User(user(3)));
        let mut effects = Vec::new();
        let online = |number| Presence { user: user(number), ..presence(Availability::Online, 0) };
        for number in 1..=people {
            scene
                .owner
                .present(Presence { user: user(number), ..presence(Availability::Idle, 0) }, &mut effects);
            scene.owner.present(online(number), &mut effects);
        }
        assert_eq!(effects, []);
        let news = |numbers: std::ops::RangeInclusive<u64>| News::Presence(numbers.map(online).collect());
        let most = people - 1;
        let all = [told(&[&a], news(1..=most)), told(&[&a], news(people..=people)), told(&[&b], news(3..=3))];
        assert_eq!(scene.after(Duration::ZERO), all);
        assert_eq!(scene.after(Duration::ZERO), []);
    }

    #[test]
    fn a_host_that_does_not_renew_is_forgotten() {
        let (mut scene, a, b) = (Scene::new(), host("a"), host("b"));
        let topic = Topic::User(user(1));
        scene.watching(&a, topic);
        scene.watching(&b, topic);
        assert_eq!(scene.after(HOST_LASTS / 2), []);
        scene.watching(&b, topic);
        scene.after(HOST_LASTS / 2);
        let news = News::Recheck(Topic::User(user(1)));
        assert_eq!(scene.published(news.clone()), [told(&[&b], news)]);
        assert_eq!(scene.after(HOST_LASTS), [Effect::Unfollow(user(1))]);
        assert!(scene.owner.topics.is_empty());
    }

    #[test]
    fn receipts_of_a_while_go_together_and_each_member_once() {
        let (mut scene, a) = (Scene::new(), host("a"));
        let receipts =
            |marks: Vec<MemberMark>| News::Receipts(ReceiptsNotice { conversation: group(), marks });
        assert_eq!(scene.published(receipts(vec![mark(1, 1, 0)])), [], "nobody watches");
        scene.watching(&a, Topic::Conversation(group()));
        assert_eq!(scene.after(Duration::ZERO), []);
        assert_eq!(scene.published(receipts(vec![mark(1, 1, 0)])), []);
        let first = told(&[&a], receipts(vec![mark(1, 1, 0)]));
        assert_eq!(scene.after(Duration::ZERO), [first]);
        scene.published(receipts(vec![mark(2, 5, 0), mark(1, 3, 0)]));
        scene.published(receipts(vec![mark(1, 2, 2)]));
        assert_eq!(scene.after(RECEIPTS_EVERY / 2), []);
        let both = MemberMark { read: Seq::new(2), read_ms: 2, ..mark(1, 3, 0) };
        let second = told(&[&a], receipts(vec![both, mark(2, 5, 0)]));
        assert_eq!(scene.after(RECEIPTS_EVERY / 2), [second]);
        assert_eq!(scene.after(RECEIPTS_EVERY), []);
    }

    #[test]
    fn typing_is_passed_on_at_once_to_those_who_watch() {
        let (mut scene, a) = (Scene::new(), host("a"));
        let news =
            News::Typing(TypingNotice { conversation: group(), user: user(1), doing: Doing::Recording });
        assert_eq!(scene.published(news.clone()), []);
        scene.watching(&Place::Here, Topic::Conversation(group()));
        scene.watching(&a, Topic::Conversation(group()));
        assert_eq!(scene.published(news.clone()), [told(&[&Place::Here, &a], news)]);
        assert_eq!(scene.published(News::Presence(vec![presence(Availability::Online, 0)])), []);
    }

    #[test]
    fn what_is_said_in_a_channel_is_passed_on_at_once_to_each_host_with_followers() {
        let (mut scene, a, b) = (Scene::new(), host("a"), host("b"));
        let group = GroupId::new(7).unwrap();
        let (topic, said) = (Topic::Channel(group), News::Said(group, Bytes::from_static(b"entry")));
        assert_eq!(scene.published(said.clone()), [], "nobody follows it");
        assert_eq!((scene.watching(&a, topic), scene.watching(&b, topic)), (vec![], vec![]));
        scene.watching(&Place::Here, topic);
        let told = |places: &[&Place]| vec![told(places, said.clone())];
        assert_eq!(scene.published(said.clone()), told(&[&a, &b, &Place::Here]));
        assert_eq!(scene.published(said.clone()), told(&[&a, &b, &Place::Here]), "each time");
        assert_eq!(scene.after(RECEIPTS_EVERY), [], "and not again");

        let mut effects = Vec::new();
        scene.owner.unwatching(&a, &[topic], &mut effects);
        assert_eq!((effects, scene.published(said.clone())), (vec![], told(&[&b, &Place::Here])));
        scene.after(HOST_LASTS / 2);
        scene.watching(&b, topic);
        scene.after(HOST_LASTS / 2);
        assert_eq!(scene.published(said.clone()), told(&[&b]), "who does not renew is forgotten");
        scene.after(HOST_LASTS);
        assert_eq!(scene.published(said.clone()), []);
        assert!(scene.owner.topics.is_empty());
    }

    #[test]
    fn a_view_takes_topics_and_hosts_away_unless_they_are_of_a_later_one() {
        let (mut scene, a, b) = (Scene::new(), host("a"), host("b"));
        for topic in [Topic::User(user(1)), Topic::User(user(2))] {
            scene.watching(&a, topic);
            scene.watching(&b, topic);
        }
        let mut effects = Vec::new();
        scene.owner.placed(4, |_| false, |_| false, &mut effects);
        assert_eq!(effects, []);
        let is_b = |peer: &Peer| peer.id.name.as_str() == "b";
        scene.owner.placed(5, |topic| topic == Topic::User(user(1)), is_b, &mut effects);
        assert_eq!(effects, [Effect::Unfollow(user(2))]);
        let news = News::Recheck(Topic::User(user(1)));
        assert_eq!(scene.published(news.clone()), [told(&[&b], news)]);
    }
}
