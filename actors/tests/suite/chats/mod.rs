//! Conversations as people use them: messages about messages, lists, what is hidden, what was said when.

use rookery_protocol::{
    Body, ConversationEvent, ConversationId, ConversationSettings, Done, Error, ErrorCode, Hide, Reference,
    ReferenceKind, Seq, ServerFrame, SetConversation, Shown,
};

use crate::client::{Client, Event};

mod expiry;
mod expiry_refusals;
mod history;
mod listing;
mod reference_refusals;
mod references;
mod settings;

/// How a request was refused: the code and the words.
type Refused = (ErrorCode, String);

fn refused(error: &Error) -> Refused {
    (error.known_code().expect("a code of this version"), error.text.clone())
}

fn refusal<T>(code: ErrorCode, text: &str) -> Result<T, Refused> {
    Err((code, text.into()))
}

fn reference(kind: ReferenceKind, seq: u64) -> Reference {
    Reference { kind, seq: Seq::new(seq) }
}

fn seqs(numbers: &[u64]) -> Vec<Seq> {
    numbers.iter().copied().map(Seq::new).collect()
}

impl Client {
    /// Sends a message about another, and returns its place.
    async fn about(
        &mut self,
        conversation: ConversationId,
        (kind, seq): (ReferenceKind, u64),
        body: &[u8],
    ) -> Result<u64, Refused> {
        self.say_for(conversation, (Some(reference(kind, seq)), 0), body).await
    }

    /// Sends a message, perhaps about another, that disappears after `expires_s`.
    async fn say_for(
        &mut self,
        conversation: ConversationId,
        (reference, expires_s): (Option<Reference>, u32),
        body: &[u8],
    ) -> Result<u64, Refused> {
        let (request, id) = (self.new_request(), self.new_id());
        let body = Body::new(body.to_vec());
        let send =
            rookery_protocol::Send { request, conversation, id, after: None, body, reference, expires_s };
        self.tell(&send).await;
        match self.answer().await {
            ServerFrame::Sent(sent) => Ok(sent.seq.get()),
            ServerFrame::Error(error) => Err(refused(&error)),
            other => panic!("{other:?}"),
        }
    }

    async fn is_done(&mut self) -> Result<(), Refused> {
        match self.answer().await {
            ServerFrame::Done(Done { .. }) => Ok(()),
            ServerFrame::Error(error) => Err(refused(&error)),
            other => panic!("{other:?}"),
        }
    }

    async fn set_conversation(
        &mut self,
        conversation: ConversationId,
        settings: ConversationSettings,
    ) -> Result<(), Refused> {
        let request = self.new_request();
        self.tell(&SetConversation { request, conversation, settings }).await;
        self.is_done().await
    }

    async fn hide(
        &mut self,
        conversation: ConversationId,
        up_to: u64,
        hidden: &[u64],
    ) -> Result<(), Refused> {
        let (request, up_to) = (self.new_request(), Seq::new(up_to));
        self.tell(&Hide { request, conversation, up_to, seqs: seqs(hidden) }).await;
        self.is_done().await
    }

    /// The next event, which says what has changed in how a conversation is shown; and acknowledges it.
    async fn take_shown(&mut self) -> Shown {
        match self.take().await {
            Event::Shown(ConversationEvent { shown, .. }) => shown,
            other => panic!("{other:?}"),
        }
    }
}
