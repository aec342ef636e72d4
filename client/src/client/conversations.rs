//! The user's conversations: which there are, how each is listed, what of it is shown, and what was said.

use rookery_protocol::{
    ConversationId, ConversationList, ConversationSettings, Hide, HistoryPage, RequestId, Seq,
};

use super::Client;
use crate::machine::{Answer, Call};
use crate::{InvalidRequest, RequestError};

impl Client {
    /// A page of the conversations that this user is in, in ascending order of their ids: those after `after`, or the
    /// first. Each with how it is listed, what of it is unread, and its last message, which
    /// [`Entry::of_history`](crate::Entry::of_history) understands.
    ///
    /// # Errors
    /// When the server says no, or nothing in time.
    pub async fn conversations(
        &self,
        after: Option<ConversationId>,
    ) -> Result<ConversationList, RequestError> {
        match self.call(Call::Conversations { after }).await? {
            Answer::Conversations(list) => Ok(list),
            _ => Err(RequestError::Closed),
        }
    }

    /// How this user wants a conversation listed, all of it at once; on all of the user's devices, which are told by
    /// [`Event::Shown`](crate::Event::Shown).
    ///
    /// # Errors
    /// When the server says no ([`NotMember`](crate::ErrorCode::NotMember)), or nothing in time: then it may have been
    /// done.
    pub async fn set_conversation(
        &self,
        conversation: ConversationId,
        settings: ConversationSettings,
    ) -> Result<(), RequestError> {
        self.order(Call::SetConversation { conversation, settings }).await
    }

    /// Does not show this user these messages any more: all up to `up_to` (0: none of them), and `seqs`, of which there are
    /// at most [`HIDE_MAX`](rookery_protocol::limits::HIDE_MAX). Others keep them. The user's devices are told by
    /// [`Event::Shown`](crate::Event::Shown).
    ///
    /// # Errors
    /// When that is nothing, or too much by name; when the server says no, or nothing in time: then it may have been done.
    pub async fn hide(
        &self,
        conversation: ConversationId,
        up_to: Seq,
        seqs: Vec<Seq>,
    ) -> Result<(), RequestError> {
        let hide = Hide { request: RequestId::new(0), conversation, up_to, seqs };
        hide.check().map_err(InvalidRequest::from)?;
        self.order(Call::Hide { conversation, up_to, seqs: hide.seqs }).await
    }

    /// As many of the messages `from..=to` of a conversation as fit a page, from the first on. The page says where the
    /// next one begins, and the conversation's last message. In a group there is nothing from before what this user may
    /// see, nor from after it, and nowhere what the user has hidden; [`Entry::of_history`](crate::Entry::of_history) tells
    /// messages from changes.
    ///
    /// # Errors
    /// When the server says no, or nothing in time.
    pub async fn history(
        &self,
        conversation: ConversationId,
        from: Seq,
        to: Seq,
    ) -> Result<HistoryPage, RequestError> {
        self.page(Call::History { conversation, from, to, backwards: false, time_ms: 0 }).await
    }

    /// As [`history`](Self::history), from the last on: the page has the last of the messages `from..=to`, in ascending
    /// order, and says where the one before it ends. `Seq::new(u64::MAX)` as `to` is the conversation's last message.
    ///
    /// # Errors
    /// As [`history`](Self::history).
    pub async fn history_backwards(
        &self,
        conversation: ConversationId,
        from: Seq,
        to: Seq,
    ) -> Result<HistoryPage, RequestError> {
        self.page(Call::History { conversation, from, to, backwards: true, time_ms: 0 }).await
    }

    /// As [`history`](Self::history), from the first message on that was accepted at this time or later, in milliseconds
    /// since 1970 by the server's clock.
    ///
    /// # Errors
    /// As [`history`](Self::history).
    pub async fn history_since(
        &self,
        conversation: ConversationId,
        time_ms: u64,
    ) -> Result<HistoryPage, RequestError> {
        let (from, to, time_ms) = (Seq::new(1), Seq::new(u64::MAX), time_ms.max(1));
        self.page(Call::History { conversation, from, to, backwards: false, time_ms }).await
    }

    /// As [`history_backwards`](Self::history_backwards), from the last message on that was accepted before this time.
    ///
    /// # Errors
    /// As [`history`](Self::history).
    pub async fn history_before(
        &self,
        conversation: ConversationId,
        time_ms: u64,
    ) -> Result<HistoryPage, RequestError> {
        let (from, to, time_ms) = (Seq::new(1), Seq::new(u64::MAX), time_ms.max(1));
        self.page(Call::History { conversation, from, to, backwards: true, time_ms }).await
    }

    async fn page(&self, call: Call) -> Result<HistoryPage, RequestError> {
        match self.call(call).await? {
            Answer::Page(page) => Ok(page),
            _ => Err(RequestError::Closed),
        }
    }
}
