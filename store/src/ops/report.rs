//! Reports: made by users, kept until a moderator has dealt with them.

use rookery_protocol::{ConversationId, GroupId, Seq, Stamp, UserId};

use super::asker::Asker;
use super::entry::Refusal;
use super::settled::Settled;
use crate::error::StoreError;
use crate::keys::group::membership_key;
use crate::keys::report::{
    self, REPORTS_MAX, REPORTS_OF_USER_MAX, Report, decode_count, encode_count, reporter_key,
};
use crate::keys::{decode, encode, user};
use crate::op::{Op, Reads, View, Writes};

/// Keeps a report for the moderators. Nobody is told. Applied again it makes another that says the same, which does no harm.
#[derive(Debug, Clone)]
pub struct MakeReport {
    /// Who makes it.
    pub asker: Asker,
    /// Who is reported.
    pub user: UserId,
    /// Where it happened, if in a conversation of the asker's.
    pub conversation: Option<ConversationId>,
    /// The messages in question.
    pub seqs: Vec<Seq>,
    /// What happened, in the asker's words.
    pub text: String,
}

impl MakeReport {
    fn group(&self) -> Option<GroupId> {
        self.conversation.and_then(|conversation| conversation.group_id())
    }

    /// Whether it happened where the reporter is, or was.
    fn is_in_conversation(&self, view: &View<'_>) -> bool {
        match (self.conversation, self.group()) {
            (None, _) => true,
            (Some(_), Some(group)) => view.get(&membership_key(self.asker.user, group)).is_some(),
            (Some(direct), None) => direct.direct_peer(self.asker.user).is_some(),
        }
    }

    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Settled, StoreError> {
        let (reporter, user) = (self.asker.user, self.user);
        if view.get(&user::key(user)).is_none() {
            return Ok(Settled::Refused(Refusal::NoSuchUser(user)));
        }
        if !self.is_in_conversation(view) {
            return Ok(Settled::Refused(Refusal::NotMember));
        }
        let (all, own) = (count(view, report::count_key())?, count(view, reporter_key(reporter))?);
        if all >= REPORTS_MAX || own >= REPORTS_OF_USER_MAX {
            return Ok(Settled::Refused(Refusal::TooManyReports));
        }
        writes.put(report::count_key(), encode_count(all + 1));
        writes.put(reporter_key(reporter), encode_count(own + 1));
        let slot = writes.new_stamp();
        let report = Report {
            reporter,
            user,
            conversation: self.conversation,
            seqs: self.seqs.clone(),
            text: self.text.clone(),
            time_ms: self.asker.time_ms,
        };
        writes.put_stamped(report::prefix(), slot, encode(&report));
        Ok(Settled::Done)
    }
}

impl Op for MakeReport {
    type Answer = Settled;

    fn reads(&self, reads: &mut Reads) {
        let reporter = self.asker.user;
        self.asker.reads(reads);
        reads.key(user::key(self.user));
        reads.key(report::count_key());
        reads.key(reporter_key(reporter));
        if let Some(group) = self.group() {
            reads.key(membership_key(reporter, group));
        }
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Settled {
        Settled::of(&self.asker, view, || self.decide(view, writes))
    }

    fn bytes_hint(&self) -> usize {
        256 + self.text.len() + 9 * self.seqs.len()
    }
}

/// Takes a report away that has been dealt with.
#[derive(Debug, Clone, Copy)]
pub struct ResolveReport {
    /// Which.
    pub stamp: Stamp,
    /// Whose it is.
    pub reporter: UserId,
}

impl Op for ResolveReport {
    /// Whether there was such a report of this user's.
    type Answer = Result<bool, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(report::key(self.stamp));
        reads.key(report::count_key());
        reads.key(reporter_key(self.reporter));
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let found = view.get(&report::key(self.stamp)).map(|value| decode::<Report>(&value)).transpose()?;
        if found.is_none_or(|found| found.reporter != self.reporter) {
            return Ok(false);
        }
        writes.delete(report::key(self.stamp));
        for key in [report::count_key(), reporter_key(self.reporter)] {
            match count(view, key.clone())?.saturating_sub(1) {
                0 => writes.delete(key),
                left => writes.put(key, encode_count(left)),
            }
        }
        Ok(true)
    }
}

fn count(view: &View<'_>, key: Vec<u8>) -> Result<u64, StoreError> {
    Ok(view.get(&key).map(|value| decode_count(&value)).transpose()?.unwrap_or(0))
}
