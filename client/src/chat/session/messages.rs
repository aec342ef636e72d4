//! What a person does with messages of the open conversation.

use std::collections::HashMap;
use std::time::Duration;

use rookery_protocol::{Body, ConversationId, GroupChange, Reference, ReferenceKind, Seq};

use super::{Session, Update, plainly};
use crate::chat::message_command::MessageCommand;
use crate::chat::rooms::{Room, Unsent, What, clock, printable};
use crate::chat::words;
use crate::{EnqueueError, Message, SendTicket};

impl Session {
    pub(super) fn message_command(&mut self, command: Result<MessageCommand, String>) {
        let command = match command {
            Ok(command) => command,
            Err(problem) => return self.notices.push(problem),
        };
        let Some(conversation) = self.open_or_notice() else { return };
        match command {
            MessageCommand::Refer { kind, to, text } => self.refer(conversation, kind, to, &text),
            MessageCommand::Timer(after) => self.set_timer(conversation, after),
            MessageCommand::Hide(seqs) => self.hide(conversation, Seq::ZERO, seqs),
            MessageCommand::HideAll => {
                let head = self.rooms.room(conversation).head;
                self.hide(conversation, head.max(Seq::new(1)), Vec::new());
            }
            MessageCommand::Report { seqs, text } => self.report(conversation, seqs, text),
        }
    }

    fn refer(&mut self, conversation: ConversationId, kind: ReferenceKind, to: Option<Seq>, text: &str) {
        let own = matches!(kind, ReferenceKind::Edit | ReferenceKind::Delete);
        let Some(seq) = to.or_else(|| self.newest(conversation, own)) else {
            let whose = if own { "that you have sent" } else { "of anybody else's" };
            return self.notices.push(format!("nothing {whose} is shown here; name it: #N"));
        };
        let quoted = self.rooms.quoted(self.rooms.rooms.get(&conversation).unwrap_or(&Room::default()), seq);
        let shown = match kind {
            ReferenceKind::Edit => format!("edits “{quoted}”: {text}"),
            ReferenceKind::Delete => format!("deletes “{quoted}”"),
            ReferenceKind::Reaction => format!("reacts to “{quoted}” with {text}"),
            _ => text.to_owned(),
        };
        self.send(conversation, text, Some(Reference { kind, seq }), shown);
    }

    pub(super) fn send(
        &mut self,
        conversation: ConversationId,
        text: &str,
        reference: Option<Reference>,
        shown: String,
    ) {
        let body = Body::new(text.as_bytes().to_vec());
        let sending = match reference {
            None => self.client.send(conversation, body),
            Some(reference) => self.client.refer(conversation, reference, body),
        };
        self.put(conversation, sending, reference, &shown);
    }

    fn set_timer(&mut self, conversation: ConversationId, after: Option<Duration>) {
        let sending = self.client.set_timer(conversation, after);
        let reference = Reference { kind: ReferenceKind::Timer, seq: Seq::ZERO };
        let seconds = after.map_or(0, |after| u32::try_from(after.as_secs()).unwrap_or(u32::MAX));
        self.put(conversation, sending, Some(reference), &words::of_timer(seconds));
    }

    /// Shows what is being sent, or why it is not.
    fn put(
        &mut self,
        conversation: ConversationId,
        sending: Result<SendTicket, EnqueueError>,
        reference: Option<Reference>,
        shown: &str,
    ) {
        self.scrolled = None;
        match sending {
            Ok(ticket) => {
                let text = printable(shown);
                let unsent = Unsent { id: ticket.id(), text, reference, refused: None };
                self.rooms.room(conversation).unsent.push(unsent);
            }
            Err(error) => self.notices.push(error.to_string()),
        }
    }

    /// Takes away what is told until the next command, and messages that were refused: the person has seen why.
    pub(crate) fn dismiss(&mut self) {
        self.notices.clear();
        self.scrolled = None;
        if let Some(open) = self.rooms.open {
            self.rooms.room(open).unsent.retain(|unsent| unsent.refused.is_none());
        }
    }

    pub(super) fn newest(&self, conversation: ConversationId, own: bool) -> Option<Seq> {
        let me = self.rooms.me.as_ref()?.user;
        self.rooms.rooms.get(&conversation)?.newest(me, own)
    }

    fn hide(&mut self, conversation: ConversationId, up_to: Seq, seqs: Vec<Seq>) {
        self.ask(|client| async move {
            match client.hide(conversation, up_to, seqs).await {
                // That it is so comes as an event.
                Ok(()) => Update::Told(Vec::new(), HashMap::new()),
                Err(error) => Update::Problem(plainly(&error)),
            }
        });
    }

    fn report(&mut self, conversation: ConversationId, seqs: Vec<Seq>, text: String) {
        let room = self.rooms.rooms.get(&conversation);
        let sender = |seq: &Seq| room.and_then(|room| room.lines.get(seq)).map(|line| line.sender);
        let mut senders: Vec<_> = seqs.iter().map(sender).collect();
        senders.dedup();
        let user = match senders[..] {
            [] => self.rooms.peer(conversation).filter(|peer| !self.rooms.is_me(*peer)),
            [sender] => sender,
            _ => None,
        };
        let Some(user) = user.filter(|user| !self.rooms.is_me(*user)) else {
            self.notices
                .push("name messages that one other person has sent and that are shown: #N".to_owned());
            return;
        };
        let name = self.rooms.name(user);
        self.ask(|client| async move {
            match client.report(user, Some(conversation), seqs, text).await {
                Ok(()) => {
                    let line = format!("the moderators will hear of {name}; /block {name} keeps them away");
                    Update::Told(vec![line], HashMap::new())
                }
                Err(error) => Update::Problem(plainly(&error)),
            }
        });
    }

    /// A message of others where lines are all there is: "bob: hello", or what it does to another.
    pub(super) fn told(&self, message: &Message) -> String {
        if let Some(does) = self.rooms.does(message) {
            return does;
        }
        let who = self.rooms.name(message.sender);
        let text = printable(&String::from_utf8_lossy(message.body.as_bytes()));
        let room = self.rooms.rooms.get(&message.conversation);
        let quoted = message.reference.as_ref().zip(room);
        let answers =
            quoted.map(|(reference, room)| format!(" (to “{}”)", self.rooms.quoted(room, reference.seq)));
        let text = if message.deleted { "(deleted)".to_owned() } else { text };
        let number = if self.numbers { format!("#{} ", message.seq) } else { String::new() };
        format!("{number}{who}{}: {text}", answers.unwrap_or_default())
    }

    /// Entries of a conversation in lines, as they are now.
    pub(super) fn lines_of(&self, room: &Room, seqs: impl Iterator<Item = Seq>) -> Vec<String> {
        let line = |seq: Seq| {
            let line = room.lines.get(&seq)?;
            let time = clock(line.time_ms);
            let number = if self.numbers { format!("#{seq} ") } else { String::new() };
            Some(match &line.what {
                What::Changed(by, change) => {
                    format!("{time} {number}{}", self.rooms.words(*by, line.sender, change))
                }
                What::Said(_) => {
                    let who = self.rooms.name_or_me(line.sender);
                    let reactions = self.rooms.reactions(room, seq);
                    let reactions = reactions.map_or_else(String::new, |reactions| format!("\n{reactions}"));
                    let said = self.rooms.said(room, seq);
                    super::indented(&format!("{time} {number}{who}: {said}{reactions}"))
                }
            })
        };
        seqs.filter_map(line).collect()
    }

    /// How far the others have come, and who they are in a group.
    pub(super) fn ask_marks(&mut self, conversation: ConversationId) {
        let (client, updates) = (self.client.clone(), self.updates.clone());
        tokio::spawn(async move {
            if let Some(group) = conversation.group_id()
                && let Ok(group) = client.group(group).await
            {
                let _ = updates.send(Update::Crew(group)).await;
            }
            // A conversation in which nothing was said yet is not known to the server.
            if let Ok(marks) = client.receipts(conversation).await {
                let _ = updates.send(Update::Marks(conversation, marks)).await;
            }
        });
    }

    /// Whether a change is about who is in a group.
    pub(super) fn changes_members(change: &GroupChange) -> bool {
        !words::users_of(change).is_empty() || matches!(change, GroupChange::Left { .. })
    }
}
