//! What clients of a fleet do with groups, and whether the nodes' word about them is what everybody was handed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::{StreamExt, stream};
use rookery_client::{
    ConversationId, GroupChange, GroupError, GroupId, GroupMember, GroupSettings, MessageId, Refusal, Role,
    Seq, UserId,
};
use tokio::time::{Instant, sleep};

use super::{Fleet, FleetClient};
use crate::group_log::GroupLog;
use crate::history::{Client, What};

/// How long a request is repeated whose outcome is unknown.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two times.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Clients that are asked at once.
const AT_ONCE: usize = 16;

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupAnswer {
    /// It is done, as this entry of the group's log.
    Done {
        /// The group.
        group: GroupId,
        /// The change's place.
        seq: Seq,
    },
    /// The server will not.
    Denied(Refusal),
    /// It may have been done, or not, or may yet be.
    Unknown,
    /// The client does not run; nobody was asked.
    NotAsked,
}

impl GroupAnswer {
    /// The group, if it is done.
    pub fn group(&self) -> Option<GroupId> {
        match self {
            Self::Done { group, .. } => Some(*group),
            _ => None,
        }
    }
}

impl FleetClient {
    /// Makes a group. As [`change_group`](Self::change_group).
    pub async fn create_group(&self, name: &str, members: Vec<UserId>) -> GroupAnswer {
        self.ask(None, GroupChange::Created { members, name: name.to_owned() }).await
    }

    /// Changes a group. While the outcome is unknown it asks again with the same id; but of requests whose client is ended
    /// meanwhile every other one is forgotten, as an application would that does not keep its ids.
    pub async fn change_group(&self, group: GroupId, change: GroupChange) -> GroupAnswer {
        self.ask(Some(group), change).await
    }

    async fn ask(&self, group: Option<GroupId>, change: GroupChange) -> GroupAnswer {
        let Some(id) = self.note_asked(group, &change).await else { return GroupAnswer::NotAsked };
        let keeps_ids = id.as_bytes()[15].is_multiple_of(2);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let answer = self.ask_once(id, group, change.clone()).await;
            match answer {
                Some(Ok((group, seq))) => {
                    let conversation = ConversationId::group(group);
                    self.recorder.note(self.me, What::Done { conversation, id, seq });
                    return GroupAnswer::Done { group, seq };
                }
                Some(Err(GroupError::Refused(refusal))) => {
                    self.recorder.note(self.me, What::Denied { id, refusal: refusal.clone() });
                    return GroupAnswer::Denied(refusal);
                }
                None if !keeps_ids => break,
                Some(Err(_)) | None => sleep(AGAIN_AFTER).await,
            }
        }
        GroupAnswer::Unknown
    }

    async fn note_asked(&self, group: Option<GroupId>, change: &GroupChange) -> Option<MessageId> {
        let running = self.running.lock().await;
        let id = running.as_ref()?.library.new_id();
        let (conversation, change) = (group.map(ConversationId::group), change.clone());
        self.recorder.note(self.me, What::Asked { conversation, id, change });
        Some(id)
    }

    /// `None` when the client does not run, or was ended before there was an answer.
    async fn ask_once(
        &self,
        id: MessageId,
        group: Option<GroupId>,
        change: GroupChange,
    ) -> Option<Result<(GroupId, Seq), GroupError>> {
        self.ask_library(async |library| match (group, change) {
            (None, GroupChange::Created { members, name }) => {
                let settings = GroupSettings::default();
                let made = library.create_group_as(id, name, members, settings).await?;
                Ok((made, Seq::new(1)))
            }
            (Some(group), change) => {
                let (seq, _) = library.change_group_as(id, group, change).await?;
                Ok((group, seq))
            }
            (None, _) => unreachable!("without a group there is one to be made"),
        })
        .await
    }
}

impl Fleet {
    /// What the nodes say of groups and their members that is not what all entries handed up make of them. Also finds
    /// what nobody has been handed yet.
    pub(super) async fn misinformed(&self) -> Vec<String> {
        let (groups, users) = self.recorder().progress(|history, progress| {
            let groups: BTreeMap<ConversationId, GroupLog> =
                progress.changes.iter().map(|(at, changes)| (*at, GroupLog::of(changes))).collect();
            let mut users: BTreeMap<UserId, Client> = BTreeMap::new();
            for (at, owner) in history.owners.iter().enumerate() {
                users.entry(owner.user).or_insert(Client(at));
            }
            (groups, users)
        });
        let groups = &groups;
        let lists = stream::iter(&users).map(async |(user, client)| {
            let told = self.clients()[client.0].groups().await;
            let is_in = |log: &GroupLog| log.members().any(|member| member == *user);
            let known = groups.iter().filter(|(_, log)| is_in(log)).filter_map(|(at, _)| at.group_id());
            match told {
                Ok(told) if told.iter().copied().eq(known.clone()) => None,
                Ok(told) => {
                    Some(format!("{user} is told of {told:?}, and is in {:?}", known.collect::<Vec<_>>()))
                }
                Err(error) => Some(format!("the groups of {user}: {error:#}")),
            }
        });
        let mut wrong: Vec<String> =
            lists.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
        let records = stream::iter(groups).map(async |(conversation, log)| {
            let client = log.members().find_map(|user| users.get(&user))?;
            match self.clients()[client.0].group(conversation.group_id()?).await {
                Ok(group) => differs(&group.members, &group.name, log)
                    .map(|how| format!("{conversation} is told to be otherwise: {how}")),
                Err(error) => Some(format!("what {conversation} is: {error:#}")),
            }
        });
        wrong.extend(
            records.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect::<Vec<_>>().await,
        );
        wrong
    }
}

/// How a group is not what its log makes of it.
fn differs(members: &[GroupMember], name: &str, log: &GroupLog) -> Option<String> {
    let told: BTreeMap<UserId, (Role, Seq)> =
        members.iter().map(|member| (member.user, (member.role, member.since))).collect();
    let known = log.members().map(|user| {
        let role = if log.is_admin(user) { Role::Admin } else { Role::Member };
        let since = log.intervals(user).last().map(|last| last.since).unwrap_or_default();
        (user, (role, since))
    });
    let known: BTreeMap<_, _> = known.collect();
    if told == known && name == log.name {
        return None;
    }
    let only = |these: &BTreeMap<UserId, (Role, Seq)>, those: &BTreeMap<UserId, (Role, Seq)>| {
        const EXAMPLES: usize = 3;
        let differ = these.iter().filter(|(user, what)| those.get(user) != Some(what)).take(EXAMPLES);
        differ.map(|(user, (role, since))| format!("{user} {role:?} since {since}")).collect::<Vec<_>>()
    };
    Some(format!(
        "{name:?} with {:?} instead of {:?} with {:?}",
        only(&told, &known),
        log.name,
        only(&known, &told)
    ))
}

impl FleetClient {
    /// The groups that the server says this client's user is in.
    ///
    /// # Errors
    /// When the client does not run, or the server does not answer.
    pub async fn groups(&self) -> Result<Vec<GroupId>> {
        Ok(self.library().await?.groups().await?)
    }

    /// A group as the server has it.
    ///
    /// # Errors
    /// When the client does not run, or the server does not answer.
    pub async fn group(&self, group: GroupId) -> Result<rookery_client::Group> {
        Ok(self.library().await?.group(group).await?)
    }

    /// Asks the library something. `None` when the client does not run, or is ended before there is an answer.
    pub(super) async fn ask_library<T>(
        &self,
        ask: impl AsyncFnOnce(&rookery_client::Client) -> T,
    ) -> Option<T> {
        let (library, mut lives) = {
            let running = self.running.lock().await;
            let running = running.as_ref()?;
            (running.library.clone(), running.lives.subscribe())
        };
        tokio::select! {
            // A simulation must see the same order each time.
            biased;
            answer = ask(&library) => Some(answer),
            // Whoever holds on to the library keeps the client from ending.
            _ = lives.changed() => None,
        }
    }

    pub(super) async fn library(&self) -> Result<rookery_client::Client> {
        let running = self.running.lock().await;
        Ok(running.as_ref().context("the client runs")?.library.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_told_to_be_otherwise_than_its_log_says_is_found() {
        let user = |number| UserId::new(number).unwrap();
        let (alice, bob, first) = (user(1), user(2), Seq::new(1));
        let created = GroupChange::Created { members: vec![bob], name: "birds".to_owned() };
        let log = GroupLog::of(&[(first, (alice, created))].into_iter().collect());
        let member = |user, role, since| GroupMember { user, role, since };
        let right = [member(alice, Role::Admin, first), member(bob, Role::Member, first)];
        assert_eq!(differs(&right, "birds", &log), None);
        assert!(differs(&right, "fish", &log).is_some());
        assert!(differs(&right[..1], "birds", &log).is_some());
        let promoted = [right[0].clone(), member(bob, Role::Admin, first)];
        assert!(differs(&promoted, "birds", &log).is_some());
        let later = [right[0].clone(), member(bob, Role::Member, Seq::new(2))];
        assert!(differs(&later, "birds", &log).is_some());
    }
}
