//! What is only for those who are looking, in virtual time: told again in time, on each connection, and one at a time.

use rookery_protocol::{
    Active, Availability, ClientFrame, Done, Error, ErrorCode, GroupId, MemberMark, Presence, PresenceNotice,
    Receipts, RequestId, TypingNotice, Watch,
};

use super::tests::{Bench, conversation, raw, user};
use super::*;

const RENEWED_AFTER: Duration = Duration::from_millis(limits::WATCH_MS as u64 / 2);

impl Bench {
    fn quiet() -> Self {
        let mut bench = Self::online();
        bench.input(Input::Committed(Ok(())));
        bench.effects();
        bench
    }

    fn watch(&mut self, users: &[u64]) {
        let users = users.iter().map(|number| user(*number)).collect();
        self.input(Input::Watch(View { users, conversations: vec![conversation()] }));
    }

    /// The one WATCH that is sent now, if one is.
    fn watched(&mut self) -> Option<Watch> {
        let mut watches = self.frames().into_iter().filter_map(|frame| match frame {
            ClientFrame::Watch(watch) => Some(watch),
            _ => None,
        });
        let watch = watches.next();
        assert_eq!(watches.next(), None);
        watch
    }

    /// Says whether the application hears of it.
    fn answer(&mut self, watch: &Watch) -> bool {
        self.input(Input::Heard);
        self.input(Input::Frame(raw(&Done { request: watch.request })));
        let heard = |effect: &Effect| matches!(effect, Effect::HandUpOther { event: Event::Watching, .. });
        self.effects().iter().any(heard)
    }

    /// The server says so of a user; gives what the application hears.
    fn tell(&mut self, number: u64, availability: Availability) -> Vec<Presence> {
        let people = vec![Presence { user: user(number), availability, last_seen_ms: 0 }];
        self.input(Input::Frame(raw(&PresenceNotice { people })));
        self.seen()
    }

    /// Whose presence is handed up now.
    fn seen(&mut self) -> Vec<Presence> {
        let seen = self.effects().into_iter().filter_map(|effect| match effect {
            Effect::HandUpOther { event: Event::Presence(people), .. } => Some(people),
            _ => None,
        });
        seen.flatten().collect()
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(next) = self.machine.deadline().filter(|next| *next < until) {
            assert!(next > self.now, "time stands still");
            self.now = next;
            self.input(Input::Tick);
            self.input(Input::Heard);
        }
        self.now = until;
        self.input(Input::Tick);
    }
}

#[test]
fn a_watch_is_renewed_before_the_server_forgets_it_and_told_on_the_next_connection() {
    let mut bench = Bench::quiet();
    bench.watch(&[2]);
    let watch = bench.watched().unwrap();
    assert_eq!((&watch.users[..], &watch.conversations[..]), (&[user(2)][..], &[conversation()][..]));
    assert!(bench.answer(&watch));
    bench.watch(&[2]);
    bench.pass(RENEWED_AFTER - Duration::from_millis(1));
    assert_eq!(bench.watched(), None, "the same again is no news");
    bench.pass(Duration::from_millis(1));
    let watch = bench.watched().unwrap();
    assert!(!bench.answer(&watch), "nothing is new");
    bench.input(Input::Lost { reason: String::new() });
    bench.now = bench.machine.deadline().unwrap();
    bench.input(Input::Tick);
    bench.input(Input::Dialed { token: "t".to_owned() });
    bench.frames();
    bench.welcomed();
    let watch = bench.watched().unwrap();
    assert_eq!(watch.users, [user(2)]);
    assert!(bench.answer(&watch));
}

#[test]
fn a_change_of_view_waits_for_the_answer_to_the_one_before_and_an_empty_one_is_told_once() {
    let mut bench = Bench::quiet();
    bench.watch(&[2]);
    let first = bench.watched().unwrap();
    bench.watch(&[3]);
    bench.watch(&[4]);
    assert_eq!(bench.watched(), None);
    bench.answer(&first);
    let second = bench.watched().unwrap();
    assert_eq!(second.users, [user(4)]);
    bench.answer(&second);
    bench.input(Input::Watch(View::default()));
    let last = bench.watched().unwrap();
    assert!(last.users.is_empty() && last.conversations.is_empty());
    bench.answer(&last);
    bench.pass(3 * RENEWED_AFTER);
    assert_eq!(bench.watched(), None);
}

#[test]
fn a_watch_that_a_server_is_too_busy_for_is_told_again_when_it_says_and_an_older_server_is_left_alone() {
    let mut bench = Bench::quiet();
    bench.watch(&[2]);
    let watch = bench.watched().unwrap();
    bench.input(Input::Frame(raw(&Error::new(watch.request, ErrorCode::Busy, "busy"))));
    bench.pass(Duration::from_millis(499));
    assert_eq!(bench.watched(), None);
    bench.pass(Duration::from_millis(1));
    assert!(bench.watched().is_some());
    bench.input(Input::Frame(raw(&Error::new(RequestId::new(0), ErrorCode::UnknownOpcode, "?"))));
    bench.watch(&[3]);
    bench.pass(RENEWED_AFTER);
    assert_eq!(bench.watched(), None);
}

#[test]
fn a_watch_outlasts_that_the_server_does_not_know_another_request() {
    let mut bench = Bench::quiet();
    bench.watch(&[2]);
    let watch = bench.watched().unwrap();
    bench.input(Input::Call { id: 1, call: Call::Privacy });
    assert_eq!(bench.frames().len(), 1);
    bench.input(Input::Frame(raw(&Error::new(RequestId::new(0), ErrorCode::UnknownOpcode, "?"))));
    assert!(bench.answer(&watch), "the server tells of what is watched");
    bench.watch(&[3]);
    assert_eq!(bench.watched().map(|watch| watch.users), Some(vec![user(3)]));
}

#[test]
fn a_watch_that_an_older_server_does_not_know_is_known_once_the_other_requests_are_answered() {
    let mut bench = Bench::quiet();
    bench.watch(&[2]);
    bench.watched().unwrap();
    bench.input(Input::Call { id: 1, call: Call::Privacy });
    let frames = bench.frames();
    let [ClientFrame::GetPrivacy(asked)] = &frames[..] else { panic!("{frames:?}") };
    bench.input(Input::Frame(raw(&Error::new(RequestId::new(0), ErrorCode::UnknownOpcode, "?"))));
    let privacy = rookery_protocol::PrivacySettings::default();
    bench.input(Input::Frame(raw(&rookery_protocol::Privacy { request: asked.request, privacy })));
    bench.input(Input::Heard);
    assert_eq!(bench.machine.deadline(), Some(Duration::from_secs(30)), "no answer is owed");
}

#[test]
fn notices_of_what_is_not_looked_at_any_more_are_not_handed_up() {
    let mut bench = Bench::quiet();
    let presence =
        |number| Presence { user: user(number), availability: Availability::Online, last_seen_ms: 0 };
    let people = raw(&PresenceNotice { people: vec![presence(2), presence(3)] });
    let typing = TypingNotice { conversation: conversation(), user: user(2), doing: Doing::Typing };
    let handed = |bench: &mut Bench| {
        bench.input(Input::Frame(people.clone()));
        bench.input(Input::Frame(raw(&typing)));
        bench
            .effects()
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::HandUpOther { delivery: None, event } => Some(event),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert!(handed(&mut bench).is_empty());
    bench.watch(&[3]);
    let events = handed(&mut bench);
    let [Event::Presence(seen), Event::Typing { user: who, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&seen[..], *who), (&[presence(3)][..], user(2)));
}

#[test]
fn that_the_user_is_away_and_what_they_type_is_told_without_an_answer() {
    let mut bench = Bench::quiet();
    bench.input(Input::Active(false));
    assert_eq!(bench.frames(), [ClientFrame::Active(Active { active: false })]);
    let typing = |bench: &mut Bench, doing| {
        bench.input(Input::Typing { conversation: conversation(), doing });
        bench.frames()
    };
    let told = |doing| [ClientFrame::Typing(Typing { conversation: conversation(), doing })];
    assert_eq!(typing(&mut bench, Doing::Typing), told(Doing::Typing));
    assert_eq!(typing(&mut bench, Doing::Typing), []);
    assert_eq!(typing(&mut bench, Doing::Nothing), told(Doing::Nothing));
    bench.pass(Duration::from_secs(10));
    bench.frames();
    bench.input(Input::Lost { reason: String::new() });
    assert_eq!(typing(&mut bench, Doing::Typing), [], "nobody is told later");
    bench.now = bench.machine.deadline().unwrap();
    bench.input(Input::Tick);
    bench.input(Input::Dialed { token: "t".to_owned() });
    bench.frames();
    bench.welcomed();
    assert_eq!(bench.frames(), [ClientFrame::Active(Active { active: false })]);
}

#[test]
fn presence_told_while_the_user_looked_elsewhere_is_handed_up_when_they_look_back() {
    let mut bench = Bench::quiet();
    bench.watch(&[2]);
    let first = bench.watched().unwrap();
    bench.watch(&[3]);
    assert_eq!(bench.tell(2, Availability::Online), [], "nobody looks");
    bench.watch(&[2]);
    let online = Presence { user: user(2), availability: Availability::Online, last_seen_ms: 0 };
    assert_eq!(bench.seen(), [online], "the server, which knows of no other view, does not repeat it");
    bench.answer(&first);
    let second = bench.watched().unwrap();
    bench.answer(&second);
    assert_eq!(bench.seen(), []);
}

#[test]
fn what_was_handed_up_before_is_handed_up_again_to_who_looks_back_unless_the_server_will_tell_it_anew() {
    let mut bench = Bench::quiet();
    bench.watch(&[2]);
    let watch = bench.watched().unwrap();
    bench.answer(&watch);
    let idle = Presence { user: user(2), availability: Availability::Idle, last_seen_ms: 0 };
    assert_eq!(bench.tell(2, Availability::Idle), std::slice::from_ref(&idle));
    bench.watch(&[3]);
    let elsewhere = bench.watched().unwrap();
    bench.input(Input::Frame(raw(&Error::new(elsewhere.request, ErrorCode::Busy, "busy"))));
    bench.watch(&[2, 3]);
    assert_eq!(bench.seen(), [idle], "what was watched before stays");
    let both = bench.watched().unwrap();
    bench.answer(&both);
    bench.watch(&[3]);
    let without = bench.watched().unwrap();
    bench.answer(&without);
    bench.watch(&[2, 3]);
    assert_eq!(bench.seen(), [], "the server tells of those who begin to be watched");
}

#[test]
fn presence_of_a_connection_that_is_lost_is_not_handed_up_later() {
    let mut bench = Bench::quiet();
    bench.watch(&[2]);
    let watch = bench.watched().unwrap();
    bench.answer(&watch);
    bench.tell(2, Availability::Online);
    bench.input(Input::Lost { reason: String::new() });
    bench.watch(&[3]);
    bench.watch(&[2]);
    assert_eq!(bench.seen(), []);
    bench.now = bench.machine.deadline().unwrap();
    bench.input(Input::Tick);
    bench.input(Input::Dialed { token: "t".to_owned() });
    bench.frames();
    bench.welcomed();
    bench.watch(&[3]);
    bench.watch(&[2]);
    assert_eq!(bench.seen(), []);
}

#[test]
fn receipts_of_open_groups_are_asked_for_again_with_every_other_renewal_and_one_at_a_time() {
    let mut bench = Bench::quiet();
    let crews = [5, 6].map(|number| ConversationId::group(GroupId::new(number).unwrap()));
    let conversations = vec![crews[0], conversation(), crews[1]];
    bench.input(Input::Watch(View { users: Vec::new(), conversations }));
    let asked = |bench: &mut Bench| -> Vec<(RequestId, ConversationId)> {
        let asked = bench.frames().into_iter().filter_map(|frame| match frame {
            ClientFrame::GetReceipts(get) => Some((get.request, get.conversation)),
            _ => None,
        });
        asked.collect()
    };
    for renewals in 0..5 {
        let watch = bench.watched().unwrap();
        bench.answer(&watch);
        let first = asked(&mut bench);
        if renewals % 2 == 1 || renewals == 0 {
            assert_eq!(first, [], "the application asks when it begins, and then a minute passes");
        } else {
            let [(request, crew)] = first[..] else { panic!("{first:?}") };
            assert_eq!(crew, crews[0]);
            let (delivered, read) = (Seq::new(3), Seq::new(2));
            let marks = vec![MemberMark { user: user(3), delivered, read, delivered_ms: 5, read_ms: 4 }];
            bench.input(Input::Frame(raw(&Receipts { request, marks: marks.clone() })));
            let effects = bench.effects();
            let handed_up = effects.iter().any(|effect| {
                let Effect::HandUpOther { delivery: None, event } = effect else { return false };
                matches!(event, Event::Receipts { conversation, marks: told }
                    if *conversation == crews[0] && *told == marks)
            });
            assert!(handed_up, "{effects:?}");
            let second = asked(&mut bench);
            let [(request, crew)] = second[..] else { panic!("{second:?}") };
            assert_eq!(crew, crews[1]);
            // Who is no member any more is told nothing, and the next time comes all the same.
            bench.input(Input::Frame(raw(&Error::new(request, ErrorCode::NotMember, "gone"))));
            assert_eq!(asked(&mut bench), []);
        }
        bench.pass(RENEWED_AFTER);
    }
}
