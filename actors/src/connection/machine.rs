//! What an inbound frame asks for. No socket, no store, no clock.

use rookery_protocol::{
    Ack, ClientFrame, DecodeError, ErrorCode, Heartbeat, Hello, Opcode, RawFrame, Read, Typing, Watch,
};

use super::reading::Reading;
use crate::session::{Setting, Writing};

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// HELLO is due.
    New,
    /// WELCOME has been queued.
    Welcome,
}

/// What to do for a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Find out who this is.
    Authenticate(Hello),
    /// Answer at once.
    Heartbeat(Heartbeat),
    /// Pass to the session.
    Write(Writing),
    /// Pass to the session.
    Ack(Ack),
    /// Pass to the session.
    Read(Read),
    /// Pass to the session.
    Set(Setting),
    /// Answer from the store.
    Look(Reading),
    /// The client looks at this.
    Watch(Watch),
    /// The user is there, or is not.
    Active(bool),
    /// The user is typing.
    Typing(Typing),
    /// Answer with an error; the connection goes on.
    Refuse(ErrorCode, String),
    /// Answer with an error and close.
    Close(ErrorCode, String),
}

impl Action {
    /// Whether it takes a user who is there. What clients say by themselves does not.
    pub(crate) fn is_use(&self) -> bool {
        !matches!(self, Self::Heartbeat(_) | Self::Ack(_) | Self::Watch(_) | Self::Active(false))
    }
}

/// Decides what a frame asks for in this phase.
pub(crate) fn decide(phase: Phase, frame: &RawFrame) -> Action {
    let frame = match ClientFrame::decode(frame) {
        Ok(frame) => frame,
        // Before WELCOME only a HELLO can be malformed; whatever else came should have been one.
        Err(_) if phase == Phase::New && frame.opcode != Opcode::Hello as u8 => return hello_first(),
        Err(error) => return refuse_or_close(&error),
    };
    match (phase, frame) {
        (Phase::New, ClientFrame::Hello(hello)) => match hello.check_limits() {
            Ok(()) => Action::Authenticate(hello),
            Err(error) => refuse_or_close(&error),
        },
        (Phase::New, _) => hello_first(),
        (Phase::Welcome, ClientFrame::Hello(_)) => {
            Action::Close(ErrorCode::AlreadyWelcome, "HELLO comes once, and did".into())
        }
        (Phase::Welcome, ClientFrame::Send(send)) => Action::Write(Writing::Send(send)),
        (Phase::Welcome, ClientFrame::CreateGroup(create)) => Action::Write(Writing::CreateGroup(create)),
        (Phase::Welcome, ClientFrame::ChangeGroup(change)) => Action::Write(Writing::ChangeGroup(change)),
        (Phase::Welcome, ClientFrame::Ack(ack)) => Action::Ack(ack),
        (Phase::Welcome, ClientFrame::Read(read)) => Action::Read(read),
        (Phase::Welcome, ClientFrame::SetConversation(set)) => Action::Set(Setting::SetConversation(set)),
        (Phase::Welcome, ClientFrame::Hide(hide)) => Action::Set(Setting::Hide(hide)),
        (Phase::Welcome, ClientFrame::Follow(follow)) => Action::Set(Setting::Follow(follow)),
        (Phase::Welcome, ClientFrame::History(history)) => Action::Look(Reading::History(history)),
        (Phase::Welcome, ClientFrame::Lookup(lookup)) => Action::Look(Reading::Lookup(lookup)),
        (Phase::Welcome, ClientFrame::GetGroup(get)) => Action::Look(Reading::Group(get)),
        (Phase::Welcome, ClientFrame::ListGroups(list)) => Action::Look(Reading::Groups(list)),
        (Phase::Welcome, ClientFrame::ListConversations(list)) => Action::Look(Reading::Conversations(list)),
        (Phase::Welcome, ClientFrame::GetReceipts(get)) => Action::Look(Reading::Receipts(get)),
        (Phase::Welcome, ClientFrame::SetPrivacy(set)) => Action::Set(Setting::SetPrivacy(set)),
        (Phase::Welcome, ClientFrame::SetProfile(set)) => Action::Set(Setting::SetProfile(set)),
        (Phase::Welcome, ClientFrame::SetPerson(set)) => Action::Set(Setting::SetPerson(set)),
        (Phase::Welcome, ClientFrame::Report(report)) => Action::Set(Setting::Report(report)),
        (Phase::Welcome, ClientFrame::GetPrivacy(get)) => Action::Look(Reading::Privacy(get)),
        (Phase::Welcome, ClientFrame::GetProfiles(get)) => Action::Look(Reading::Profiles(get)),
        (Phase::Welcome, ClientFrame::ListPeople(list)) => Action::Look(Reading::People(list)),
        (Phase::Welcome, ClientFrame::FindPeople(find)) => Action::Look(Reading::Find(find)),
        (Phase::Welcome, ClientFrame::Watch(watch)) => Action::Watch(watch),
        (Phase::Welcome, ClientFrame::Active(active)) => Action::Active(active.active),
        (Phase::Welcome, ClientFrame::Typing(typing)) => Action::Typing(typing),
        (Phase::Welcome, ClientFrame::Heartbeat(heartbeat)) => Action::Heartbeat(heartbeat),
    }
}

fn refuse_or_close(error: &DecodeError) -> Action {
    let code = error.error_code();
    if code.closes() {
        Action::Close(code, error.to_string())
    } else {
        Action::Refuse(code, error.to_string())
    }
}

fn hello_first() -> Action {
    Action::Close(ErrorCode::HelloFirst, "the first frame must be HELLO".into())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rookery_protocol::{Lookup, RequestId, encode, limits};

    use super::*;

    fn raw(bytes: Bytes) -> RawFrame {
        rookery_protocol::whole_frames(bytes, limits::FRAME_BYTES_MAX)
            .next()
            .expect("a frame")
            .expect("well formed")
    }

    fn hello() -> Hello {
        Hello { token: "t".into(), client: "c".into(), resume: None, window_events: 0 }
    }

    #[test]
    fn only_hello_is_taken_before_welcome() {
        assert_eq!(decide(Phase::New, &raw(encode(&hello()))), Action::Authenticate(hello()));
        let lookup = Lookup { request: RequestId::new(1), handle: None, user: None };
        for frame in [encode(&lookup), encode(&Heartbeat { nonce: 1 })] {
            assert!(matches!(decide(Phase::New, &raw(frame)), Action::Close(ErrorCode::HelloFirst, _)));
        }
        let unknown = RawFrame { opcode: 0xee, payload: Bytes::from_static(&[0x90]) };
        assert!(matches!(decide(Phase::New, &unknown), Action::Close(ErrorCode::HelloFirst, _)));
    }

    #[test]
    fn a_hello_that_cannot_be_read_is_malformed() {
        let broken = RawFrame { opcode: Opcode::Hello as u8, payload: Bytes::from_static(&[0x93, 1, 2, 3]) };
        assert!(matches!(decide(Phase::New, &broken), Action::Close(ErrorCode::Malformed, _)));
        let long = Hello { token: "x".repeat(limits::TOKEN_BYTES_MAX + 1), ..hello() };
        assert!(matches!(decide(Phase::New, &raw(encode(&long))), Action::Close(ErrorCode::Malformed, _)));
    }

    #[test]
    fn a_second_hello_closes_and_an_unknown_opcode_does_not() {
        let again = decide(Phase::Welcome, &raw(encode(&hello())));
        assert!(matches!(again, Action::Close(ErrorCode::AlreadyWelcome, _)));
        for opcode in [0x00, Opcode::Sent as u8, Opcode::MessageEvent as u8, 0xff] {
            let unknown = RawFrame { opcode, payload: Bytes::from_static(&[0x90]) };
            assert!(matches!(decide(Phase::Welcome, &unknown), Action::Refuse(ErrorCode::UnknownOpcode, _)));
        }
    }
}
