//! Channels as those meet them who follow them.

use rookery_protocol::{
    AccountEvent, AccountPart, Conversation, ConversationId, ConversationList, CreateGroup, Done, Error,
    ErrorCode, Follow, GetGroup, Group, GroupId, GroupSettings, ListConversations, ServerFrame,
};

use crate::client::{Client, Event};

mod following;
mod notices;
mod refusals;

/// How a request was refused: the code and the words.
type Refused = (ErrorCode, String);

fn refused(error: &Error) -> Refused {
    (error.known_code().expect("a code of this version"), error.text.clone())
}

fn refusal<T>(code: ErrorCode, text: &str) -> Result<T, Refused> {
    Err((code, text.into()))
}

fn of(group: GroupId) -> ConversationId {
    ConversationId::group(group)
}

/// Only admins send, and anyone may follow.
fn as_channel() -> GroupSettings {
    GroupSettings { only_admins_send: true, is_channel: true, ..GroupSettings::default() }
}

impl Client {
    async fn create_channel(&mut self) -> GroupId {
        let (request, id) = (self.new_request(), self.new_id());
        let (name, members, settings) = ("news".into(), Vec::new(), as_channel());
        match self.ask(&CreateGroup { request, id, name, members, settings }).await {
            ServerFrame::GroupCreated(made) => made.group,
            other => panic!("{other:?}"),
        }
    }

    async fn follow(&mut self, group: GroupId, follow: bool) -> Result<(), Refused> {
        let request = self.new_request();
        match self.ask(&Follow { request, group, follow }).await {
            ServerFrame::Done(done) => {
                assert_eq!(done, Done { request });
                Ok(())
            }
            ServerFrame::Error(error) => {
                assert_eq!(error.request, request);
                Err(refused(&error))
            }
            other => panic!("{other:?}"),
        }
    }

    async fn channel(&mut self, group: GroupId) -> Result<Group, Refused> {
        let request = self.new_request();
        match self.ask(&GetGroup { request, group }).await {
            ServerFrame::Group(group) => Ok(group),
            ServerFrame::Error(error) => Err(refused(&error)),
            other => panic!("{other:?}"),
        }
    }

    /// The user's conversations, which fit a page.
    async fn listed(&mut self) -> Vec<Conversation> {
        let request = self.new_request();
        match self.ask(&ListConversations { request, after: None }).await {
            ServerFrame::ConversationList(ConversationList { conversations, more: false, .. }) => {
                conversations
            }
            other => panic!("{other:?}"),
        }
    }

    /// The numbers of what a page of a channel's log has.
    async fn log_of(&mut self, group: GroupId) -> Result<Vec<u64>, Refused> {
        let page = self.history(of(group), 1, u64::MAX).await.map_err(|error| refused(&error))?;
        Ok(page.messages.iter().map(|message| message.seq.get()).collect())
    }

    /// Takes the next event, by which the user's devices learn that they follow other channels now.
    async fn take_followed(&mut self) {
        match self.take().await {
            Event::Account(AccountEvent { part: AccountPart::Followed, person: None, .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}
