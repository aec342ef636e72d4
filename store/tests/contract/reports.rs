//! Reports and their queue.

use rookery_protocol::{
    Body, ConversationId, GroupChange, GroupId, Reference, ReferenceKind, Seq, Stamp, UserId,
};
use rookery_store::keys::report::{
    self, EVIDENCE_BYTES_MAX, Evidence, REPORTS_MAX, REPORTS_OF_USER_MAX, Report,
};
use rookery_store::ops::{
    MakeReport, Outcome, Refusal, RemoveUser, ResolveReport, SendMessage, SetStanding,
};
use rookery_store::{Store, check::Check, queries};

use crate::engines::UnderTest;
use crate::groups::{accepted, change, made, people, say};
use crate::people::{add, first, message, submit, user};
use crate::settings::set;

fn about(reporter: UserId, user: UserId, number: u64) -> Report {
    Report {
        reporter,
        user,
        conversation: None,
        seqs: vec![],
        text: format!("report {number}"),
        time_ms: number,
    }
}

async fn make(store: &Store, report: Report) -> Result<(), Refusal> {
    let Report { reporter, user, conversation, seqs, text, time_ms } = report;
    set(store, MakeReport { asker: first(reporter).asker(time_ms), user, conversation, seqs, text }).await
}

async fn all(store: &Store) -> Vec<(Stamp, Report)> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let all = queries::reports(&*snapshot, None, 100_000).await.expect("read");
    assert_eq!(queries::reports_waiting(&*snapshot).await.expect("read"), all.len() as u64);
    for (at, (stamp, report)) in all.iter().enumerate() {
        assert_eq!(queries::report(&*snapshot, *stamp).await.expect("read").as_ref(), Some(report));
        let page = queries::reports(&*snapshot, Some(*stamp), 2).await.expect("read");
        assert!(page.iter().eq(all[at + 1..].iter().take(2)));
    }
    all
}

async fn resolve(store: &Store, stamp: Stamp, reporter: UserId) -> bool {
    store.submit(&0, ResolveReport { stamp, reporter }).await.expect("it commits").answer.expect("read")
}

pub(crate) async fn reports_wait_in_their_order_until_they_are_resolved(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await.user, add(&store, 2).await.user);
    let reports = [about(anna, bert, 1), about(bert, anna, 2), about(anna, bert, 3)];
    for report in &reports {
        make(&store, report.clone()).await.expect("both are there");
    }
    let waiting = all(&store).await;
    assert!(waiting.iter().map(|(_, report)| report).eq(&reports));
    assert!(!resolve(&store, waiting[1].0, anna).await, "it is another's");
    assert!(resolve(&store, waiting[1].0, bert).await);
    assert!(!resolve(&store, waiting[1].0, bert).await);
    assert!(all(&store).await.iter().eq([&waiting[0], &waiting[2]]));
    let mut check = Check::new(3);
    assert_eq!(check.finish(&store, 10).await.expect("read"), []);
    assert_eq!(check.counts().reports, 2);
    for (stamp, report) in all(&store).await {
        assert!(resolve(&store, stamp, report.reporter).await);
    }
    let snapshot = store.snapshot().await.expect("the store can be read");
    let left = snapshot.range(&rookery_store::KeyRange::prefix(&[0x35], 10)).await.expect("read");
    assert_eq!(left, [], "no counts either");
}

pub(crate) async fn a_report_that_is_sent_again_while_it_waits_is_there_once(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert, carl] = [add(&store, 1).await.user, add(&store, 2).await.user, add(&store, 3).await.user];
    let direct = Some(ConversationId::direct(anna, bert));
    let report = Report { conversation: direct, seqs: vec![Seq::new(1)], ..about(anna, bert, 1) };
    make(&store, report.clone()).await.expect("both are there");
    make(&store, Report { time_ms: 2, ..report.clone() }).await.expect("it waits already");
    assert!(all(&store).await.iter().map(|(_, report)| report).eq([&report]), "as it was at first");
    for other in [
        Report { user: carl, ..report.clone() },
        Report { conversation: None, seqs: Vec::new(), ..report.clone() },
        Report { seqs: vec![Seq::new(2)], ..report.clone() },
        Report { text: "worse".into(), ..report.clone() },
        Report { reporter: bert, user: anna, ..report.clone() },
    ] {
        make(&store, other).await.expect("it says something else");
    }
    assert_eq!(all(&store).await.len(), 6);

    let removed = store.submit(&0, RemoveUser { user: bert }).await.expect("it commits").answer;
    removed.expect("read");
    make(&store, report.clone()).await.expect("it waits already");
    let full = crate::probe::probe(&[], |_, writes| {
        writes.put(report::count_key(), report::encode_count(REPORTS_MAX));
    });
    store.submit(&0, full).await.expect("it commits");
    make(&store, report.clone()).await.expect("it has its place");
}

pub(crate) async fn a_report_is_new_when_the_one_before_has_been_dealt_with(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await.user, add(&store, 2).await.user);
    for time_ms in 1..=2 {
        let report = Report { time_ms, ..about(anna, bert, 0) };
        make(&store, report.clone()).await.expect("both are there");
        let waiting = all(&store).await;
        assert!(waiting.iter().map(|(_, report)| report).eq([&report]));
        assert_eq!(Check::new(3).finish(&store, 10).await.expect("read"), []);
        assert!(resolve(&store, waiting[0].0, anna).await);
        let left = crate::probe::range(&store, &rookery_store::KeyRange::prefix(&[0x35], 10)).await;
        assert_eq!(left, []);
    }
}

pub(crate) async fn a_report_is_of_somebody_and_from_where_the_reporter_is_or_was(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert, carl] = [add(&store, 1).await, add(&store, 2).await, add(&store, 3).await];
    let group = made(&store, anna, 1, &[bert]).await;
    let leave = GroupChange::Left { successor: None };
    accepted(&store, change(bert, group, 2, leave)).await;
    let at = |reporter: UserId, conversation| Report {
        conversation: Some(conversation),
        seqs: vec![Seq::new(1)],
        ..about(reporter, anna.user, 1)
    };
    let none = GroupId::new(77).expect("a small number is an id");
    let (direct, group) = (ConversationId::direct(anna.user, bert.user), ConversationId::group(group));
    for (report, expected) in [
        (at(anna.user, group), Ok(())),
        (at(bert.user, group), Ok(())),
        (at(carl.user, group), Err(Refusal::NotMember)),
        (at(anna.user, ConversationId::group(none)), Err(Refusal::NotMember)),
        (at(bert.user, direct), Ok(())),
        (at(carl.user, direct), Err(Refusal::NotMember)),
        (about(anna.user, user(9), 1), Err(Refusal::NoSuchUser(user(9)))),
    ] {
        assert_eq!(make(&store, report.clone()).await, expected, "{report:?}");
    }
    assert_eq!(all(&store).await.len(), 3);
    // What was reported stays when those whom it concerns are gone.
    let removed = store.submit(&0, RemoveUser { user: carl.user }).await.expect("it commits").answer;
    removed.expect("read");
    assert_eq!(all(&store).await.len(), 3);
}

async fn evidence(store: &Store, stamp: Stamp) -> Vec<Evidence> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    queries::evidence(&*snapshot, stamp).await.expect("read")
}

pub(crate) async fn what_was_reported_is_kept_when_its_sender_deletes_it(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people(&store).await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    let long = "x".repeat(EVIDENCE_BYTES_MAX);
    for (number, text) in [(1, "spam"), (2, "fine"), (3, &*format!("{long}y"))] {
        let said = SendMessage { body: Body::new(text.to_owned()), ..message(bert, anna.user, number) };
        assert!(matches!(submit(&store, said).await, Outcome::Accepted(_)));
    }
    let seqs = [3, 9, 1, 3].map(Seq::new).to_vec();
    let report = Report { conversation: Some(conversation), seqs, ..about(anna.user, bert.user, 1) };
    make(&store, report.clone()).await.expect("she sees them");
    let reference = Some(Reference { kind: ReferenceKind::Delete, seq: Seq::new(1) });
    let delete = SendMessage { body: Body::new(""), reference, ..message(bert, anna.user, 4) };
    assert!(matches!(submit(&store, delete).await, Outcome::Accepted(_)));
    let again = Report { text: "it is gone now".into(), ..report };
    make(&store, again).await.expect("it may be named all the same");

    let of = |seq, body: Option<&str>| Evidence {
        seq: Seq::new(seq),
        sender: bert.user,
        time_ms: seq,
        body: body.map(|body| Body::new(body.to_owned())),
    };
    let waiting = all(&store).await;
    assert_eq!(evidence(&store, waiting[0].0).await, [of(1, Some("spam")), of(3, Some(&long))]);
    assert_eq!(evidence(&store, waiting[1].0).await, [of(1, None), of(3, Some(&long))]);
    assert_eq!(Check::new(3).finish(&store, 10).await.expect("read"), []);
    for (stamp, report) in waiting {
        assert!(resolve(&store, stamp, report.reporter).await);
    }
    let left = crate::probe::range(&store, &rookery_store::KeyRange::prefix(&[0x35], 10)).await;
    assert_eq!(left.len(), 0, "no evidence either");
}

pub(crate) async fn a_report_names_only_what_the_reporter_may_see(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert, carl] = people(&store).await;
    let group = made(&store, anna, 1, &[carl]).await;
    accepted(&store, say(anna, group, 2)).await;
    accepted(&store, change(anna, group, 3, GroupChange::Added(vec![bert.user]))).await;
    accepted(&store, say(anna, group, 4)).await;
    accepted(&store, change(anna, group, 5, GroupChange::Removed(vec![bert.user]))).await;
    accepted(&store, say(anna, group, 6)).await;
    let conversation = Some(ConversationId::group(group));
    for (reporter, seq, expected) in [
        (bert, 0, Err(Refusal::NoSuchMessage)),
        (bert, 2, Err(Refusal::NoSuchMessage)),
        (bert, 3, Ok(())),
        (bert, 5, Ok(())),
        (bert, 6, Err(Refusal::NoSuchMessage)),
        (carl, 2, Ok(())),
        (carl, 6, Ok(())),
    ] {
        let seqs = vec![Seq::new(seq)];
        let report = Report { conversation, seqs, ..about(reporter.user, anna.user, 1) };
        assert_eq!(make(&store, report).await, expected, "{seq}");
    }

    let op = SetStanding { user: anna.user, is_unlimited: None, is_shadow_banned: Some(true) };
    assert_eq!(store.submit(&0, op).await.expect("it commits").answer.expect("read"), Some(true));
    let withheld = accepted(&store, say(anna, group, 7)).await.seq;
    for (reporter, sees) in [(carl, false), (anna, true)] {
        let report = Report { conversation, seqs: vec![withheld], ..about(reporter.user, carl.user, 1) };
        make(&store, report).await.expect("as if it were not there");
        let (stamp, _) = all(&store).await.pop().expect("it was just made");
        assert_eq!(!evidence(&store, stamp).await.is_empty(), sees);
    }
}

pub(crate) async fn so_many_reports_wait_of_one_user_and_of_all(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await.user, add(&store, 2).await.user);
    for number in 0..REPORTS_OF_USER_MAX {
        make(&store, about(anna, bert, number)).await.expect("there is room");
    }
    let more = about(anna, bert, REPORTS_OF_USER_MAX);
    assert_eq!(make(&store, more).await, Err(Refusal::TooManyReports));
    make(&store, about(bert, anna, 0)).await.expect("he has made none");
    let first = all(&store).await[0].0;
    assert!(resolve(&store, first, anna).await);
    make(&store, about(anna, bert, 0)).await.expect("there is room again");

    let full = crate::probe::probe(&[], |_, writes| {
        writes.put(report::count_key(), report::encode_count(REPORTS_MAX));
    });
    store.submit(&0, full).await.expect("it commits");
    assert_eq!(make(&store, about(bert, anna, 1)).await, Err(Refusal::TooManyReports));
}
