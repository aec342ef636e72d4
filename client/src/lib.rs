//! A client of a Rookery cluster: connects, authenticates, sends, receives, and comes back by itself.
//!
//! What it promises: a message given to [`Client::send`] is sent once, in order within its conversation, across any
//! number of connections, restarts of this process with a durable [`LocalStore`] included; each message of the user's
//! conversations is handed up exactly once, in order within its conversation, by [`Events::next`]; and the server
//! hears that a message arrived only once the application has taken it and the local store has noted so. When the
//! process is killed, at most the last event handed up comes a second time. What happens to a group
//! ([`Event::Change`]) has its place among the group's messages, and all this holds for it too. A group is made or changed
//! by a request ([`Client::create_group`], [`Client::change_group`]) that can be repeated and is done once. Replies,
//! reactions, edits and deletions are messages: they go through the outbox and come in their place like any other. What is
//! said in a channel that the user follows ([`Client::follow`]) is handed up like messages of a group: exactly once, in order,
//! whatever was said without a connection included.
//!
//! Decisions are in `machine`, which has no clock, socket or file; `driver` is the one task that acts for it. Time comes
//! from tokio alone, randomness from the generator given to [`Client::start`], connections from a [`Dialer`]: a
//! simulation controls all three.
//!
//! ```no_run
//! use rand::{SeedableRng, rngs::StdRng};
//! use rookery_client::{Body, Client, Config, ConversationId, Event, LmdbStore, NetworkDialer, TlsOptions, TokenProvider};
//!
//! # async fn run(token: String, user: rookery_client::UserId) -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new(vec!["tcp://127.0.0.1:7400".parse()?], TokenProvider::fixed(token));
//! let dialer = NetworkDialer::new(TlsOptions::System);
//! let store = LmdbStore::open("alice-laptop")?;
//! let (client, mut events) = Client::start(config, dialer, store, StdRng::seed_from_u64(7))?;
//!
//! let bob = client.lookup("bob".parse()?).await?.user;
//! let ticket = client.send(ConversationId::direct(user, bob), Body::new("hello"))?;
//! let (seq, _time_ms) = ticket.await?;
//! while let Some(event) = events.next().await {
//!     if let Event::Message(message) = event {
//!         client.read(message.conversation, message.seq);
//!     }
//! }
//! client.close().await;
//! # Ok(())
//! # }
//! ```

mod address;
mod backoff;
pub mod chat;
mod client;
mod config;
mod dialer;
mod driver;
mod error;
mod event;
mod link;
mod local_store;
mod machine;
mod shared;
mod tls;
mod token;
pub mod trust;

pub use address::{AddressError, NodeAddress, Scheme};
pub use client::{Client, Events, SendTicket, Started, Status};
pub use config::Config;
pub use dialer::{DialFuture, Dialer, NetworkDialer};
pub use error::{
    BROADCAST_USERS_MAX, BroadcastError, EnqueueError, GroupError, InvalidRequest, Refusal, RequestError,
    SendError, StartError, TerminalError, code_name,
};
pub use event::{Change, Entry, Event, Identity, Message};
pub use link::{ByteStream, Link};
pub use local_store::{
    Batch, Commit, LmdbStore, LocalStore, LocalStoreError, MemoryStore, OutboxEntry, Saved, Timer,
};
pub use tls::{TlsError, TlsOptions};
pub use token::{TokenError, TokenProvider};

/// The protocol's types that this crate's interface uses.
pub use rookery_protocol::{
    AccountPart, Audience, Availability, Body, Conversation, ConversationId, ConversationList,
    ConversationSettings, DeviceId, Doing, ErrorCode, ExpiresError, Found, Group, GroupChange,
    GroupChangeError, GroupId, GroupMember, GroupSettings, Handle, HideError, HistoryPage, MemberMark,
    MessageId, Person, Presence, PrivacySettings, Profile, ProfileError, Receipt, Reference, ReferenceError,
    ReferenceKind, ReportError, Role, Seq, Shown, Stamp, UserId, UserProfile, WatchError,
};
