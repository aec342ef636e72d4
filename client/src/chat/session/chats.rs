//! How conversations are listed, and how the person wants that.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use rookery_protocol::{Conversation, ConversationId, GroupId, Handle, UserId};

use super::{Session, Update, plainly};
use crate::chat::listing_command::ListingCommand;
use crate::chat::rooms::{Room, What, clock, moment};
use crate::{Client, Entry};

/// Pages of conversations that are asked for at the start.
const PAGES_MAX: usize = 16;
const LAST_LINE_MAX: usize = 60;

impl Session {
    /// Asks how all conversations stand, or `only` these. A server that does not say leaves those that the local store knows.
    pub(super) fn ask_chats(&mut self, only: Option<Vec<GroupId>>) {
        let Some(me) = self.rooms.me.as_ref().map(|me| me.user) else { return };
        let (client, updates) = (self.client.clone(), self.updates.clone());
        tokio::spawn(async move {
            if let Some((mut conversations, names, mut are_all)) = all_chats(&client, me).await {
                let is_asked = |group: &GroupId| only.as_ref().is_none_or(|only| only.contains(group));
                conversations.retain(|it| it.conversation.group_id().as_ref().is_none_or(is_asked));
                if only.is_some() {
                    are_all = false;
                    conversations.retain(|it| it.conversation.group_id().is_some());
                }
                let _ = updates.send(Update::Chats { conversations, names, are_all }).await;
            }
        });
    }

    pub(super) fn chats_stand(
        &mut self,
        conversations: Vec<Conversation>,
        names: HashMap<UserId, Handle>,
        are_all: bool,
    ) {
        if are_all {
            self.forget_channels_but(&conversations);
        }
        names.into_iter().for_each(|(user, handle)| self.rooms.learn(user, handle));
        for Conversation { conversation, settings, head, unread, last, is_member, .. } in conversations {
            let room = self.rooms.room(conversation);
            room.stands(settings, head, unread);
            room.is_member = is_member;
            if let Some(last) = last {
                match Entry::of_history(last) {
                    Entry::Message(message) => {
                        self.ask_name(message.sender);
                        self.rooms.add(message, false);
                    }
                    Entry::Change(change) => self.changed(change),
                }
            }
            self.ask_group(conversation);
        }
    }

    pub(super) fn list(&mut self) {
        let now = now_ms();
        let mut lines = Vec::new();
        for (conversation, room) in self.rooms.listed() {
            lines.push(self.summary(conversation, room, now));
        }
        let archived = self.rooms.archived();
        if !archived.is_empty() {
            lines.push("put away:".to_owned());
            lines.extend(archived.into_iter().map(|(id, room)| self.summary(id, room, now)));
        }
        if lines.is_empty() {
            lines.push("no conversations yet: /to NAME begins one".to_owned());
        }
        self.notices.extend(lines);
    }

    /// A conversation in a line: "bob (3 new, muted) · 10:00 bob: hello"
    fn summary(&self, conversation: ConversationId, room: &Room, now_ms: u64) -> String {
        let settings = &room.settings;
        let mut remarks = Vec::new();
        match room.unread {
            0 if settings.unread => remarks.push("unread".to_owned()),
            0 => {}
            unread => remarks.push(format!("{unread} new")),
        }
        if settings.pinned {
            remarks.push("pinned".to_owned());
        }
        match settings.muted_until_ms {
            u64::MAX => remarks.push("muted".to_owned()),
            until if until > now_ms => remarks.push(format!("muted until {}", moment(until))),
            _ => {}
        }
        let mut line = self.rooms.title(conversation);
        if !remarks.is_empty() {
            line += &format!(" ({})", remarks.join(", "));
        }
        if let Some((seq, last)) = room.lines.last_key_value() {
            let said = match &last.what {
                What::Changed(by, change) => self.rooms.words(*by, last.sender, change),
                What::Said(_) => self.rooms.quoted(room, *seq),
            };
            let said: String = said.chars().take(LAST_LINE_MAX).collect();
            line += &format!(" · {} {said}", clock(last.time_ms));
        }
        line
    }

    pub(super) fn listing_command(&mut self, command: Result<ListingCommand, String>) {
        let command = match command {
            Ok(command) => command,
            Err(problem) => return self.notices.push(problem),
        };
        let Some(conversation) = self.open_or_notice() else { return };
        let mut settings = self.rooms.room(conversation).settings.clone();
        command.apply(&mut settings, now_ms());
        self.ask(move |client| async move {
            match client.set_conversation(conversation, settings.clone()).await {
                Ok(()) => Update::Listed(conversation, settings, command.done()),
                Err(error) => Update::Problem(plainly(&error)),
            }
        });
    }

    /// What was to be shown as unread is not any more once it is opened.
    pub(super) fn opened(&mut self, conversation: ConversationId) {
        let mut settings = self.rooms.room(conversation).settings.clone();
        if std::mem::take(&mut settings.unread) {
            let client = self.client.clone();
            // If it fails it stays as it was, for the next time.
            tokio::spawn(async move { client.set_conversation(conversation, settings).await });
        }
    }
}

/// The conversations, the names of those of two, and whether these are all.
async fn all_chats(
    client: &Client,
    me: UserId,
) -> Option<(Vec<Conversation>, HashMap<UserId, Handle>, bool)> {
    let mut conversations: Vec<Conversation> = Vec::new();
    let mut are_all = false;
    for _ in 0..PAGES_MAX {
        let after = conversations.last().map(|last| last.conversation);
        let page = client.conversations(after).await.ok()?;
        let before = conversations.len();
        conversations.extend(page.conversations);
        are_all = !page.more;
        if are_all || conversations.len() == before {
            break;
        }
    }
    let peers: Vec<_> =
        conversations.iter().filter_map(|standing| standing.conversation.direct_peer(me)).collect();
    let profiles = client.profiles(&peers).await.unwrap_or_default();
    let names = profiles.into_iter().map(|profile| (profile.user, profile.handle)).collect();
    Some((conversations, names, are_all))
}

pub(super) fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or_default()
}
