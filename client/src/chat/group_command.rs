//! What a person can do with groups: `/group ...` understood, and done.

use std::collections::{BTreeSet, HashMap};

use rookery_protocol::{
    ConversationId, Group, GroupChange, GroupId, GroupSettings, Handle, MemberMark, Role, Seq, UserId,
};

use super::rooms::{Tick, printable};
use super::words;
use crate::{Client, GroupError, RequestError};

/// Groups of which `/groups` tells more than the number.
const TOLD_OF_MAX: usize = 100;
/// Names that are asked for to answer one command; others stay numbers.
const NAMES_ASKED_MAX: usize = 100;

/// What follows `/group`, for the list of commands.
pub(super) const COMMANDS: [(&str, &str); 8] = [
    ("/group create NAME HANDLE...", "make a group, and open it; a name with spaces stands in \"quotes\""),
    ("/group open NAME", "open a group, by its name or its number (g:7)"),
    ("/group add|remove HANDLE...", "change who is in the open group"),
    ("/group promote|demote HANDLE...", "make members admins, or admins members"),
    ("/group rename|about TEXT", "change its name or description"),
    ("/group set send|edit|add admins|everybody", "who may send, describe it, and add members"),
    ("/group backlog N", "how many earlier messages new members see"),
    ("/group info|leave|delete", "who is in it; leave it; end it for all"),
];

/// Lines that Tab may complete to, but for handles.
pub(super) fn completions() -> impl Iterator<Item = String> {
    let words = ["create ", "open ", "rename ", "about ", "backlog ", "info", "leave", "delete"];
    let settings = ["send", "edit", "add"];
    let set = settings
        .into_iter()
        .flat_map(|what| ["admins", "everybody"].into_iter().map(move |whose| format!("set {what} {whose}")));
    words.into_iter().map(str::to_owned).chain(set).map(|rest| format!("/group {rest}"))
}

/// Commands that take handles.
pub(super) const WITH_HANDLES: [&str; 4] = ["add", "remove", "promote", "demote"];

/// A command about groups.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GroupCommand {
    Create {
        name: String,
        members: Vec<Handle>,
    },
    /// Opens one of the groups known.
    Open(String),
    /// To the open group.
    Change(Change),
    Info,
}

/// What is to become of a group.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Members {
        what: Members,
        who: Vec<Handle>,
    },
    /// As it stands.
    Plain(GroupChange),
    Set {
        what: Setting,
        only_admins: bool,
    },
    Backlog(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Members {
    Add,
    Remove,
    Promote,
    Demote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    Send,
    Edit,
    Add,
}

impl GroupCommand {
    /// What follows `/group`. The error is for the person.
    pub(super) fn parse(argument: &str) -> Result<Self, String> {
        let (word, rest) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
        let rest = rest.trim();
        let members = |what, usage| {
            let who = handles(rest)?;
            let some = !who.is_empty();
            some.then_some(Self::Change(Change::Members { what, who })).ok_or_else(|| takes(usage))
        };
        let bare = |command| {
            if rest.is_empty() { Ok(command) } else { Err(format!("/group {word} takes nothing else")) }
        };
        match word {
            "create" => {
                let (name, rest) = name(rest)?;
                Ok(Self::Create { name, members: handles(rest)? })
            }
            "open" if !rest.is_empty() => Ok(Self::Open(rest.to_owned())),
            "open" => Err(takes("open NAME")),
            "add" => members(Members::Add, "add HANDLE..."),
            "remove" => members(Members::Remove, "remove HANDLE..."),
            "promote" => members(Members::Promote, "promote HANDLE..."),
            "demote" => members(Members::Demote, "demote HANDLE..."),
            "leave" => bare(Self::Change(Change::Plain(GroupChange::Left { successor: None }))),
            "delete" => bare(Self::Change(Change::Plain(GroupChange::Deleted))),
            "info" => bare(Self::Info),
            "rename" => Self::checked(GroupChange::Named(rest.to_owned())),
            "about" => Self::checked(GroupChange::Described(rest.to_owned())),
            "set" => Self::parse_setting(rest),
            "backlog" => {
                let backlog = rest.parse().map_err(|_| takes("backlog N, a number of messages"))?;
                let settings = GroupSettings { backlog, ..GroupSettings::default() };
                settings.check().map_err(|error| error.to_string())?;
                Ok(Self::Change(Change::Backlog(backlog)))
            }
            "" => Err("/group does nothing alone; /help lists what it does".to_owned()),
            _ => Err(format!("there is no command /group {word}; /help lists them")),
        }
    }

    fn checked(change: GroupChange) -> Result<Self, String> {
        change.check().map_err(|error| error.to_string())?;
        Ok(Self::Change(Change::Plain(change)))
    }

    fn parse_setting(rest: &str) -> Result<Self, String> {
        let usage = || takes("set send|edit|add admins|everybody");
        let (what, whose) = rest.split_once(char::is_whitespace).ok_or_else(usage)?;
        let what = match what {
            "send" => Setting::Send,
            "edit" => Setting::Edit,
            "add" => Setting::Add,
            _ => return Err(usage()),
        };
        let only_admins = match whose.trim() {
            "admins" => true,
            "everybody" => false,
            _ => return Err(usage()),
        };
        Ok(Self::Change(Change::Set { what, only_admins }))
    }
}

fn takes(usage: &str) -> String {
    format!("it is /group {usage}")
}

/// The first word, or what the first two quotes enclose, and what follows.
fn name(text: &str) -> Result<(String, &str), String> {
    let (name, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or("the name's second \" is missing")?,
        None => text.split_once(char::is_whitespace).unwrap_or((text, "")),
    };
    if name.is_empty() {
        return Err(takes("create NAME HANDLE..."));
    }
    rookery_protocol::check_name(name).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), rest))
}

fn handles(text: &str) -> Result<Vec<Handle>, String> {
    let handle = |word: &str| word.parse().map_err(|error| format!("{word}: {error}"));
    text.split_whitespace().map(handle).collect()
}

/// Makes a group.
pub(super) async fn create(client: &Client, name: String, members: &[Handle]) -> Result<GroupId, String> {
    let members = look_up(client, members).await?;
    client.create_group(name, members, GroupSettings::default()).await.map_err(|error| plainly(&error))
}

/// Changes a group.
pub(super) async fn change(client: &Client, group: GroupId, change: Change) -> Result<(), String> {
    let change = match change {
        Change::Plain(change) => change,
        Change::Members { what, who } => {
            let who = look_up(client, &who).await?;
            match what {
                Members::Add => GroupChange::Added(who),
                Members::Remove => GroupChange::Removed(who),
                Members::Promote => GroupChange::Promoted(who),
                Members::Demote => GroupChange::Demoted(who),
            }
        }
        Change::Set { what, only_admins } => {
            let mut settings = settings(client, group).await?;
            match what {
                Setting::Send => settings.only_admins_send = only_admins,
                Setting::Edit => settings.only_admins_edit = only_admins,
                Setting::Add => settings.only_admins_add = only_admins,
            }
            GroupChange::Set(settings)
        }
        Change::Backlog(backlog) => {
            GroupChange::Set(GroupSettings { backlog, ..settings(client, group).await? })
        }
    };
    client.change_group(group, change).await.map(drop).map_err(|error| plainly(&error))
}

async fn settings(client: &Client, group: GroupId) -> Result<GroupSettings, String> {
    let group = client.group(group).await.map_err(|error| super::session::plainly(&error))?;
    Ok(group.settings)
}

pub(super) async fn look_up(client: &Client, handles: &[Handle]) -> Result<Vec<UserId>, String> {
    let mut users = Vec::with_capacity(handles.len());
    for handle in handles {
        let found = client.lookup(handle.clone()).await;
        let found = found.map_err(|error| format!("{handle}: {}", super::session::plainly(&error)))?;
        if !users.contains(&found.user) {
            users.push(found.user);
        }
    }
    Ok(users)
}

pub(super) fn plainly(error: &GroupError) -> String {
    match error {
        GroupError::Refused(refusal) => printable(&refusal.text),
        GroupError::Unknown { .. } => {
            "no answer in time: it may have been done, /group info and /groups tell".to_owned()
        }
        other => other.to_string(),
    }
}

/// The names of these users, as far as they can be had; asked for where `names` lacks them.
pub(super) async fn learn(client: &Client, names: &mut HashMap<UserId, Handle>, users: &[UserId]) {
    let unknown: Vec<_> = users.iter().filter(|user| !names.contains_key(user)).copied().collect();
    for user in unknown.into_iter().take(NAMES_ASKED_MAX) {
        if let Ok(found) = client.lookup_user(user).await {
            names.insert(user, found.handle);
        }
    }
}

/// The groups that the user is in, as far as they are told of, and how many there are besides.
pub(super) async fn all(client: &Client) -> Result<(Vec<Group>, usize), RequestError> {
    let ids = client.groups().await?;
    let mut groups = Vec::new();
    for id in ids.iter().take(TOLD_OF_MAX) {
        // One that was left meanwhile is none of them.
        match client.group(*id).await {
            Ok(group) => groups.push(group),
            Err(RequestError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((groups, ids.len().saturating_sub(TOLD_OF_MAX)))
}

/// A group in one line.
pub(super) fn summary(group: &Group) -> String {
    let count = |count: u64, what| if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") };
    let mut line = format!("#{} ({})", printable(&group.name), ConversationId::group(group.group));
    // Of a channel only members learn who they are.
    if !group.members.is_empty() {
        line += &format!(", {}", count(group.members.len() as u64, "member"));
    }
    if group.settings.is_channel {
        line += &format!(", a channel with {}", count(group.followers, "follower"));
    }
    line
}

/// All about a group, in lines.
pub(super) fn description(group: &Group, names: &HashMap<UserId, Handle>) -> Vec<String> {
    let name = |user: UserId| names.get(&user).map_or_else(|| format!("user {user}"), Handle::to_string);
    let with_role = |role| {
        let members = group.members.iter().filter(move |member| member.role == role);
        members.map(|member| name(member.user)).collect::<Vec<_>>().join(", ")
    };
    let mut lines = vec![summary(group)];
    if !group.about.is_empty() {
        lines.push(printable(&group.about).replace('\n', " "));
    }
    if !group.picture.is_empty() {
        lines.push(format!("picture: {}", printable(&group.picture)));
    }
    lines.push(words::of_settings(&group.settings));
    let admins = with_role(Role::Admin);
    if !admins.is_empty() {
        lines.push(format!("admins: {admins}"));
    }
    let members = with_role(Role::Member);
    if !members.is_empty() {
        lines.push(format!("members: {members}"));
    }
    lines
}

/// Who has received and who has read a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reached {
    /// To whom it went.
    audience: usize,
    /// Of those, who has it, readers included.
    delivered: usize,
    pub(super) read: Vec<UserId>,
}

impl Reached {
    /// How far the message at `seq` has come with those it went to.
    pub(super) fn of(audience: &BTreeSet<UserId>, marks: &[MemberMark], seq: Seq) -> Self {
        let marks: Vec<_> = marks.iter().filter(|mark| audience.contains(&mark.user)).collect();
        let read = marks.iter().filter(|mark| mark.read >= seq).map(|mark| mark.user).collect();
        let delivered = marks.iter().filter(|mark| mark.delivered >= seq).count();
        Self { audience: audience.len(), delivered, read }
    }

    /// How far it has come with all of them.
    pub(super) fn tick(&self) -> Tick {
        match self.audience {
            0 => Tick::Sent,
            all if self.read.len() >= all => Tick::Read,
            all if self.delivered >= all => Tick::Delivered,
            _ => Tick::Sent,
        }
    }

    /// "12 of 255 delivered, 7 read"
    pub(super) fn counts(&self) -> String {
        format!("{} of {} delivered, {} read", self.delivered, self.audience, self.read.len())
    }

    /// Whether it went to anybody.
    pub(super) fn has_audience(&self) -> bool {
        self.audience > 0
    }

    /// "delivered to 12 of 255, read by 7: alice, ..."
    pub(super) fn words(&self, names: &HashMap<UserId, Handle>) -> String {
        let Self { audience, delivered, read } = self;
        let name = |user: UserId| names.get(&user).map_or_else(|| format!("user {user}"), Handle::to_string);
        let mut words = format!("delivered to {delivered} of {audience}, read by {}", read.len());
        if !read.is_empty() {
            words += ": ";
            words += &words::of_users(read, name);
        }
        words
    }
}

/// How far the user's own message at `seq` has come.
pub(super) async fn reached(
    client: &Client,
    conversation: ConversationId,
    me: UserId,
    seq: Seq,
) -> Result<Reached, RequestError> {
    let audience = match conversation.group_id() {
        Some(group) => {
            let members = client.group(group).await?.members.into_iter();
            members
                .filter(|member| member.since < seq && member.user != me)
                .map(|member| member.user)
                .collect()
        }
        None => conversation.direct_peer(me).into_iter().collect(),
    };
    let marks = client.receipts(conversation).await?;
    Ok(Reached::of(&audience, &marks, seq))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    fn who(handles: &[&str]) -> Vec<Handle> {
        handles.iter().map(|handle| handle.parse().unwrap()).collect()
    }

    #[test]
    fn commands_are_understood() {
        let change = |change| Ok(GroupCommand::Change(change));
        let create =
            |name: &str, members| Ok(GroupCommand::Create { name: name.to_owned(), members: who(members) });
        assert_eq!(GroupCommand::parse("create crew bob carol"), create("crew", &["bob", "carol"]));
        assert_eq!(GroupCommand::parse("create \"the crew\" bob"), create("the crew", &["bob"]));
        assert_eq!(GroupCommand::parse("create crew"), create("crew", &[]));
        assert_eq!(
            GroupCommand::parse("promote  bob"),
            change(Change::Members { what: Members::Promote, who: who(&["bob"]) })
        );
        assert_eq!(
            GroupCommand::parse("rename the new crew"),
            change(Change::Plain(GroupChange::Named("the new crew".to_owned())))
        );
        assert_eq!(
            GroupCommand::parse("about"),
            change(Change::Plain(GroupChange::Described(String::new())))
        );
        assert_eq!(
            GroupCommand::parse("set send admins"),
            change(Change::Set { what: Setting::Send, only_admins: true })
        );
        assert_eq!(GroupCommand::parse("backlog 20"), change(Change::Backlog(20)));
        assert_eq!(GroupCommand::parse("info"), Ok(GroupCommand::Info));
    }

    #[test]
    fn a_command_that_is_wrong_is_answered_with_how_it_goes() {
        for (wrong, says) in [
            ("", "/help"),
            ("fly", "no command /group fly"),
            ("create", "create NAME HANDLE..."),
            ("create \"crew bob", "second \""),
            ("create crew Not.A.Handle!", "Not.A.Handle!"),
            ("add", "add HANDLE..."),
            ("open", "open NAME"),
            ("rename", "1 to 256 bytes"),
            ("set send nobody", "admins|everybody"),
            ("set", "admins|everybody"),
            ("backlog many", "backlog N"),
            ("backlog 10001", "10000"),
            ("leave now", "takes nothing else"),
        ] {
            let error = GroupCommand::parse(wrong).unwrap_err();
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_message_is_counted_with_those_it_went_to() {
        let mark = |user_number, delivered, read| {
            let (delivered, read) = (Seq::new(delivered), Seq::new(read));
            MemberMark { user: user(user_number), delivered, read, delivered_ms: 0, read_ms: 0 }
        };
        let audience = [user(2), user(3), user(4)].into();
        // Somebody who has left may have a mark.
        let marks = [mark(2, 9, 5), mark(3, 5, 4), mark(9, 9, 9)];
        let reached = Reached::of(&audience, &marks, Seq::new(5));
        assert_eq!(reached, Reached { audience: 3, delivered: 2, read: vec![user(2)] });
        let names = [(user(2), "bob".parse().unwrap())].into();
        assert_eq!(reached.words(&names), "delivered to 2 of 3, read by 1: bob");
    }
}
