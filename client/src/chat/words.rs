//! What happens to groups, told to people.

use rookery_protocol::{GroupChange, GroupSettings, UserId};

use crate::Change;

/// More names than this become a number.
const NAMES_MAX: usize = 10;

/// Who has made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The entry's sender.
    Sender,
    /// An operator, in the sender's name.
    Operator,
}

impl By {
    pub(super) fn of(change: &Change) -> Self {
        if change.device.get() == 0 { Self::Operator } else { Self::Sender }
    }
}

/// One line that says what `who` has done: "alice has added bob".
pub(super) fn of_change(change: &GroupChange, by: By, who: &str, name: impl Fn(UserId) -> String) -> String {
    let these = |users: &[UserId]| of_users(users, &name);
    match change {
        GroupChange::Left { successor: None } if by == By::Operator => {
            format!("{who} was taken out by an operator")
        }
        GroupChange::Left { successor: Some(heir) } if by == By::Operator => {
            format!("{who} was taken out by an operator; {} is an admin now", name(*heir))
        }
        GroupChange::Deleted if by == By::Operator => "an operator has deleted the group".to_owned(),
        GroupChange::Created { members, name: called } if members.is_empty() => {
            format!("{who} has made the group “{called}”")
        }
        GroupChange::Created { members, name: called } => {
            format!("{who} has made the group “{called}” with {}", these(members))
        }
        GroupChange::Added(users) => format!("{who} has added {}", these(users)),
        GroupChange::Removed(users) => format!("{who} has removed {}", these(users)),
        GroupChange::Left { successor: None } => format!("{who} has left"),
        GroupChange::Left { successor: Some(heir) } => {
            format!("{who} has left; {} is an admin now", name(*heir))
        }
        GroupChange::Promoted(users) => format!("{who} has made {} {}", these(users), role(users, "admin")),
        GroupChange::Demoted(users) => {
            format!("{who} has made {} {}", these(users), role(users, "mere member"))
        }
        GroupChange::Named(called) => format!("{who} has named the group “{called}”"),
        GroupChange::Described(about) if about.is_empty() => format!("{who} has removed the description"),
        GroupChange::Described(about) => format!("{who} has described the group: {about}"),
        GroupChange::Pictured(picture) if picture.is_empty() => format!("{who} has removed the picture"),
        GroupChange::Pictured(_) => format!("{who} has changed the picture"),
        GroupChange::Set(settings) => format!("{who} has changed what is allowed: {}", of_settings(settings)),
        GroupChange::Deleted => format!("{who} has deleted the group"),
        GroupChange::Unknown(_) => format!("{who} has changed something that a newer version understands"),
    }
}

/// What a timer says.
pub(super) fn of_timer(seconds: u32) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    match units.into_iter().find(|(unit, _)| seconds != 0 && seconds.is_multiple_of(*unit)) {
        None => "(messages stay from here on)".to_owned(),
        Some((unit, name)) if seconds == unit => {
            format!(
                "(messages disappear after a{} {name} from here on)",
                if unit == 3_600 { "n" } else { "" }
            )
        }
        Some((unit, name)) => {
            format!("(messages disappear after {} {name}s from here on)", seconds / unit)
        }
    }
}

/// Whom a change is about, besides who made it.
pub(super) fn users_of(change: &GroupChange) -> &[UserId] {
    match change {
        GroupChange::Created { members: users, .. }
        | GroupChange::Added(users)
        | GroupChange::Removed(users)
        | GroupChange::Promoted(users)
        | GroupChange::Demoted(users) => users,
        GroupChange::Left { successor: Some(heir) } => std::slice::from_ref(heir),
        _ => &[],
    }
}

/// "bob, carol and dave", or of many: "bob, carol, ... and 12 others".
pub(super) fn of_users(users: &[UserId], name: impl Fn(UserId) -> String) -> String {
    let shown = if users.len() <= NAMES_MAX { users.len() } else { NAMES_MAX - 1 };
    let mut names: Vec<String> = users[..shown].iter().map(|user| name(*user)).collect();
    if shown < users.len() {
        names.push(format!("{} others", users.len() - shown));
    }
    let Some(last) = names.pop() else { return "nobody".to_owned() };
    if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) }
}

/// "everybody sends, only admins edit, ...".
pub(super) fn of_settings(settings: &GroupSettings) -> String {
    let GroupSettings { only_admins_send, only_admins_edit, only_admins_add, backlog, is_channel } = settings;
    let who = |only_admins, what| {
        if only_admins { format!("only admins {what}") } else { format!("everybody {what}s") }
    };
    let (send, edit) = (who(*only_admins_send, "send"), who(*only_admins_edit, "edit"));
    let add = who(*only_admins_add, "add");
    let seen = match backlog {
        0 => "new members see nothing older".to_owned(),
        1 => "new members see the last message".to_owned(),
        many => format!("new members see the last {many} messages"),
    };
    let follow = if *is_channel { "; anyone may follow" } else { "" };
    format!("{send}, {edit}, {add}; {seen}{follow}")
}

fn role(users: &[UserId], role: &str) -> String {
    let article = if role.starts_with('a') { "an" } else { "a" };
    if users.len() == 1 { format!("{article} {role}") } else { format!("{role}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(numbers: std::ops::RangeInclusive<u64>) -> Vec<UserId> {
        numbers.map(|number| UserId::new(number).unwrap()).collect()
    }

    fn said(change: &GroupChange) -> String {
        of_change(change, By::Sender, "alice", |user| format!("u{user}"))
    }

    #[test]
    fn changes_are_told_in_sentences() {
        assert_eq!(said(&GroupChange::Added(users(2..=2))), "alice has added u2");
        assert_eq!(said(&GroupChange::Removed(users(2..=4))), "alice has removed u2, u3 and u4");
        assert_eq!(said(&GroupChange::Promoted(users(2..=2))), "alice has made u2 an admin");
        assert_eq!(said(&GroupChange::Demoted(users(2..=3))), "alice has made u2 and u3 mere members");
        let heir = users(2..=2).first().copied();
        assert_eq!(said(&GroupChange::Left { successor: heir }), "alice has left; u2 is an admin now");
        assert_eq!(
            said(&GroupChange::Set(GroupSettings { only_admins_send: true, ..GroupSettings::default() })),
            "alice has changed what is allowed: only admins send, everybody edits, only admins add; new members see \
             nothing older"
        );
    }

    #[test]
    fn what_an_operator_has_done_is_not_put_down_to_a_member() {
        let said = |change| of_change(&change, By::Operator, "alice", |user| format!("u{user}"));
        assert_eq!(said(GroupChange::Left { successor: None }), "alice was taken out by an operator");
        let heir = users(2..=2).first().copied();
        let expected = "alice was taken out by an operator; u2 is an admin now";
        assert_eq!(said(GroupChange::Left { successor: heir }), expected);
        assert_eq!(said(GroupChange::Deleted), "an operator has deleted the group");
    }

    #[test]
    fn of_many_only_some_are_named() {
        let many = said(&GroupChange::Added(users(2..=102)));
        assert_eq!(many, "alice has added u2, u3, u4, u5, u6, u7, u8, u9, u10 and 92 others");
    }
}
