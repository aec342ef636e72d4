use bytes::Bytes;
use proptest::prelude::*;
use rookery_protocol::{
    ConversationId, DeviceId, GroupId, MemberMark, MessageId, Presence, ReceiptsNotice, Seq, Stamp,
    TypingNotice, UserId,
};
use rookery_store::keys::node::{Incarnation, NodeId};
use rookery_store::keys::view::ClusterView;
use tokio::time::Instant;

use crate::cluster::message::{
    BELLS_MAX, BatchError, Bell, Bells, Header, HostedDevice, LinkMessage, VERSION_MAX, VERSION_MIN,
    VERSION_WITH_LOOKING, VERSION_WITH_MANY, decode_batch, encode_batch,
};
use crate::cluster::outgoing::Outgoing;
use crate::looking::{News, Topic};

fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

fn ring(number: u64, bytes: usize) -> LinkMessage {
    let event = (bytes > 0).then(|| (Stamp::MAX, Bytes::from(vec![7; bytes])));
    LinkMessage::Ring { bell: Bell { user: user(number), id: None, event }, hops: 0 }
}

fn ring_many(numbers: std::ops::RangeInclusive<u64>, bytes: usize) -> LinkMessage {
    let event = (bytes > 0).then(|| (Stamp::MAX, Bytes::from(vec![7; bytes])));
    LinkMessage::RingMany { bells: Bells { users: numbers.map(user).collect(), id: None, event }, hops: 0 }
}

fn header(version: u8) -> Header {
    Header { version, speaks: VERSION_MAX, epoch: 3, seq: 9, ack: 4 }
}

fn arbitrary_node() -> impl Strategy<Value = NodeId> {
    ("[a-z][a-z0-9._-]{0,40}", any::<u64>()).prop_map(|(name, incarnation)| NodeId {
        name: name.parse().unwrap(),
        incarnation: Incarnation::new(incarnation),
    })
}

fn arbitrary_message() -> impl Strategy<Value = LinkMessage> {
    let user = (1..=UserId::MAX).prop_map(user);
    let device = (any::<u32>(), any::<u64>(), any::<bool>()).prop_map(|(device, admitted, active)| {
        HostedDevice { device: DeviceId::new(device), admitted, active }
    });
    let id = proptest::option::of(any::<[u8; 16]>().prop_filter("an id", |id| *id != [0; 16]));
    let event = proptest::option::of((any::<[u8; 12]>(), proptest::collection::vec(any::<u8>(), 0..300)));
    let bells =
        (proptest::collection::vec(user.clone(), 2..9), id, event).prop_map(|(users, id, event)| Bells {
            users,
            id: id.map(MessageId::from_bytes),
            event: event.map(|(stamp, frame)| (Stamp::from_bytes(stamp), frame.into())),
        });
    let bell = bells.clone().prop_map(|bells| bells.of(vec![bells.users[0]]).single().unwrap());
    prop_oneof![
        (bells.clone(), any::<u8>()).prop_map(|(bells, hops)| LinkMessage::RingMany { bells, hops }),
        bells.prop_map(LinkMessage::BellMany),
        (bell.clone(), any::<u8>()).prop_map(|(bell, hops)| LinkMessage::Ring { bell, hops }),
        bell.prop_map(LinkMessage::Bell),
        (arbitrary_node(), user.clone(), any::<u64>(), proptest::collection::vec(device.clone(), 0..5))
            .prop_map(|(host, user, number, devices)| LinkMessage::Host { host, user, number, devices }),
        (user.clone(), any::<u64>()).prop_map(|(user, number)| LinkMessage::Hosted { user, number }),
        (user, device).prop_map(|(user, newer)| LinkMessage::Replace { user, newer }),
        (arbitrary_node(), 0..64_u16).prop_map(|(owner, shard)| LinkMessage::Forgotten {
            owner,
            shard,
            shards: 64
        }),
        Just(LinkMessage::View(ClusterView::default())),
        Just(LinkMessage::Prove),
        proptest::collection::vec(arbitrary_topic(), 0..9).prop_map(LinkMessage::Watching),
        proptest::collection::vec(arbitrary_topic(), 0..9).prop_map(LinkMessage::Unwatching),
        arbitrary_news().prop_map(LinkMessage::Published),
        arbitrary_news().prop_map(LinkMessage::News),
    ]
}

fn arbitrary_conversation() -> impl Strategy<Value = ConversationId> {
    let one = 1..=UserId::MAX;
    prop_oneof![
        (one.clone(), one).prop_map(|(one, other)| ConversationId::direct(user(one), user(other))),
        (1..=GroupId::MAX).prop_map(|number| ConversationId::group(GroupId::new(number).unwrap())),
    ]
}

fn arbitrary_topic() -> impl Strategy<Value = Topic> {
    prop_oneof![
        (1..=UserId::MAX).prop_map(|number| Topic::User(user(number))),
        arbitrary_conversation().prop_map(Topic::Conversation),
    ]
}

fn arbitrary_news() -> impl Strategy<Value = News> {
    let user = (1..=UserId::MAX).prop_map(user);
    let presence = (user.clone(), 0..3_u8, any::<u64>()).prop_map(|(user, availability, last_seen_ms)| {
        Presence { user, availability: availability.into(), last_seen_ms }
    });
    let typing = (arbitrary_conversation(), user.clone(), 0..3_u8);
    let mark =
        (user.clone(), any::<[u64; 4]>()).prop_map(|(user, [delivered, read, delivered_ms, read_ms])| {
            let (delivered, read) = (Seq::new(delivered), Seq::new(read));
            MemberMark { user, delivered, read, delivered_ms, read_ms }
        });
    let marks = (arbitrary_conversation(), proptest::collection::vec(mark, 0..9));
    prop_oneof![
        proptest::collection::vec(presence, 0..9).prop_map(News::Presence),
        typing.prop_map(|(conversation, user, doing)| {
            News::Typing(TypingNotice { conversation, user, doing: doing.into() })
        }),
        marks.prop_map(|(conversation, marks)| News::Receipts(ReceiptsNotice { conversation, marks })),
        arbitrary_topic().prop_map(News::Recheck),
        (user.clone(), user).prop_map(|(user, viewer)| News::RecheckViewer { user, viewer }),
    ]
}

/// As one who reads the oldest format has it.
fn as_of_old(message: LinkMessage) -> LinkMessage {
    match message {
        LinkMessage::Ring { bell, hops } => LinkMessage::Ring { bell: Bell { id: None, ..bell }, hops },
        LinkMessage::Bell(bell) => LinkMessage::Bell(Bell { id: None, ..bell }),
        LinkMessage::Host { host, user, number, mut devices } => {
            devices.iter_mut().for_each(|device| device.active = true);
            LinkMessage::Host { host, user, number, devices }
        }
        LinkMessage::Replace { user, newer } => {
            LinkMessage::Replace { user, newer: HostedDevice { active: true, ..newer } }
        }
        other => other,
    }
}

proptest! {
    #[test]
    fn a_batch_reads_as_written(messages in proptest::collection::vec(arbitrary_message(), 0..8)) {
        let batch = encode_batch(header(VERSION_MAX), &messages);
        prop_assert_eq!(decode_batch(&batch), Ok((header(VERSION_MAX), messages.clone(), 0)));
        let mut understood = Vec::new();
        for message in messages {
            message.in_format(VERSION_MIN, |message| understood.push(message));
        }
        let older = encode_batch(header(VERSION_MIN), &understood);
        let understood = understood.into_iter().map(as_of_old).collect();
        prop_assert_eq!(decode_batch(&older), Ok((header(VERSION_MIN), understood, 0)));
    }

    #[test]
    fn what_a_peer_sends_never_panics(
        messages in proptest::collection::vec(arbitrary_message(), 0..4),
        at: prop::sample::Index,
        byte: u8,
        cut: prop::sample::Index,
    ) {
        let mut batch = encode_batch(header(VERSION_MAX), &messages);
        let at = at.index(batch.len());
        batch[at] = byte;
        batch.truncate(cut.index(batch.len()) + 1);
        let _ = decode_batch(&batch);
    }

    #[test]
    fn a_message_takes_about_as_much_room_as_it_says(message in arbitrary_message()) {
        let length = encode_batch(header(VERSION_MAX), [&message]).len() - encode_batch(header(1), []).len();
        prop_assert!(length <= message.bytes_hint() + 8, "{length} > {}", message.bytes_hint());
    }
}

#[test]
fn bells_for_nobody_or_for_too_many_are_refused() {
    for count in [0, BELLS_MAX as u64 + 1, 40_000] {
        let batch = encode_batch(header(VERSION_MAX), [&ring_many(1..=count, 0)]);
        assert_eq!(decode_batch(&batch), Err(BatchError::Invalid("number of bells")), "{count}");
    }
    let most = ring_many(1..=BELLS_MAX as u64, 0);
    let batch = encode_batch(header(VERSION_MAX), [&most]);
    assert_eq!(decode_batch(&batch), Ok((header(VERSION_MAX), vec![most], 0)));
}

#[test]
fn a_kind_that_a_newer_version_added_is_skipped() {
    let mut batch = encode_batch(header(VERSION_MAX), [&ring(1, 3)]);
    batch.extend_from_slice(&[200, 0, 0, 0, 2, 1, 2]);
    let more = encode_batch(header(VERSION_MAX), [&ring(2, 0)]);
    batch.extend_from_slice(&more[encode_batch(header(1), []).len()..]);
    assert_eq!(decode_batch(&batch), Ok((header(VERSION_MAX), vec![ring(1, 3), ring(2, 0)], 1)));
}

#[test]
fn a_format_that_is_not_known_is_refused() {
    let batch = encode_batch(header(VERSION_MAX + 1), []);
    assert_eq!(decode_batch(&batch), Err(BatchError::Version(VERSION_MAX + 1)));
    assert_eq!(decode_batch(&encode_batch(header(0), [])), Err(BatchError::Version(0)));
}

fn batches(outgoing: &mut Outgoing, now: Instant) -> Vec<(Header, Vec<LinkMessage>)> {
    let batches = std::iter::from_fn(|| outgoing.next_batch(now, 1)).take(1_000);
    let decoded = batches.map(|batch| decode_batch(&batch).unwrap());
    decoded.map(|(header, messages, _)| (header, messages)).collect()
}

fn acknowledge(outgoing: &mut Outgoing, ack: u64) {
    outgoing.heard(&Header { ack, seq: 0, ..header(VERSION_MAX) });
}

#[test]
fn an_idle_link_waits_for_nothing_and_a_busy_one_gathers() {
    let now = Instant::now();
    let mut outgoing = Outgoing::new(VERSION_MAX);
    outgoing.link_up();
    for number in 1..=4 {
        outgoing.push(ring(number, 10));
        assert_eq!(batches(&mut outgoing, now).len(), 1, "at once");
    }
    for number in 5..=104 {
        outgoing.push(ring(number, 10));
        assert_eq!(batches(&mut outgoing, now), [], "they wait for an acknowledgement");
    }
    acknowledge(&mut outgoing, 1);
    let sent = batches(&mut outgoing, now);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].0.seq, sent[0].1.len()), (5, 100));
}

#[test]
fn a_peer_that_acknowledges_nothing_gets_no_more_than_its_credit_and_the_rest_is_mailed() {
    let now = Instant::now();
    let mut outgoing = Outgoing::new(VERSION_MAX);
    outgoing.link_up();
    let mut sent = 0;
    for number in 1..=100_000 {
        outgoing.push(ring(number, 1_000));
        sent += batches(&mut outgoing, now).iter().map(|(_, messages)| messages.len()).sum::<usize>();
    }
    let depth = outgoing.depth();
    assert!(depth.in_flight_bytes <= (2 << 20) + (256 << 10), "{depth:?}");
    assert_eq!(sent + depth.queued + depth.mail + outgoing.take_shed() as usize, 100_000);
    assert_eq!(depth.mail, 64 * 1024);
    assert!(!outgoing.is_stuck(now));
    let later = now + std::time::Duration::from_secs(2);
    assert!(outgoing.is_stuck(later));
    outgoing.link_down();
    assert!(!outgoing.is_stuck(later));
    assert_eq!(outgoing.depth().in_flight_bytes, 0);
}

#[test]
fn what_a_broken_link_may_not_have_carried_is_mailed_once_a_subject_and_without_hints() {
    let now = Instant::now();
    let mut outgoing = Outgoing::new(VERSION_MAX);
    outgoing.push(ring(1, 50));
    outgoing.link_up();
    outgoing.push(ring(2, 50));
    assert_eq!(batches(&mut outgoing, now).len(), 1);
    outgoing.push(ring(2, 50));
    outgoing.push(ring(3, 50));
    outgoing.link_down();
    let letters = outgoing.take_letters(8, 1);
    let (read, in_letter, _) = decode_batch(&letters[0]).unwrap();
    let messages = vec![ring(1, 0), ring(2, 0), ring(3, 0)];
    assert_eq!((read.version, read.seq, in_letter), (VERSION_MIN, 0, messages));
    outgoing.not_posted();
    assert_eq!(outgoing.take_all().len(), 3);
}

#[test]
fn a_link_that_failed_says_nothing_of_the_next() {
    let now = Instant::now();
    let mut outgoing = Outgoing::new(VERSION_MAX);
    outgoing.link_up();
    outgoing.push(ring(1, 0));
    let failing = outgoing.link();
    assert_eq!(batches(&mut outgoing, now).len(), 1);
    outgoing.link_down();
    outgoing.link_up();
    outgoing.link_failed(failing);
    assert!(outgoing.is_up());
    outgoing.link_failed(outgoing.link());
    assert!(!outgoing.is_up());
}

#[test]
fn what_is_being_posted_is_held_until_it_is() {
    let mut outgoing = Outgoing::new(VERSION_MAX);
    outgoing.push(ring(1, 0));
    outgoing.take_letters(8, 1);
    assert_eq!(outgoing.depth().mail, 1);
    assert_eq!(outgoing.take_all(), [ring(1, 0)], "its peer is no more");
    assert_eq!(outgoing.take_all(), []);

    outgoing.push(ring(1, 0));
    let first = outgoing.take_letters(8, 1);
    assert_eq!(outgoing.take_letters(8, 1), first, "whoever was posting it has failed");
    assert_eq!(outgoing.posted(), 1);
    assert_eq!((outgoing.depth().mail, outgoing.take_all()), (0, vec![]));
}

#[test]
fn letters_are_short_and_no_more_than_asked_for() {
    let mut outgoing = Outgoing::new(VERSION_MAX);
    for number in 1..=10_000 {
        outgoing.push(ring(number, 0));
    }
    let letters = outgoing.take_letters(3, 1);
    assert_eq!(letters.len(), 3);
    assert!(letters.iter().all(|letter| letter.len() <= 50 * 1024));
    let posted = outgoing.posted();
    assert_eq!(outgoing.depth().mail, 10_000 - posted);
}

#[test]
fn batches_are_written_in_the_newest_format_that_both_understand() {
    let now = Instant::now();
    let mut outgoing = Outgoing::new(VERSION_MAX);
    outgoing.link_up();
    outgoing.push(ring(1, 0));
    assert_eq!(batches(&mut outgoing, now)[0].0.version, VERSION_MIN, "nothing is known of the peer");
    outgoing.heard(&Header { speaks: 200, seq: 0, ack: 1, ..header(1) });
    outgoing.push(ring(1, 0));
    assert_eq!(batches(&mut outgoing, now)[0].0.version, VERSION_MAX);
    let mut older = Outgoing::new(1);
    older.link_up();
    older.heard(&header(VERSION_MAX));
    older.push(ring(1, 0));
    assert_eq!(batches(&mut older, now)[0].0.version, 1);
}

fn heard_from(speaks: u8) -> Outgoing {
    let mut outgoing = Outgoing::new(VERSION_MAX);
    outgoing.link_up();
    outgoing.heard(&Header { speaks, seq: 0, ack: 0, ..header(1) });
    outgoing
}

fn sent_to(outgoing: &mut Outgoing) -> Vec<LinkMessage> {
    batches(outgoing, Instant::now()).into_iter().flat_map(|(_, messages)| messages).collect()
}

#[test]
fn many_users_are_rung_by_one_message_where_the_peer_knows_of_that() {
    let mut newer = heard_from(VERSION_WITH_MANY);
    newer.push(ring_many(1..=5, 30));
    newer.push(ring_many(6..=6, 30));
    assert_eq!(sent_to(&mut newer), [ring_many(1..=5, 30), ring(6, 30)]);
    let mut older = heard_from(VERSION_WITH_MANY - 1);
    older.push(ring_many(1..=3, 30));
    assert_eq!(sent_to(&mut older), [ring(1, 30), ring(2, 30), ring(3, 30)]);
    let mut unknown = Outgoing::new(VERSION_MAX);
    unknown.link_up();
    unknown.push(ring_many(1..=2, 30));
    assert_eq!(sent_to(&mut unknown), [ring(1, 30), ring(2, 30)]);
}

#[test]
fn bells_of_a_host_for_one_event_wait_as_one_message() {
    let frame = Bytes::from(vec![7; 30]);
    let event = |number: u8| Some((Stamp::from_bytes([number; 12]), frame.clone()));
    let bell = |number, of| LinkMessage::Bell(Bell { user: user(number), id: None, event: event(of) });
    let bells = |numbers: std::ops::RangeInclusive<u64>, of| {
        LinkMessage::BellMany(Bells { users: numbers.map(user).collect(), id: None, event: event(of) })
    };
    let mut outgoing = heard_from(VERSION_MAX);
    for message in [bell(1, 1), bells(2..=3, 1), bells(1..=2, 2), bell(4, 1), bell(3, 2), ring(9, 30)] {
        outgoing.push(message);
    }
    assert_eq!(sent_to(&mut outgoing), [bells(1..=4, 1), bells(1..=3, 2), ring(9, 30)]);
    assert_eq!(outgoing.depth().queued, 0);

    let mut older = heard_from(VERSION_WITH_MANY - 1);
    older.push(bell(1, 1));
    older.push(bell(2, 1));
    assert_eq!(sent_to(&mut older), [bell(1, 1), bell(2, 1)]);
    let full = BELLS_MAX as u64;
    outgoing.push(bells(1..=full, 1));
    outgoing.push(bell(full + 1, 1));
    assert_eq!(sent_to(&mut outgoing), [bells(1..=full, 1), bell(full + 1, 1)]);
    let bare = |number| LinkMessage::Bell(Bell { user: user(number), id: None, event: None });
    outgoing.push(bare(1));
    outgoing.push(bare(2));
    assert_eq!(sent_to(&mut outgoing), [bare(1), bare(2)]);
}

#[test]
fn more_users_than_a_message_takes_are_rung_by_several() {
    let mut outgoing = heard_from(VERSION_MAX);
    outgoing.push(ring_many(1..=BELLS_MAX as u64 * 2 + 1, 30));
    let last = BELLS_MAX as u64 * 2 + 1;
    let pieces =
        [ring_many(1..=BELLS_MAX as u64, 30), ring_many(BELLS_MAX as u64 + 1..=last - 1, 30), ring(last, 30)];
    assert_eq!(sent_to(&mut outgoing), pieces);
}

#[test]
fn batches_and_queues_stay_within_their_limits_whatever_rings_whomever() {
    for speaks in [VERSION_MIN, VERSION_MAX] {
        let now = Instant::now();
        let mut outgoing = heard_from(speaks);
        for _ in 0..40 {
            outgoing.push(ring_many(1..=BELLS_MAX as u64, 64 * 1024));
            while let Some(batch) = outgoing.next_batch(now, 1) {
                assert!(batch.len() <= crate::cluster::LINK_BATCH_BYTES_MAX, "{}", batch.len());
            }
        }
        let depth = outgoing.depth();
        assert!(depth.in_flight_bytes <= (2 << 20) + (256 << 10), "{depth:?}");
        assert!(depth.queued * 64 * 1024 <= (4 << 20) + (128 << 10), "{depth:?}");
    }
}

#[test]
fn the_bells_of_many_are_mailed_one_by_one_and_each_user_once() {
    let mut outgoing = heard_from(VERSION_MAX);
    outgoing.push(ring_many(1..=1000, 300));
    assert_eq!(sent_to(&mut outgoing).len(), 1);
    outgoing.push(ring_many(500..=1500, 300));
    outgoing.link_down();
    assert_eq!(outgoing.depth().mail, 1500);
    assert_eq!(outgoing.take_all(), (1..=1500).map(|number| ring(number, 0)).collect::<Vec<_>>());
}

#[test]
fn a_batch_is_acknowledged_with_the_next_or_by_itself() {
    let now = Instant::now();
    let mut outgoing = Outgoing::new(VERSION_MAX);
    outgoing.link_up();
    outgoing.heard(&Header { seq: 7, ack: 0, ..header(2) });
    let alone = batches(&mut outgoing, now);
    assert_eq!((alone.len(), alone[0].0.seq, alone[0].0.ack), (1, 0, 7));
    outgoing.heard(&Header { seq: 8, ack: 0, ..header(2) });
    outgoing.push(ring(1, 0));
    let with = batches(&mut outgoing, now);
    assert_eq!((with.len(), with[0].0.seq, with[0].0.ack), (1, 1, 8));
}

#[test]
fn what_came_over_an_earlier_link_is_not_acknowledged_over_a_new_one() {
    let now = Instant::now();
    let mut outgoing = Outgoing::new(VERSION_MAX);
    outgoing.link_up();
    outgoing.heard(&Header { seq: 900, ack: 0, ..header(2) });
    outgoing.link_down();
    outgoing.link_up();
    // The peer counts anew, as it does for another run of this node: its first batches have not come yet.
    outgoing.push(ring(1, 0));
    assert_eq!(batches(&mut outgoing, now)[0].0.ack, 0);
    outgoing.heard(&Header { seq: 1, ack: 0, ..header(2) });
    assert_eq!(batches(&mut outgoing, now)[0].0.ack, 1);
}

#[test]
fn what_is_for_those_who_look_waits_for_a_peer_that_understands_it_and_goes_by_no_mail() {
    let news = || LinkMessage::News(News::Recheck(Topic::User(user(1))));
    let mut outgoing = Outgoing::new(VERSION_MAX);
    outgoing.push(news());
    outgoing.link_up();
    outgoing.push(news());
    assert_eq!(outgoing.depth().queued, 0, "nothing is known of the peer");
    let older = Header { speaks: VERSION_WITH_LOOKING - 1, ..header(VERSION_MIN) };
    assert!(!outgoing.heard(&older));
    outgoing.push(news());
    assert_eq!(outgoing.depth().queued, 0);
    assert!(outgoing.heard(&header(VERSION_MIN)));
    assert!(!outgoing.heard(&header(VERSION_MIN)), "it is no news any more");
    outgoing.push(news());
    outgoing.push(ring(1, 0));
    assert_eq!(outgoing.depth().queued, 2);
    outgoing.link_down();
    assert_eq!(outgoing.depth().mail, 1, "the bell alone");
    outgoing.link_up();
    assert!(outgoing.heard(&header(VERSION_MIN)), "a link anew is news anew");
}

#[test]
fn bells_come_before_what_is_for_those_who_look() {
    let mut outgoing = Outgoing::new(VERSION_MAX);
    outgoing.link_up();
    outgoing.heard(&header(VERSION_MIN));
    for number in 1..=100_000 {
        outgoing.push(LinkMessage::News(News::Recheck(Topic::User(user(number)))));
    }
    let queued = outgoing.depth().queued;
    assert!(queued < 50_000, "{queued}");
    outgoing.push(ring(1, 0));
    assert_eq!((outgoing.depth().queued, outgoing.depth().mail), (queued + 1, 0));
}

#[test]
fn topics_that_are_none_or_too_many_are_refused() {
    let topics =
        |count: u64| LinkMessage::Watching((1..=count).map(|number| Topic::User(user(number))).collect());
    assert!(decode_batch(&encode_batch(header(VERSION_MAX), [&topics(1024)])).is_ok());
    let batch = encode_batch(header(VERSION_MAX), [&topics(1025)]);
    assert_eq!(decode_batch(&batch), Err(BatchError::Invalid("topic")));
    let mut broken = encode_batch(header(VERSION_MAX), [&topics(1)]);
    let last = broken.len() - 1;
    broken[last - 8] = b'x';
    assert_eq!(decode_batch(&broken), Err(BatchError::Invalid("topic")));
}
