//! Reports and their queue.

use rookery_protocol::{ConversationId, GroupId, Seq, Stamp, UserId};
use rookery_store::keys::report::{self, REPORTS_MAX, REPORTS_OF_USER_MAX, Report};
use rookery_store::ops::{MakeReport, Refusal, RemoveUser, ResolveReport};
use rookery_store::{Store, check::Check, queries};

use crate::engines::UnderTest;
use crate::groups::{accepted, change, made};
use crate::people::{add, first, user};
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

pub(crate) async fn a_report_is_of_somebody_and_from_where_the_reporter_is_or_was(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert, carl] = [add(&store, 1).await, add(&store, 2).await, add(&store, 3).await];
    let group = made(&store, anna, 1, &[bert]).await;
    let leave = rookery_protocol::GroupChange::Left { successor: None };
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

pub(crate) async fn so_many_reports_wait_of_one_user_and_of_all(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await.user, add(&store, 2).await.user);
    for number in 0..REPORTS_OF_USER_MAX {
        make(&store, about(anna, bert, number)).await.expect("there is room");
    }
    assert_eq!(make(&store, about(anna, bert, 0)).await, Err(Refusal::TooManyReports));
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
