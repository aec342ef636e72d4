//! What a person does with channels, and which they follow.

use std::collections::HashSet;

use rookery_protocol::{Conversation, ConversationId, Group, GroupId};

use super::{Session, Update, plainly};
use crate::chat::channel_command::{ChannelCommand, WITH_NAMES, Which};
use crate::chat::group_command;

impl Session {
    pub(super) fn channel_command(&mut self, argument: &str) {
        let command = match ChannelCommand::parse(argument) {
            Ok(command) => command,
            Err(problem) => return self.notices.push(problem),
        };
        match command {
            ChannelCommand::Create(name) => self.ask(|client| async move {
                match client.create_channel(name.clone()).await {
                    Ok(group) => Update::Made(group, name),
                    Err(error) => Update::Problem(group_command::plainly(&error)),
                }
            }),
            ChannelCommand::Follow(group) => self.ask(move |client| async move {
                match client.follow(group).await {
                    Ok(()) => Update::Following(group, client.group(group).await.ok()),
                    Err(error) => Update::Problem(plainly(&error)),
                }
            }),
            ChannelCommand::Unfollow(which) => {
                let Some(group) = self.channel(which) else { return };
                self.ask(move |client| async move {
                    match client.unfollow(group).await {
                        Ok(()) => Update::Unfollowed(group),
                        Err(error) => Update::Problem(plainly(&error)),
                    }
                });
            }
            ChannelCommand::Info(which) => {
                let Some(group) = self.channel(which) else { return };
                let mut names = self.rooms.all_names().clone();
                self.ask(move |client| async move {
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

    /// The channel that is meant; without one the person is told how to name it.
    fn channel(&mut self, which: Which) -> Option<GroupId> {
        match which {
            Which::Numbered(group) => Some(group),
            Which::Open => {
                let open = self.rooms.open.and_then(ConversationId::group_id);
                if open.is_none() {
                    self.notices.push("no channel is open: name it by its number, like g:7".to_owned());
                }
                open
            }
            Which::Called(name) => match self.rooms.groups_called(&name)[..] {
                [conversation] => conversation.group_id(),
                [] => {
                    self.notices.push(format!("no channel {name} is known here; its number would do"));
                    None
                }
                ref several => {
                    let several: Vec<_> = several.iter().map(ToString::to_string).collect();
                    self.notices.push(format!("name one by its number: {}", several.join(", ")));
                    None
                }
            },
        }
    }

    pub(super) fn following(&mut self, group: GroupId, what: Option<&Group>) {
        self.busy = false;
        let conversation = ConversationId::group(group);
        if let Some(group) = what {
            self.called(group);
        }
        // Before, there may have been nothing for this person to see.
        self.rooms.room(conversation).history_asked = false;
        self.open(conversation);
        self.notices.push(format!("you follow {}", self.rooms.title(conversation)));
    }

    pub(super) fn unfollowed(&mut self, group: GroupId) {
        self.busy = false;
        let conversation = ConversationId::group(group);
        self.notices.push(format!("you follow {} no more", self.rooms.title(conversation)));
        if !self.rooms.room(conversation).is_member {
            self.rooms.rooms.remove(&conversation);
            self.rooms.open = self.rooms.open.filter(|open| *open != conversation);
        }
    }

    /// These are followed now, by this device's doing or another's.
    pub(super) fn follows(&mut self, groups: Vec<GroupId>) {
        let new = groups.iter().filter(|group| !self.followed.contains(group));
        let new: Vec<_> = new.copied().collect();
        self.followed = groups;
        if !new.is_empty() {
            self.ask_chats(Some(new));
        }
    }

    /// Takes away what the local store remembers and the server does not: channels that were followed once.
    pub(super) fn forget_channels_but(&mut self, conversations: &[Conversation]) {
        let listed: HashSet<_> = conversations.iter().map(|it| it.conversation).collect();
        let open = self.rooms.open;
        self.rooms.rooms.retain(|conversation, room| {
            let is_direct = conversation.group_id().is_none();
            is_direct
                || listed.contains(conversation)
                || !room.lines.is_empty()
                || !room.unsent.is_empty()
                || open == Some(*conversation)
        });
    }

    /// Lines about a followed channel that Tab may complete to.
    pub(super) fn channel_completions(&self, group: GroupId) -> impl Iterator<Item = String> {
        let conversation = ConversationId::group(group);
        let name = self.rooms.rooms.get(&conversation).and_then(|room| room.name());
        let name = name.map_or_else(|| conversation.to_string(), str::to_owned);
        WITH_NAMES.iter().map(move |word| format!("/channel {word} {name}"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rookery_protocol::{Body, ConversationSettings, DeviceId, GroupSettings, MessageId, RequestId, Seq};

    use super::*;
    use crate::chat::session::tests::{crew, notices, screen, session, user};
    use crate::{Event, Message};

    fn news() -> GroupId {
        GroupId::new(7).unwrap()
    }

    fn channel() -> Group {
        Group {
            request: RequestId::new(1),
            group: news(),
            name: "news".to_owned(),
            about: "What is new".to_owned(),
            picture: String::new(),
            settings: GroupSettings { only_admins_send: true, is_channel: true, ..GroupSettings::default() },
            created_ms: 0,
            head: Seq::new(4),
            members: Vec::new(),
            followers: 12,
        }
    }

    fn post(seq: u64) -> Event {
        Event::Message(Message {
            conversation: crew(7),
            seq: Seq::new(seq),
            sender: user(2),
            device: DeviceId::new(1),
            id: MessageId::from_bytes([1; 16]),
            time_ms: 36_000_000,
            body: Body::new("four eggs"),
            reference: None,
            deleted: false,
            expires_ms: 0,
            timer_s: 0,
        })
    }

    fn standing(number: u64, unread: u64, is_member: bool) -> Conversation {
        Conversation {
            conversation: crew(number),
            settings: ConversationSettings::default(),
            first: Seq::new(1),
            head: Seq::new(4),
            read: Seq::new(4 - unread),
            unread,
            last: None,
            is_member,
            is_followed: true,
        }
    }

    #[tokio::test]
    async fn a_channel_that_is_followed_is_opened_and_what_is_said_there_is_told_and_listed_as_unread() {
        let (mut session, _updates) = session();
        session.update(Update::Following(news(), Some(channel())));
        assert_eq!(
            (session.rooms.open, session.notices.join("")),
            (Some(crew(7)), "you follow #news".into())
        );
        session.rooms.open = None;
        session.event(Event::Followed(vec![news()]));
        let (conversations, names) = (vec![standing(7, 2, false)], HashMap::new());
        session.update(Update::Chats { conversations, names, are_all: false });
        assert_eq!(session.event(post(5)).unwrap(), "10:00 #news bob: four eggs");
        assert_eq!(notices(&mut session, "/chats"), "#news (3 new) · 10:00 bob: four eggs");
        let completions = session.completions();
        for line in ["/channel follow ", "/channel info news", "/channel unfollow news"] {
            assert!(completions.iter().any(|completion| completion == line), "{line}");
        }
        session.open(crew(7));
        assert!(screen(&session).contains("bob: four eggs"));
        session.update(Update::Unfollowed(news()));
        assert_eq!(
            (session.rooms.open, session.notices.last().unwrap().as_str()),
            (None, "you follow #news no more")
        );
        assert_eq!(notices(&mut session, "/chats"), "no conversations yet: /to NAME begins one");
    }

    #[tokio::test]
    async fn who_is_a_member_keeps_the_channel_and_what_was_followed_once_is_not_listed() {
        let (mut session, _updates) = session();
        session.rooms.room(crew(9));
        let (conversations, names) = (vec![standing(7, 0, true)], HashMap::new());
        session.update(Update::Chats { conversations, names, are_all: true });
        assert_eq!(notices(&mut session, "/chats"), "g:7");
        session.update(Update::Unfollowed(news()));
        assert_eq!(notices(&mut session, "/chats"), "g:7");
    }

    #[tokio::test]
    async fn what_is_not_known_here_is_to_be_named_by_its_number() {
        let (mut session, _updates) = session();
        for command in ["/channel info", "/channel unfollow"] {
            assert!(notices(&mut session, command).contains("no channel is open"), "{command}");
        }
        assert!(notices(&mut session, "/channel info news").contains("no channel news is known here"));
        assert!(notices(&mut session, "/channel follow news").contains("like g:7"));
        assert!(notices(&mut session, "/help channels").contains("/channel follow ID"));
        assert_eq!(notices(&mut session, "/channel info g:7"), "");
        assert!(session.is_busy());
    }

    #[test]
    fn a_channel_is_told_of_with_those_who_follow_it_and_its_members_to_whom_they_are_told() {
        let settings = "only admins send, everybody edits, only admins add; new members see nothing older; anyone may follow";
        let lines = group_command::description(&channel(), &HashMap::new());
        assert_eq!(lines, ["#news (g:7), a channel with 12 followers", "What is new", settings]);
    }
}
