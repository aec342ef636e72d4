//! Every limit of the wire, each with its reason. A limit is checked before the memory it bounds is taken.

/// Largest frame, header included, after the handshake. Holds the largest body with all that may travel beside it
/// and a history page worth asking for, yet 10,000 half-received frames fit in 2.5 GB.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;

/// Largest frame before WELCOME: only HELLO is due, and a stranger may hold no more memory than this.
pub const HANDSHAKE_FRAME_BYTES_MAX: usize = 4 * 1024;

/// Time from accepting a connection to its whole HELLO, TLS and WebSocket upgrade included. In milliseconds. Enough for
/// a phone on a bad network; a stranger who says nothing costs no more than this.
pub const HANDSHAKE_MS: u32 = 10_000;

/// Largest message body. Text with its encryption envelope is far smaller; anything larger is media.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Largest token in HELLO. Ours are about 250 bytes; a foreign issuer's may carry more claims.
pub const TOKEN_BYTES_MAX: usize = 2 * 1024;

/// Largest client name in HELLO: for logs and device lists only.
pub const CLIENT_NAME_BYTES_MAX: usize = 64;

/// Unacknowledged events a device may have outstanding unless it asks for fewer.
pub const WINDOW_EVENTS_MAX: u32 = 256;

/// Events a device gets when HELLO asks for a window of 0.
pub const WINDOW_EVENTS_DEFAULT: u32 = 128;

/// Bytes of unacknowledged event payload a device may have outstanding: the cost of a slow reader to its node.
pub const WINDOW_BYTES_MAX: usize = 512 * 1024;

/// Requests a connection may have unanswered. The server reads no further until one is answered.
pub const REQUESTS_IN_FLIGHT_MAX: u32 = 64;

/// Messages in one history page.
pub const HISTORY_MESSAGES_MAX: u32 = 256;

/// Payload bytes in one history page; a page ends before the message that would pass it (but holds at least one).
pub const HISTORY_BYTES_MAX: usize = 128 * 1024;

/// Members of a group: a message is written into the inbox of each within one transaction, and a GROUP with all of them
/// fits a frame ten times over.
pub const GROUP_MEMBERS_MAX: usize = 1024;

/// Users that one request adds, removes, promotes or demotes: each account is looked up in the same transaction.
pub const GROUP_USERS_AT_ONCE_MAX: usize = 256;

/// Groups in one page of the list of a user's groups: about 8 KiB, so that few people need a second page.
pub const GROUP_LIST_MAX: usize = 1024;

/// Bytes of a group's name: a line on a screen, whatever the script.
pub const GROUP_NAME_BYTES_MAX: usize = 256;

/// Bytes of a group's description: a few paragraphs, read and written with every GROUP.
pub const GROUP_ABOUT_BYTES_MAX: usize = 2048;

/// Bytes of the reference of a group's picture: a URL, or a hash and a key; never the picture.
pub const GROUP_PICTURE_BYTES_MAX: usize = 512;

/// Messages from before its joining that a new member may be allowed to ask for. Some weeks of a lively group; it bounds
/// what one careless setting gives away.
pub const GROUP_BACKLOG_MAX: u32 = 10_000;

/// Time in which a message may be edited by its sender, by the server's clock. In milliseconds: a quarter of an hour, for
/// slips; what others have long read is not to change under them.
pub const EDIT_MS: u64 = 15 * 60 * 1000;

/// Time in which a message may be deleted for everyone. In milliseconds: two days.
pub const DELETE_MS: u64 = 2 * 24 * 3600 * 1000;

/// Edits of one message. Each is an entry of the log, and deleting the message finds them all.
pub const EDITS_MAX: usize = 32;

/// Bytes of a reaction: a symbol with its encryption envelope.
pub const REACTION_BYTES_MAX: usize = 512;

/// Shortest time after which a message disappears. In seconds: long enough to be read by somebody who looks.
pub const EXPIRES_S_MIN: u32 = 5;

/// Longest time after which a message disappears. In seconds: ninety days.
pub const EXPIRES_S_MAX: u32 = 90 * 24 * 3600;

/// Conversations in one page of the list, each with its last message; a page ends before the one that would pass
/// [`HISTORY_BYTES_MAX`] (but holds at least one).
pub const CONVERSATIONS_MAX: usize = 64;

/// Messages that one request hides, besides all up to one: as many as people mark by hand.
pub const HIDE_MAX: usize = 256;

/// People in one page of those who are anything to a user: about 12 KiB.
pub const PEOPLE_MAX: usize = 1024;

/// People that may be anything to a user: contacts and blocked ones. An address book, and what bounds its reading.
pub const PEOPLE_PER_USER_MAX: usize = 10_000;

/// Handles that one request looks up: an address book in a few requests, and no directory in a few thousand.
pub const FIND_PEOPLE_MAX: usize = 256;

/// Users whose profiles one request asks for: a screen full, and the longest answer fits a frame.
pub const PROFILES_MAX: usize = 64;

/// Bytes of a profile's name.
pub const PROFILE_NAME_BYTES_MAX: usize = 128;

/// Bytes of what users say about themselves.
pub const PROFILE_ABOUT_BYTES_MAX: usize = 512;

/// Bytes of the reference of a user's picture: a URL, or a hash and a key; never the picture.
pub const PROFILE_PICTURE_BYTES_MAX: usize = 512;

/// Messages that one report names.
pub const REPORT_MESSAGES_MAX: usize = 16;

/// Bytes of a report's text: what happened, in the user's words.
pub const REPORT_TEXT_BYTES_MAX: usize = 2048;

/// Channels that one user follows: as many as anybody reads, and a node learns them all when the user connects.
pub const FOLLOWED_MAX: usize = 256;

/// Users whose presence one connection watches: what fits a screen, twice over.
pub const WATCH_USERS_MAX: usize = 64;

/// Conversations that one connection has open: one on a phone, some windows at a desk.
pub const WATCH_CONVERSATIONS_MAX: usize = 8;

/// How long a WATCH lasts. In milliseconds; a client that still looks says so anew before.
pub const WATCH_MS: u32 = 60_000;

/// How long somebody is taken to be typing when nothing more is heard. In milliseconds.
pub const TYPING_MS: u32 = 5_000;

/// TYPING of one connection is passed on once in this time for each conversation. In milliseconds.
pub const TYPING_EVERY_MS: u32 = 3_000;

/// A user who does nothing for this long is idle. In milliseconds; clients that know better say so with ACTIVE.
pub const IDLE_MS: u32 = 5 * 60 * 1000;

/// Time between a client's heartbeats, unless WELCOME says otherwise. In milliseconds.
pub const HEARTBEAT_MS: u32 = 30_000;

/// Heartbeats that may be missing before the server closes the connection.
pub const HEARTBEATS_MISSED_MAX: u32 = 3;

/// Bytes of human text in ERROR and GOAWAY.
pub const TEXT_BYTES_MAX: usize = 512;

/// Arrays, maps and extensions of one payload inside one another. Ours need six; the rest is for fields to come.
pub const DEPTH_MAX: usize = 16;
