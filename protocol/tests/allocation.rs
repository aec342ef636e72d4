//! A declared length is not a reason to take memory: reading takes what arrived, not what was announced.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use rookery_protocol::{ClientFrame, FrameDecoder, Opcode, RawFrame, ServerFrame, limits};

/// Counts the bytes each thread asks for.
struct Counting;

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator is unsafe to implement; this one counts and passes on")]
// SAFETY: every call is passed on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.set(TAKEN.get() + layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn taken_by(work: impl FnOnce()) -> usize {
    let before = TAKEN.get();
    work();
    TAKEN.get() - before
}

/// Payloads that announce far more than follows: in place of the payload, and of each of its fields.
fn payloads(opcode: Opcode) -> Vec<Vec<u8>> {
    let huge: [&[u8]; 8] = [
        &[0xdd, 0xff, 0xff, 0xff, 0xff],
        &[0xdf, 0xff, 0xff, 0xff, 0xff],
        &[0xdb, 0xff, 0xff, 0xff, 0xff],
        &[0xc6, 0xff, 0xff, 0xff, 0xff],
        &[0xc9, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0xdc, 0xff, 0xff],
        &[0xda, 0xff, 0xff],
        &[0xc5, 0xff, 0xff],
    ];
    let fields = fields_of(opcode);
    let mut payloads: Vec<Vec<u8>> = huge.iter().map(|value| value.to_vec()).collect();
    for at in 0..=fields.len() {
        for value in huge {
            payloads.push([&[0x9f][..], &fields[..at].concat(), value, &[0x01]].concat());
        }
    }
    payloads
}

fn fields_of(opcode: Opcode) -> Vec<Vec<u8>> {
    let number = || vec![0x01];
    let text = || vec![0xa1, b'a'];
    let list = || vec![0x90];
    let stamp = || [&[0xc4, 12][..], &[0; 12]].concat();
    let id = || [&[0xc4, 16][..], &[0; 16]].concat();
    let group = || vec![0xc4, 9, b'g', 0, 0, 0, 0, 0, 0, 0, 1];
    match opcode {
        Opcode::Hello => vec![text(), text(), stamp(), number()],
        Opcode::Welcome => {
            let mut fields = vec![number(), text(), number(), number(), number(), stamp()];
            fields.extend([number(), number(), number(), number(), number(), list()]);
            fields
        }
        Opcode::Error => vec![number(), number(), text(), number()],
        Opcode::Nodes => vec![list()],
        Opcode::Goaway => vec![number(), text(), number(), list()],
        Opcode::Send => vec![number(), group(), id(), id(), vec![0xc4, 1, 0], list()],
        Opcode::HistoryPage => vec![number(), number(), number(), list()],
        Opcode::Lookup => vec![number(), text(), number()],
        Opcode::CreateGroup => vec![number(), id(), text(), list(), list()],
        Opcode::ChangeGroup => vec![number(), number(), id(), list()],
        Opcode::Group => {
            let mut fields = vec![number(), number(), text(), text(), text()];
            fields.extend([vec![0x95, 0xc2, 0xc2, 0xc2, 0x01, 0xc2], number(), number(), list(), number()]);
            fields
        }
        Opcode::GetReceipts | Opcode::ListConversations => vec![number(), group()],
        Opcode::GroupList => vec![number(), list(), vec![0xc2]],
        Opcode::Receipts => vec![number(), list()],
        Opcode::GroupCreated | Opcode::GetGroup | Opcode::ListGroups => vec![number(), number(), number()],
        Opcode::Read => vec![number(), group(), number()],
        Opcode::History => vec![number(), group(), number(), number(), vec![0xc2], number()],
        Opcode::ConversationList | Opcode::People => vec![number(), list(), vec![0xc2]],
        Opcode::SetConversation => vec![number(), group(), list()],
        Opcode::Hide => vec![number(), group(), number(), list()],
        Opcode::GetProfiles | Opcode::Profiles | Opcode::FindPeople | Opcode::FoundPeople => {
            vec![number(), list()]
        }
        Opcode::SetPrivacy | Opcode::Privacy | Opcode::SetProfile | Opcode::SetPerson => {
            vec![number(), list()]
        }
        Opcode::ListPeople => vec![number(), number()],
        Opcode::Report => vec![number(), number(), group(), list(), text()],
        Opcode::Watch => vec![number(), list(), list()],
        Opcode::Active => vec![vec![0xc2]],
        Opcode::Typing => vec![group(), number()],
        Opcode::Follow => vec![number(), number(), vec![0xc2]],
        Opcode::PresenceNotice => vec![list()],
        Opcode::TypingNotice => vec![group(), number(), number()],
        Opcode::ReceiptsNotice => vec![group(), list()],
        Opcode::ChannelNotice => vec![list()],
        Opcode::AccountEvent => vec![stamp(), number(), list()],
        Opcode::Ack | Opcode::MessageEvent | Opcode::ReceiptEvent | Opcode::ConversationEvent => {
            vec![stamp()]
        }
        Opcode::Heartbeat | Opcode::HeartbeatAck | Opcode::Done | Opcode::Sent | Opcode::Found => {
            vec![number()]
        }
        Opcode::GetPrivacy => vec![number()],
    }
}

#[test]
fn a_client_cannot_make_the_server_allocate_what_it_did_not_send() {
    for opcode in Opcode::ALL {
        for payload in payloads(opcode) {
            let frame = RawFrame { opcode: opcode as u8, payload: payload.clone().into() };
            let taken = taken_by(|| drop(ClientFrame::decode(&frame)));
            assert!(taken <= 4 * 1024, "{opcode:?} {payload:02x?} took {taken} bytes");
        }
    }
}

#[test]
fn lists_of_users_cost_what_arrived_wherever_they_are_announced() {
    let users: [&[u8]; 2] = [&[0xdd, 0xff, 0xff, 0xff, 0xff, 0x01, 0x02], &[0xdc, 0xff, 0xff, 0x01, 0x02]];
    for announced in users {
        let create = [&[0x95, 1, 0xc4, 16][..], &[0; 16], &[0xa1, b'n'], announced].concat();
        let change = [&[0x94, 1, 1, 0xc4, 16][..], &[0; 16], &[0x94, 2], announced].concat();
        for (opcode, payload) in [(Opcode::CreateGroup, create), (Opcode::ChangeGroup, change)] {
            let frame = RawFrame { opcode: opcode as u8, payload: payload.into() };
            let taken = taken_by(|| assert!(ClientFrame::decode(&frame).is_err()));
            assert!(taken <= 1024, "{opcode:?} took {taken} bytes");
        }
    }
}

#[test]
fn lists_about_people_and_conversations_cost_what_arrived_wherever_they_are_announced() {
    let group = [0xc4, 9, b'g', 0, 0, 0, 0, 0, 0, 0, 1];
    for huge in [&[0xdd, 0xff, 0xff, 0xff, 0xff][..], &[0xdc, 0xff, 0xff]] {
        let numbers = [huge, &[0x01, 0x02]].concat();
        let handles = [huge, &[0xa1, b'a', 0xa1, b'b']].concat();
        for (opcode, payload) in [
            (Opcode::GetProfiles, [&[0x92, 1][..], &numbers].concat()),
            (Opcode::FindPeople, [&[0x92, 1][..], &handles].concat()),
            (Opcode::Hide, [&[0x94, 1][..], &group, &[1], &numbers].concat()),
            (Opcode::Report, [&[0x95, 1, 1][..], &group, &numbers].concat()),
            (Opcode::Watch, [&[0x93, 1][..], &numbers].concat()),
            (Opcode::Watch, [&[0x93, 1, 0x90][..], huge, &group, &group].concat()),
        ] {
            let frame = RawFrame { opcode: opcode as u8, payload: payload.into() };
            let taken = taken_by(|| assert!(ClientFrame::decode(&frame).is_err()));
            assert!(taken <= 1024, "{opcode:?} took {taken} bytes");
        }
    }
}

#[test]
fn a_server_can_make_a_client_allocate_a_mebibyte_ahead_and_no_more() {
    // The capacity of a list is taken before its elements are read; serde stops believing its length at 1 MiB.
    for opcode in Opcode::ALL {
        for payload in payloads(opcode) {
            let frame = RawFrame { opcode: opcode as u8, payload: payload.clone().into() };
            let taken = taken_by(|| drop(ServerFrame::decode(&frame)));
            assert!(taken <= 1024 * 1024 + 4 * 1024, "{opcode:?} {payload:02x?} took {taken} bytes");
        }
    }
}

#[test]
fn a_header_that_announces_4_gib_takes_no_memory() {
    let taken = taken_by(|| {
        for limit in [limits::FRAME_BYTES_MAX, usize::MAX] {
            let mut decoder = FrameDecoder::new(limit);
            decoder.extend(&[0x10, 0x00, 0x10, 0xff, 0xff, 0xff, 0xff, 0x91]);
            drop(decoder.next_frame());
        }
    });
    assert!(taken <= 256, "took {taken} bytes");
}

#[test]
fn a_wrong_text_costs_its_error_a_few_times_its_length_at_most() {
    let text = vec![0x01; 100_000];
    let payload = [&[0x91, 0xdb][..], &100_000_u32.to_be_bytes(), &text].concat();
    let frame = RawFrame { opcode: Opcode::Heartbeat as u8, payload: payload.into() };
    let taken = taken_by(|| drop(ClientFrame::decode(&frame)));
    assert!(taken <= 32 * text.len(), "took {taken} bytes");
}
