//! Reports: made by users, kept until a moderator has dealt with them.

use std::collections::BTreeMap;

use rookery_protocol::{ConversationId, GroupId, Message, Seq, Stamp, UserId};

use super::asker::Asker;
use super::entry::Refusal;
use super::settled::Settled;
use crate::error::StoreError;
use crate::keys::conversation::{log_key, withheld_key};
use crate::keys::group::{Membership, membership_key};
use crate::keys::report::{
    self, EVIDENCE_BYTES_MAX, Evidence, REPORTS_MAX, REPORTS_OF_USER_MAX, Report, decode_count, encode_count,
    reporter_key,
};
use crate::keys::{decode, encode, user};
use crate::op::{Op, Reads, View, Writes};

/// Keeps a report for the moderators. Nobody is told. While one waits that says the same it changes nothing, so it may be
/// applied again.
#[derive(Debug, Clone)]
pub struct MakeReport {
    /// Who makes it.
    pub asker: Asker,
    /// Who is reported.
    pub user: UserId,
    /// Where it happened, if in a conversation of the asker's.
    pub conversation: Option<ConversationId>,
    /// The messages in question, of those that the asker may see. What they say now is kept with the report.
    pub seqs: Vec<Seq>,
    /// What happened, in the asker's words.
    pub text: String,
}

impl MakeReport {
    fn group(&self) -> Option<GroupId> {
        self.conversation.and_then(|conversation| conversation.group_id())
    }

    /// From which message to which the asker may see those of the conversation; `None`: none at all.
    fn visible(&self, view: &View<'_>) -> Result<Option<(Seq, Seq)>, StoreError> {
        let all = (Seq::ZERO.next(), Seq::new(u64::MAX));
        match (self.conversation, self.group()) {
            (None, _) => Ok(Some(all)),
            (Some(_), Some(group)) => {
                let membership = view.get(&membership_key(self.asker.user, group));
                let membership = membership.map(|value| decode::<Membership>(&value)).transpose()?;
                Ok(membership.map(|membership| (membership.from, membership.until.unwrap_or(all.1))))
            }
            (Some(direct), None) => Ok(direct.direct_peer(self.asker.user).map(|_| all)),
        }
    }

    /// Where the messages in question are, and where it says that others do not see them.
    fn places(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let seqs = self.conversation.into_iter().flat_map(|at| self.seqs.iter().map(move |seq| (at, *seq)));
        seqs.map(|(at, seq)| (log_key(at, seq), withheld_key(at, seq))).collect()
    }

    /// What is there of the messages in question, as the asker sees them.
    fn evidence(&self, view: &View<'_>) -> Result<Vec<Evidence>, StoreError> {
        let mut evidence = Vec::new();
        for (place, withheld) in self.places() {
            let Some(logged) = view.get(&place) else { continue };
            let message = decode::<Message>(&logged)?.at(self.asker.time_ms);
            if message.sender == self.asker.user || view.get(&withheld).is_none() {
                evidence.push(Evidence::of(&message));
            }
        }
        Ok(evidence)
    }

    fn report(&self) -> Report {
        Report {
            reporter: self.asker.user,
            user: self.user,
            conversation: self.conversation,
            seqs: self.seqs.clone(),
            text: self.text.clone(),
            time_ms: self.asker.time_ms,
        }
    }

    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Settled, StoreError> {
        let (reporter, user, report) = (self.asker.user, self.user, self.report());
        // Before all else: whoever asks again does not know that it was taken.
        if view.get(&report.digest_key()).is_some() {
            return Ok(Settled::Done);
        }
        if view.get(&user::key(user)).is_none() {
            return Ok(Settled::Refused(Refusal::NoSuchUser(user)));
        }
        let Some((from, until)) = self.visible(view)? else {
            return Ok(Settled::Refused(Refusal::NotMember));
        };
        if self.seqs.iter().any(|seq| *seq < from || *seq > until) {
            return Ok(Settled::Refused(Refusal::NoSuchMessage));
        }
        let (all, own) = (count(view, report::count_key())?, count(view, reporter_key(reporter))?);
        if all >= REPORTS_MAX || own >= REPORTS_OF_USER_MAX {
            return Ok(Settled::Refused(Refusal::TooManyReports));
        }
        writes.put(report::count_key(), encode_count(all + 1));
        writes.put(reporter_key(reporter), encode_count(own + 1));
        writes.put(report.digest_key(), report::DIGEST_VALUE);
        let slot = writes.new_stamp();
        writes.put_stamped(report::prefix(), slot, encode(&report));
        let evidence = self.evidence(view)?;
        if !evidence.is_empty() {
            writes.put_stamped(report::evidence_prefix(), slot, encode(&evidence));
        }
        Ok(Settled::Done)
    }
}

impl Op for MakeReport {
    type Answer = Settled;

    fn reads(&self, reads: &mut Reads) {
        let reporter = self.asker.user;
        self.asker.reads(reads);
        reads.key(user::key(self.user));
        reads.key(self.report().digest_key());
        reads.key(report::count_key());
        reads.key(reporter_key(reporter));
        if let Some(group) = self.group() {
            reads.key(membership_key(reporter, group));
        }
        for (place, withheld) in self.places() {
            reads.key(place);
            reads.key(withheld);
        }
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Settled {
        Settled::of(&self.asker, view, writes, |writes| self.decide(view, writes))
    }

    fn bytes_hint(&self) -> usize {
        256 + self.text.len() + (EVIDENCE_BYTES_MAX + 64) * self.seqs.len()
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
        let Some(found) = found.filter(|found| found.reporter == self.reporter) else { return Ok(false) };
        writes.delete(found.digest_key());
        writes.delete(report::key(self.stamp));
        writes.delete(report::evidence_key(self.stamp));
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
