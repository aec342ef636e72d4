//! What a person does with groups, and what happens to them.

use std::collections::HashMap;

use rookery_protocol::{ConversationId, Group, GroupId};

use super::{Session, Update, plainly};
use crate::Change;
use crate::chat::group_command::{self, GroupCommand};
use crate::chat::words;

impl Session {
    pub(super) fn group_command(&mut self, argument: &str) {
        let command = match GroupCommand::parse(argument) {
            Ok(command) => command,
            Err(problem) => return self.notices.push(problem),
        };
        match command {
            GroupCommand::Create { name, members } => {
                self.ask(|client| async move {
                    match group_command::create(&client, name.clone(), &members).await {
                        Ok(group) => Update::Made(group, name),
                        Err(problem) => Update::Problem(problem),
                    }
                });
            }
            GroupCommand::Open(name) => match self.rooms.groups_called(&name)[..] {
                [conversation] => self.open(conversation),
                [] => self.notices.push(format!("no group {name} is known here; /groups lists yours")),
                ref several => {
                    let several: Vec<_> = several.iter().map(ToString::to_string).collect();
                    self.notices.push(format!("open one by its number: {}", several.join(", ")));
                }
            },
            GroupCommand::Change(change) => {
                let Some(group) = self.open_group() else { return };
                self.ask(|client| async move {
                    match group_command::change(&client, group, change).await {
                        // The change itself is told when it comes.
                        Ok(()) => Update::Told(Vec::new(), HashMap::new()),
                        Err(problem) => Update::Problem(problem),
                    }
                });
            }
            GroupCommand::Info => {
                let Some(group) = self.open_group() else { return };
                let mut names = self.rooms.all_names().clone();
                self.ask(|client| async move {
                    let group = match client.group(group).await {
                        Ok(group) => group,
                        Err(error) => return Update::Problem(plainly(&error)),
                    };
                    let members: Vec<_> = group.members.iter().map(|member| member.user).collect();
                    group_command::learn(&client, &mut names, &members).await;
                    Update::Told(group_command::description(&group, &names), names)
                });
            }
        }
    }

    pub(super) fn open_group(&mut self) -> Option<GroupId> {
        let group = self.rooms.open.and_then(ConversationId::group_id);
        if group.is_none() {
            self.notices
                .push("no group is open: /group open NAME opens one, /group create makes one".to_owned());
        }
        group
    }

    pub(super) fn list_groups(&mut self) {
        self.ask(|client| async move {
            match group_command::all(&client).await {
                Ok((groups, others)) => Update::Groups(groups, others),
                Err(error) => Update::Problem(plainly(&error)),
            }
        });
    }

    pub(super) fn show_receipts(&mut self) {
        let (Some(conversation), Some(me)) = (self.rooms.open, self.rooms.me.as_ref().map(|me| me.user))
        else {
            self.notices.push("no conversation is open: /to NAME opens one".to_owned());
            return;
        };
        let Some(seq) = self.newest(conversation, true) else {
            self.notices.push("nothing that you have sent is shown here".to_owned());
            return;
        };
        let mut names = self.rooms.all_names().clone();
        self.ask(|client| async move {
            match group_command::reached(&client, conversation, me, seq).await {
                Ok(reached) => {
                    group_command::learn(&client, &mut names, &reached.read).await;
                    Update::Told(vec![reached.words(&names)], names)
                }
                Err(error) => Update::Problem(plainly(&error)),
            }
        });
    }

    /// What is a group called, if that is not known?
    pub(super) fn ask_group(&mut self, conversation: ConversationId) {
        let Some(group) = conversation.group_id() else { return };
        if self.rooms.room(conversation).name().is_some() || !self.asked_groups.insert(group) {
            return;
        }
        let (client, updates) = (self.client.clone(), self.updates.clone());
        tokio::spawn(async move {
            if let Ok(group) = client.group(group).await {
                let _ = updates.send(Update::Called(group)).await;
            }
        });
    }

    pub(super) fn called(&mut self, group: &Group) {
        self.rooms.room(ConversationId::group(group.group)).call(group.head, &group.name);
    }

    /// Where lines are all there is, those of a group say which.
    pub(super) fn group_mark(&self, conversation: ConversationId) -> String {
        conversation.group_id().map_or_else(String::new, |_| format!("{} ", self.rooms.title(conversation)))
    }

    pub(super) fn changed(&mut self, change: Change) {
        self.ask_name(change.sender);
        if words::users_of(&change.change).iter().any(|user| self.rooms.is_me(*user))
            && let Some(group) = change.conversation.group_id()
        {
            // Before, it may have been none of this user's business.
            self.asked_groups.remove(&group);
        }
        self.ask_group(change.conversation);
        words::users_of(&change.change).iter().for_each(|user| self.ask_name(*user));
        self.rooms.change(change);
    }
}

#[cfg(test)]
mod tests {
    use rookery_protocol::{Body, DeviceId, GroupChange, MessageId, Seq};

    use super::*;
    use crate::chat::session::tests::{crew, handle, notices, screen, session, user};
    use crate::{Event, Message};

    fn changed(group: u64, seq: u64, change: GroupChange) -> Event {
        Event::Change(Change {
            conversation: crew(group),
            seq: Seq::new(seq),
            sender: user(2),
            device: DeviceId::new(1),
            id: MessageId::from_bytes([0; 16]),
            time_ms: 36_000_000,
            change,
        })
    }

    fn made(group: u64, name: &str) -> Event {
        changed(group, 1, GroupChange::Created { members: vec![user(1)], name: name.to_owned() })
    }

    #[tokio::test]
    async fn what_happens_in_a_group_is_told_in_its_place() {
        let (mut session, _updates) = session();
        let line = session.event(made(9, "crew")).unwrap();
        assert_eq!(line, "10:00 #crew bob has made the group “crew” with alice");
        let line = session.event(changed(9, 2, GroupChange::Added(vec![user(3)]))).unwrap();
        assert_eq!(line, "10:00 #crew bob has added user 3");
        let ahoy = Message {
            conversation: crew(9),
            seq: Seq::new(3),
            sender: user(2),
            device: DeviceId::new(1),
            id: MessageId::from_bytes([1; 16]),
            time_ms: 36_000_000,
            body: Body::new("ahoy"),
            reference: None,
            deleted: false,
            expires_ms: 0,
            timer_s: 0,
        };
        assert_eq!(session.event(Event::Message(ahoy)).unwrap(), "10:00 #crew bob: ahoy");
        session.event(changed(9, 4, GroupChange::Named("the crew".to_owned())));
        let chats = notices(&mut session, "/chats");
        assert_eq!(chats, "#the crew (1 new) · 10:00 bob has named the group “the crew”");
        session.rooms.learn(user(3), handle("carol"));
        session.open(crew(9));
        let screen = screen(&session);
        for shown in ["10:00 bob has added carol", "10:00 bob: ahoy", "#the crew> "] {
            assert!(screen.contains(shown), "{shown}: {screen}");
        }
    }

    #[tokio::test]
    async fn a_group_is_opened_by_a_name_that_is_its_alone_or_by_its_number() {
        let (mut session, _updates) = session();
        for (group, name) in [(7, "crew"), (8, "crew"), (9, "bob")] {
            session.event(made(group, name));
        }
        assert_eq!(notices(&mut session, "/group open crew"), "open one by its number: g:7, g:8");
        assert!(notices(&mut session, "/group open nobody").contains("no group nobody is known here"));
        assert_eq!(session.rooms.open, None);
        assert_eq!(notices(&mut session, "/group open g:8"), "");
        assert_eq!(session.rooms.open, Some(crew(8)));
        notices(&mut session, "/group open #bob");
        assert_eq!(session.rooms.open, Some(crew(9)));
        notices(&mut session, "/to g:7");
        assert_eq!(session.rooms.open, Some(crew(7)));
        // A person's name means the person, whatever groups are called.
        notices(&mut session, "/to bob");
        assert!(session.is_busy() && session.rooms.open == Some(crew(7)));
    }

    #[tokio::test]
    async fn what_needs_an_open_group_says_so_and_what_was_made_is_opened() {
        let (mut session, _updates) = session();
        for command in ["/group info", "/group add bob", "/group leave"] {
            assert!(notices(&mut session, command).contains("no group is open"), "{command}");
        }
        assert!(notices(&mut session, "/receipts").contains("no conversation is open"));
        assert!(notices(&mut session, "/group fly").contains("/help"));
        assert!(notices(&mut session, "/help groups").contains("/group create NAME HANDLE..."));
        session.update(Update::Made(GroupId::new(9).unwrap(), "crew".to_owned()));
        assert_eq!((session.rooms.open, session.rooms.title(crew(9))), (Some(crew(9)), "#crew".to_owned()));
        let completions = session.completions();
        for line in ["/group add bob", "/group open crew", "/group set send admins", "/groups"] {
            assert!(completions.iter().any(|completion| completion == line), "{line}");
        }
    }
}
