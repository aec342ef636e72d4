//! Reports: taken from those who may make them, and kept for the moderators.

use std::time::Duration;

use rookery_actors::{ActorsConfig, Rate, Rates};
use rookery_protocol::{ConversationId, Error, ErrorCode, Report, Seq, limits};
use rookery_store::keys::report::Report as Kept;
use rookery_store::queries;

use super::{BLOCKED, why};
use crate::client::{Client, direct, user, who};
use crate::node::{Node, config};

impl Client {
    async fn report(
        &mut self,
        number: u64,
        conversation: Option<ConversationId>,
        seqs: &[u64],
        text: &str,
    ) -> Result<(), Error> {
        let request = self.new_request();
        let seqs = seqs.iter().map(|number| Seq::new(*number)).collect();
        self.tell(&Report { request, user: user(number), conversation, seqs, text: text.into() }).await;
        self.done(request).await
    }
}

async fn kept(node: &Node) -> Vec<Kept> {
    let snapshot = node.store.snapshot().await.unwrap();
    let all = queries::reports(&*snapshot, None, 100).await.unwrap();
    all.into_iter().map(|(_, report)| report).collect()
}

#[tokio::test(start_paused = true)]
async fn a_report_is_kept_and_nobody_else_learns_of_it() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    bob.say(direct(1, 2), "spam").await;
    alice.take_message().await;
    bob.take_message().await;
    bob.take_receipt().await;
    alice.report(2, Some(direct(1, 2)), &[1], "he sends spam").await.unwrap();
    alice.report(3, None, &[], "").await.unwrap();
    let reports = kept(&node).await;
    let [first, second] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((first.reporter, first.user, &first.text[..]), (user(1), user(2), "he sends spam"));
    assert_eq!((first.conversation, &first.seqs[..]), (Some(direct(1, 2)), &[Seq::new(1)][..]));
    assert!(second.user == user(3) && first.time_ms < second.time_ms);
    alice.quiet_for(Duration::from_secs(5)).await;
    bob.quiet_for(Duration::from_secs(5)).await;
    // Also of somebody whom one has blocked, which mostly comes together.
    alice.set_person(2, BLOCKED).await;
    alice.report(2, Some(direct(1, 2)), &[1], "again").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_report_that_cannot_be_is_refused() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let here = Some(direct(1, 2));
    let many: Vec<u64> = (1..=limits::REPORT_MESSAGES_MAX as u64 + 1).collect();
    let long = "x".repeat(limits::REPORT_TEXT_BYTES_MAX + 1);
    for (number, conversation, seqs, text, expected) in [
        (2, here, &many[..], "", (ErrorCode::BadRequest, "a report names at most 16 messages")),
        (
            2,
            None,
            &[1][..],
            "",
            (ErrorCode::BadRequest, "a report that names messages names their conversation"),
        ),
        (2, here, &[], &long[..], (ErrorCode::BadRequest, "a report's text has at most 2048 bytes")),
        (99, here, &[], "", (ErrorCode::NotFound, "there is no user 99")),
        (
            2,
            Some(direct(2, 3)),
            &[],
            "",
            (ErrorCode::NotMember, "not a member of this group, or there is none"),
        ),
    ] {
        let error = alice.report(number, conversation, seqs, text).await.unwrap_err();
        assert_eq!(why(&error), expected);
    }
    assert_eq!(kept(&node).await, []);
}

#[tokio::test(start_paused = true)]
async fn reports_have_a_rate_of_their_own() {
    let rate = |burst| Some(Rate { burst, each: Duration::from_secs(180) });
    let rates = Rates { reports: rate(2), settings: rate(1), ..Rates::default() };
    let node = Node::start_with(ActorsConfig { rates, ..config() }).await;
    let mut alice = node.join(who(1, 1)).await;
    alice.set_person(2, BLOCKED).await;
    alice.report(2, None, &[], "1").await.unwrap();
    alice.report(2, None, &[], "2").await.unwrap();
    let error = alice.report(2, None, &[], "3").await.unwrap_err();
    let text = "too many reports in a short time; retry after the time given";
    assert_eq!((why(&error), error.retry_after_ms), ((ErrorCode::Busy, text), 180_000));
}
