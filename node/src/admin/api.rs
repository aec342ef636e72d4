//! What operators ask a node and what it answers: the JSON of every route under `/v1/`.
//!
//! A node answers for itself and for the store. What several nodes know a part of (connections, sessions, where somebody
//! is) is asked of each and put together by whoever asks.
//!
//! | form | meaning |
//! |---|---|
//! | a user in a path or a field `user` of a request | a handle, or `id:` and the user's number |
//! | a device there | the device's name, or `id:` and the device's number |
//! | a group in a path | its number, or `g:` and its number |
//! | `..._ms` | milliseconds since 1970, or a length of time in milliseconds where the text says so |
//! | a stamp | 24 hexadecimal digits |
//! | a conversation | as the protocol has it, `d:1:2` |
//!
//! `GET /v1/metrics` answers what `/metrics` of the operators' listener does, in Prometheus' text form, and
//! `GET /v1/openapi.json` the document.
//!
//! Fields are only ever added. A reader skips those it does not know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The header in which a request may name the node it is meant for: another one does nothing, and answers
/// [`FailureCode::WrongNode`].
pub const NODE_HEADER: &str = "Rookery-Node";

macro_rules! api {
    ($( $(#[$attribute:meta])* $visibility:vis $kind:ident $name:ident $body:tt )*) => { $(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        $(#[$attribute])*
        $visibility $kind $name $body
    )* };
}

api! {
    /// Why a request was not done. Comes with a status that is not 2xx.
    pub struct Failure {
        /// For programs.
        pub code: FailureCode,
        /// What is wrong, for people.
        pub message: String,
        /// What to do about it; empty when there is nothing to say.
        pub hint: String,
    }

    /// Kinds of failure, each with its HTTP status.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "snake_case")]
    pub enum FailureCode {
        /// 400: the request says something that is not possible.
        BadRequest,
        /// 401: the bearer token is missing or wrong.
        Unauthorized,
        /// 404: there is no such user, device, group, node, ban, report or route.
        NotFound,
        /// 405: the route is there, for another method.
        MethodNotAllowed,
        /// 409: it is not possible as things stand, such as a handle that is taken.
        Conflict,
        /// 413: the body is longer than requests are.
        TooLarge,
        /// 421: the request is meant for another node, by its header `Rookery-Node`.
        WrongNode,
        /// 429: the node does as much of this as it does at a time.
        Busy,
        /// 500: the node failed at it.
        Internal,
        /// 501: this node, or its engine, cannot do it.
        NotSupported,
        /// 503: the store cannot be reached, is full, or the outcome is unknown.
        Unavailable,
        /// 504: it took longer than requests may.
        Timeout,
    }

    /// It has been done.
    #[derive(Copy, Eq)]
    pub struct Done {
        /// Whether that made a difference: `false` when it was so already.
        pub changed: bool,
    }
}

// This node.

api! {
    /// `GET /v1/status`: this node.
    pub struct Status {
        /// The cluster's id.
        pub cluster: String,
        /// The node's name.
        pub node: String,
        /// Which run of it this is; 0 for a node that is no member.
        pub incarnation: u64,
        /// The version of its program.
        pub version: String,
        /// Its process on its machine.
        pub pid: u32,
        /// Its clock.
        pub time_ms: u64,
        /// How long it has run.
        pub uptime_ms: u64,
        /// `lmdb`, `foundationdb` or `memory`.
        pub engine: String,
        /// The view of the cluster that the store has; 0 before there is one.
        pub epoch: u64,
        /// Whether clients should be sent here.
        pub ready: bool,
        /// Why not.
        pub not_ready: Option<String>,
        /// Whether it sends its clients away.
        pub draining: bool,
        /// Where its clients reach it.
        pub clients: Vec<String>,
        /// Slots that are its own, of 4,096.
        pub slots: u32,
        /// What it holds.
        pub counts: Counts,
    }

    /// What a node holds.
    #[derive(Copy, Eq, Default)]
    pub struct Counts {
        /// Open connections, welcomed or not.
        pub connections: u64,
        /// Of these, connections whose actor is awake.
        pub connections_awake: u64,
        /// Users with a connection.
        pub sessions: u64,
        /// Of these, sessions that are awake.
        pub sessions_awake: u64,
    }

    /// `GET /v1/drain`, and the answer to `POST /v1/drain`: how far a drain of this node has come.
    pub struct Drain {
        /// The node's name.
        pub node: String,
        /// Where it stands.
        pub state: DrainState,
        /// How long it has been on; milliseconds.
        pub running_ms: u64,
        /// Connections when it began.
        pub connections_before: u64,
        /// Connections left.
        pub connections_left: u64,
        /// Slots that are still its own.
        pub slots_left: u32,
    }

    /// Where a drain stands.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "snake_case")]
    pub enum DrainState {
        /// Nobody has asked for one.
        None,
        /// Slots and connections are on their way.
        Draining,
        /// Nothing is left: the node may be stopped.
        Drained,
        /// It has ended with connections or slots left.
        Late,
    }

    /// `POST /v1/drain`: take no more clients, move slots away, and send the clients there are to other nodes. Asked again
    /// it changes nothing, and answers how far it has come. Refused (409) when there is no other node that could take slots.
    #[derive(Copy, Eq)]
    #[serde(deny_unknown_fields)]
    pub struct DrainRequest {
        /// Over how many seconds clients are told to come back, each at a time of its own: 0 to 600.
        #[serde(default = "drain_spread")]
        pub spread_seconds: u32,
        /// How many seconds it may take until it is called late: 1 to 3,600.
        #[serde(default = "drain_within")]
        pub within_seconds: u32,
    }

    /// `GET /v1/log-level` and the answer to `PUT /v1/log-level`, which takes it too: what this node logs.
    #[derive(Eq)]
    #[serde(deny_unknown_fields)]
    pub struct LogLevel {
        /// `error`, `warn`, `info`, `debug`, `trace`, `off`, or directives such as `info,rookery_store=debug`. It lasts
        /// until the node stops or is told to read its configuration again.
        pub level: String,
    }
}

fn drain_spread() -> u32 {
    10
}

fn drain_within() -> u32 {
    60
}

impl Default for DrainRequest {
    fn default() -> Self {
        Self { spread_seconds: drain_spread(), within_seconds: drain_within() }
    }
}

// The cluster.

api! {
    /// `GET /v1/nodes`: the members of the cluster, and how this node sees each.
    pub struct Nodes {
        /// The view's epoch; 0 and no members for a node that is alone.
        pub epoch: u64,
        /// Who answers.
        pub seen_by: String,
        /// By name.
        pub nodes: Vec<Node>,
    }

    /// A member.
    pub struct Node {
        /// Its name.
        pub name: String,
        /// Which run of it is the member.
        pub incarnation: u64,
        /// Where other nodes reach it; empty: nowhere.
        pub link_address: String,
        /// The URL of its admin API; empty: none.
        pub admin: String,
        /// Where its clients reach it.
        pub clients: Vec<String>,
        /// Its share of the slots, against those of the others.
        pub weight: u32,
        /// Whether its slots are to go to others.
        pub draining: bool,
        /// Slots that are its own, of 4,096.
        pub slots: u32,
        /// Its lease in the store; none when it has been taken away.
        pub lease: Option<Lease>,
        /// The link that this node has to it; none to itself, and where there are no links.
        pub link: Option<Link>,
    }

    /// A member's sign of life in the store.
    pub struct Lease {
        /// Which run of the node it is of.
        pub incarnation: u64,
        /// How often it has been renewed.
        pub renewed: u64,
        /// How long this node has known it as it is, in milliseconds, if it keeps watch. Three seconds are the end.
        pub age_ms: Option<u64>,
        /// The version of the node's program.
        pub version: String,
        /// The node's process on its machine.
        pub pid: u32,
    }

    /// A link to another node.
    pub struct Link {
        /// Whether it is there.
        pub state: LinkState,
        /// For how long, in milliseconds.
        pub since_ms: u64,
        /// A round trip, in microseconds, if one has been measured.
        pub rtt_us: Option<u64>,
        /// Messages for that node that wait for the link.
        pub waiting: u64,
        /// Messages for that node that wait to go through the store.
        pub waiting_mail: u64,
        /// Bytes sent that the other side has not said it has taken.
        pub unconfirmed_bytes: u64,
        /// Batches sent.
        pub batches_out: u64,
        /// Batches received.
        pub batches_in: u64,
        /// Bytes sent.
        pub bytes_out: u64,
        /// Bytes received.
        pub bytes_in: u64,
    }

    /// Whether a link is there.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "snake_case")]
    pub enum LinkState {
        /// It is.
        Up,
        /// It is being tried.
        Dialling,
        /// Nobody listens at the node's address.
        Refused,
    }

    /// `GET /v1/slots`: who owns which of the 4,096 slots.
    pub struct Slots {
        /// The view's epoch.
        pub epoch: u64,
        /// By the node's name.
        pub nodes: Vec<NodeSlots>,
    }

    /// A member's slots.
    pub struct NodeSlots {
        /// Its name.
        pub node: String,
        /// How many.
        pub slots: u32,
        /// Which.
        pub ranges: Vec<SlotRange>,
    }

    /// Slots one after another.
    #[derive(Copy, Eq)]
    pub struct SlotRange {
        /// The first.
        pub first: u16,
        /// The last.
        pub last: u16,
    }

    /// The answer to `DELETE /v1/nodes/{node}`, `PUT /v1/nodes/{node}/weight` and `PUT /v1/nodes/{node}/draining`.
    #[derive(Copy, Eq)]
    pub struct ViewChanged {
        /// The view's epoch now.
        pub epoch: u64,
    }

    /// `PUT /v1/nodes/{node}/weight`: changes a member's share. Slots move when a rebalance asks for it.
    #[derive(Copy, Eq)]
    #[serde(deny_unknown_fields)]
    pub struct Weight {
        /// Its share against those of the others, 0 to 10,000; 0 gets no slots.
        pub weight: u32,
    }

    /// `PUT /v1/nodes/{node}/draining`: whether a member's slots are to go to others. They move when a rebalance asks
    /// for it. A drain of a node does both by itself.
    #[derive(Copy, Eq)]
    #[serde(deny_unknown_fields)]
    pub struct Draining {
        /// Whether.
        pub draining: bool,
    }

    /// `POST /v1/rebalance`: moves slots to where weights and drains want them.
    #[derive(Copy, Eq)]
    #[serde(deny_unknown_fields)]
    pub struct RebalanceRequest {
        /// How many at the most, 1 to 4,096.
        #[serde(default = "rebalance_step")]
        pub at_most: u16,
    }

    /// What a rebalance did.
    #[derive(Copy, Eq)]
    pub struct Rebalanced {
        /// Slots moved.
        pub moved: u32,
        /// Slots that are still not where they should be.
        pub left: u32,
        /// The view's epoch now.
        pub epoch: u64,
    }
}

fn rebalance_step() -> u16 {
    256
}

impl Default for RebalanceRequest {
    fn default() -> Self {
        Self { at_most: rebalance_step() }
    }
}

// Who is here.

api! {
    /// `GET /v1/users/{user}/where`: where a user's messages go, and what this node has of the user.
    pub struct Where {
        /// The user's number.
        pub user: u64,
        /// The user's handle.
        pub handle: String,
        /// The user's slot.
        pub slot: u16,
        /// The node that owns the slot; none for a node that is alone.
        pub owner: Option<String>,
        /// Who answers.
        pub node: String,
        /// The shard that has the user's session on this node.
        pub shard: u32,
        /// The user's session on this node.
        pub session: SessionState,
        /// The nodes that have told this one that the user is connected to them. Only the owner knows any.
        pub hosts: Vec<String>,
        /// The user's connections to this node.
        pub connections: Vec<Connection>,
    }

    /// A session on a node.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "snake_case")]
    pub enum SessionState {
        /// None: the user is not connected here.
        Absent,
        /// An entry in its shard's map, until something happens.
        Hibernating,
        /// Awake.
        Alive,
    }

    /// `GET /v1/sessions`: this node's sessions, by the user's number.
    pub struct Sessions {
        /// Who answers.
        pub node: String,
        /// A page of them.
        pub sessions: Vec<Session>,
        /// What `after` of the next page is; none after the last page.
        pub next: Option<u64>,
    }

    /// A session.
    #[derive(Eq)]
    pub struct Session {
        /// Whose.
        pub user: u64,
        /// Which of the node's shards has it.
        pub shard: u32,
        /// Never `absent`.
        pub state: SessionState,
        /// The user's devices that are connected here.
        pub devices: Vec<u32>,
    }

    /// `GET /v1/connections`: this node's connections, by their number.
    pub struct Connections {
        /// Who answers.
        pub node: String,
        /// A page of them.
        pub connections: Vec<Connection>,
        /// What `after` of the next page is; none after the last page.
        pub next: Option<u64>,
    }

    /// A connection.
    #[derive(Eq)]
    pub struct Connection {
        /// Its number among those of this run of the node; WELCOME told the client.
        pub connection: u64,
        /// Whose; none before it has been welcomed.
        pub user: Option<u64>,
        /// Of which device; none before it has been welcomed.
        pub device: Option<u32>,
        /// The address and port at the other end.
        pub peer: String,
        /// How long it has been open; milliseconds.
        pub open_ms: u64,
        /// Frames of the client that have not been dealt with.
        pub in_flight: u32,
        /// Bytes waiting to be written to the client.
        pub queued_bytes: u64,
        /// Whether it is being closed.
        pub closing: bool,
    }

    /// Query parameters of what comes in pages: `GET /v1/sessions`, `GET /v1/users`, `GET /v1/channels` and
    /// `GET /v1/channels/{group}/followers`.
    #[derive(Default, Copy, Eq)]
    #[serde(deny_unknown_fields)]
    pub struct Page {
        /// Only what comes after this number.
        pub after: Option<u64>,
        /// How many at the most, 1 to 1,000; 100 if it does not say.
        pub limit: Option<u32>,
    }

    /// Query parameters of `GET /v1/connections`.
    #[derive(Default, Eq)]
    #[serde(deny_unknown_fields)]
    pub struct ConnectionsQuery {
        /// Only those after this number.
        pub after: Option<u64>,
        /// How many at the most, 1 to 1,000; 100 if it does not say.
        pub limit: Option<u32>,
        /// Only this user's.
        pub user: Option<String>,
        /// Only those from this address or network, such as `10.0.0.0/8`.
        pub peer: Option<String>,
    }

    /// `POST /v1/kick`: closes connections to this node. Their clients may come back. One of `user` and `connection`.
    #[derive(Default, Eq)]
    #[serde(deny_unknown_fields)]
    pub struct Kick {
        /// A user's.
        pub user: Option<String>,
        /// Of the user's, only this device's.
        pub device: Option<String>,
        /// The one with this number.
        pub connection: Option<u64>,
        /// What the client is told.
        pub reason: Option<String>,
    }

    /// What a kick did.
    #[derive(Eq)]
    pub struct Kicked {
        /// Who answers.
        pub node: String,
        /// The numbers of the connections that are being closed.
        pub connections: Vec<u64>,
    }
}

// Users, from the store: every node answers the same.

api! {
    /// `GET /v1/users`: accounts, by number.
    pub struct Users {
        /// A page of them.
        pub users: Vec<User>,
        /// What `after` of the next page is; none after the last page.
        pub next: Option<u64>,
    }

    /// An account.
    #[derive(Eq)]
    pub struct User {
        /// Its number.
        pub user: u64,
        /// Its handle.
        pub handle: String,
        /// When it was made.
        pub created_ms: u64,
        /// Since when and why it may not be used; none when it may.
        pub suspension: Option<Suspension>,
        /// Whether it may do everything as often as it likes.
        #[serde(default)]
        pub unlimited: bool,
        /// Whether nobody but the user sees what it sends.
        #[serde(default)]
        pub shadow_banned: bool,
    }

    /// Since when and why an account may not be used.
    #[derive(Eq)]
    pub struct Suspension {
        /// Since when.
        pub since_ms: u64,
        /// Why: the operator's words, which the user's devices are told.
        pub reason: String,
    }

    /// `GET /v1/users/{user}`: an account and its devices. Also the answer to `POST /v1/users`.
    #[derive(Eq)]
    pub struct UserShown {
        /// The account.
        pub user: User,
        /// By number.
        pub devices: Vec<Device>,
        /// How many groups the user is in; none when a node does not say.
        pub groups: Option<u64>,
    }

    /// `POST /v1/users`: makes an account.
    #[derive(Eq)]
    #[serde(deny_unknown_fields)]
    pub struct AddUser {
        /// Its handle: 1 to 32 of `a-z 0-9 . _ -`, beginning with a letter or digit.
        pub handle: String,
    }

    /// `PUT /v1/users/{user}/suspension`: the account may not be used until the suspension is taken away. Connections are
    /// closed: on this node at once, on others as soon as they look, within seconds of the client's next frame.
    #[derive(Eq, Default)]
    #[serde(deny_unknown_fields)]
    pub struct Suspend {
        /// Why: up to 200 characters, which the user's devices are told.
        #[serde(default)]
        pub reason: String,
    }

    /// `PUT /v1/users/{user}/standing`: what operators say of the account. What is not named stays as it is.
    #[derive(Eq, Default)]
    #[serde(deny_unknown_fields)]
    pub struct Standing {
        /// Whether it may do everything as often as it likes, from its next connection on: for programs of yours.
        pub unlimited: Option<bool>,
        /// Whether nobody but the user sees what it sends from now on. The user is not told.
        pub shadow_banned: Option<bool>,
    }

    /// `GET /v1/users/{user}/devices`.
    #[derive(Eq)]
    pub struct Devices {
        /// By number.
        pub devices: Vec<Device>,
    }

    /// A user's device.
    #[derive(Eq)]
    pub struct Device {
        /// Its number among the user's.
        pub device: u32,
        /// What the user calls it.
        pub name: String,
        /// When it was added.
        pub created_ms: u64,
        /// Tokens of another generation are revoked.
        pub generation: u32,
    }

    /// `POST /v1/users/{user}/tokens`: a token for a device, which is added if there is none of that name.
    #[derive(Eq)]
    #[serde(deny_unknown_fields)]
    pub struct TokenRequest {
        /// The device's name.
        pub device: String,
        /// For how many seconds it is good: 1 to 31,622,400 (366 days); 30 days if it does not say.
        pub seconds: Option<u64>,
    }

    /// A token.
    #[derive(Eq)]
    pub struct TokenMade {
        /// Whose.
        pub user: u64,
        /// Which device's.
        pub device: u32,
        /// What lets the device in. A secret.
        pub token: String,
        /// Until when.
        pub expires_ms: u64,
    }

    /// `GET /v1/users/{user}/inbox`: what waits for a user's devices. No bodies.
    #[derive(Eq)]
    pub struct Inbox {
        /// Whose.
        pub user: u64,
        /// Events in it: those that not every device has acknowledged, and some that have not been trimmed yet.
        pub depth: u64,
        /// Whether there are more than were counted, which is 100,000.
        pub more: bool,
        /// The first one.
        pub oldest: Option<InboxEvent>,
        /// What waits for each device, by number.
        pub devices: Vec<DeviceBacklog>,
        /// The first events, as many as asked for.
        pub events: Vec<InboxEvent>,
    }

    /// What waits for a device.
    #[derive(Eq)]
    pub struct DeviceBacklog {
        /// Its number.
        pub device: u32,
        /// Its name.
        pub name: String,
        /// Up to where it has acknowledged.
        pub cursor: String,
        /// Events after that.
        pub waiting: u64,
    }

    /// An event in an inbox.
    #[derive(Eq)]
    pub struct InboxEvent {
        /// Its place.
        pub stamp: String,
        /// What it is.
        pub kind: EventKind,
        /// In which conversation.
        pub conversation: Option<String>,
        /// A message's place in it; of a receipt, up to where messages were delivered.
        pub seq: Option<u64>,
        /// Who sent the message, or whose receipt it is.
        pub from: Option<u64>,
        /// When the message was accepted; none for a receipt, and when retention has removed the message.
        pub time_ms: Option<u64>,
        /// The length of the message's body.
        pub body_bytes: Option<u64>,
    }

    /// Kinds of events.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "snake_case")]
    pub enum EventKind {
        /// A message.
        Message,
        /// Somebody has received or read messages.
        Receipt,
        /// How a conversation is listed, or what of it is shown, has changed.
        Shown,
        /// The user's account has changed: profile, privacy, people.
        Account,
        /// Something that a newer version wrote.
        Unknown,
    }

    /// Query parameters of `GET /v1/users/{user}/inbox`.
    #[derive(Default, Copy, Eq)]
    #[serde(deny_unknown_fields)]
    pub struct Peek {
        /// How many of the first events to show, 0 to 1,000; none if it does not say.
        pub peek: Option<u32>,
    }
}

// Groups, from the store.

api! {
    /// `GET /v1/groups/{group}`: a group. One that is no more is shown without members.
    #[derive(Eq)]
    pub struct Group {
        /// Its number.
        pub group: u64,
        /// As a conversation.
        pub conversation: String,
        /// Its name.
        pub name: String,
        /// Its description.
        pub about: String,
        /// The reference of its picture; empty: none.
        pub picture: String,
        /// When it was made.
        pub created_ms: u64,
        /// By whom.
        pub creator: GroupUser,
        /// Whether it is no more.
        pub deleted: bool,
        /// What is left to everybody; none when it is no more.
        pub settings: Option<GroupSettings>,
        /// The number of the log's last entry.
        pub head: u64,
        /// How many are in it.
        pub members: u64,
        /// Those of them who may do everything, by number.
        pub admins: Vec<GroupUser>,
    }

    /// Somebody who has to do with a group.
    #[derive(Eq)]
    pub struct GroupUser {
        /// The number.
        pub user: u64,
        /// The handle; none when the account has been removed.
        pub handle: Option<String>,
    }

    /// What is left to everybody in a group, and what those who join may see.
    #[derive(Copy, Eq)]
    pub struct GroupSettings {
        /// Only admins send.
        pub only_admins_send: bool,
        /// Only admins change name, description and picture.
        pub only_admins_edit: bool,
        /// Only admins add members.
        pub only_admins_add: bool,
        /// How many entries from before its joining a new member may see.
        pub backlog: u32,
        /// Anyone may follow it: a channel.
        pub is_channel: bool,
    }

    /// `GET /v1/groups/{group}/where`: who of a group is connected to this node. A group itself is nowhere: what is written
    /// to it is committed by the node that its author is connected to.
    #[derive(Eq)]
    pub struct GroupWhere {
        /// The group's number.
        pub group: u64,
        /// The group's name.
        pub name: String,
        /// How many are in it.
        pub members: u64,
        /// Who answers.
        pub node: String,
        /// The numbers of those members who are connected here, ascending.
        pub connected: Vec<u64>,
    }

    /// `GET /v1/groups/{group}/members`: who is in a group, and how far each has come.
    #[derive(Eq)]
    pub struct GroupMembers {
        /// The group's number.
        pub group: u64,
        /// The number of the log's last entry.
        pub head: u64,
        /// By the user's number; 1,024 at the most.
        pub members: Vec<GroupMember>,
    }

    /// Somebody in a group.
    #[derive(Eq)]
    pub struct GroupMember {
        /// The user's number.
        pub user: u64,
        /// The user's handle.
        pub handle: Option<String>,
        /// What they may do.
        pub role: GroupRole,
        /// The entry by which they became a member.
        pub since: u64,
        /// Up to where entries have reached a device of theirs, as far as has been noted; 0 for none.
        pub delivered: u64,
        /// Up to where they have read; 0 for nothing.
        pub read: u64,
    }

    /// `GET /v1/channels`: groups that anyone may follow, by number.
    #[derive(Eq)]
    pub struct Channels {
        /// A page of them. It may have fewer than were asked for, or none, though there are more: of many groups, few may be
        /// channels.
        pub channels: Vec<Channel>,
        /// What `after` of the next page is; none after the last page.
        pub next: Option<u64>,
    }

    /// A group that anyone may follow.
    #[derive(Eq)]
    pub struct Channel {
        /// Its number.
        pub group: u64,
        /// As a conversation.
        pub conversation: String,
        /// Its name.
        pub name: String,
        /// When it was made.
        pub created_ms: u64,
        /// How many are in it.
        pub members: u64,
        /// How many follow it.
        pub followers: u64,
    }

    /// `GET /v1/channels/{group}`: a channel.
    #[derive(Eq)]
    pub struct ChannelShown {
        /// The group that it is.
        pub group: Group,
        /// How many follow it.
        pub followers: u64,
    }

    /// `GET /v1/channels/{group}/followers`: who follows a channel, by number.
    #[derive(Eq)]
    pub struct Followers {
        /// The channel's number.
        pub group: u64,
        /// How many there are in all.
        pub count: u64,
        /// A page of them.
        pub followers: Vec<GroupUser>,
        /// What `after` of the next page is; none after the last page.
        pub next: Option<u64>,
    }

    /// What a member may do.
    #[derive(Copy, Eq)]
    #[serde(rename_all = "snake_case")]
    pub enum GroupRole {
        /// What the settings leave to everybody.
        Member,
        /// Everything.
        Admin,
    }
}

// Reports: what users want the moderators to look at.

api! {
    /// `GET /v1/reports`: what nobody has dealt with yet, as it came.
    #[derive(Eq)]
    pub struct Reports {
        /// How many there are in all; there may be 10,000.
        pub waiting: u64,
        /// Those of this page.
        pub reports: Vec<Report>,
        /// There may be more after this one.
        pub next: Option<String>,
    }

    /// Query parameters of `GET /v1/reports`.
    #[derive(Default, Eq)]
    #[serde(deny_unknown_fields)]
    pub struct ReportsQuery {
        /// Only those after this one.
        pub after: Option<String>,
        /// How many at the most, 1 to 1,000; 100 if it does not say.
        pub limit: Option<u32>,
    }

    /// A report.
    #[derive(Eq)]
    pub struct Report {
        /// Its id: a stamp.
        pub report: String,
        /// When it was made.
        pub time_ms: u64,
        /// Who has made it.
        pub reporter: ReportUser,
        /// Who is reported.
        pub user: ReportUser,
        /// Where it happened, if in a conversation.
        pub conversation: Option<String>,
        /// The numbers of the messages in question; 16 at the most.
        pub messages: Vec<u64>,
        /// What happened, in the reporter's words.
        pub text: String,
    }

    /// Somebody who has to do with a report.
    #[derive(Eq)]
    pub struct ReportUser {
        /// The number.
        pub user: u64,
        /// The handle; none when the account has been removed.
        pub handle: Option<String>,
    }

    /// `GET /v1/reports/{report}`: a report, and the messages it names.
    #[derive(Eq)]
    pub struct ReportShown {
        /// The report.
        pub report: Report,
        /// What those of the messages said that were there when it was made.
        pub messages: Vec<ReportedMessage>,
    }

    /// A message that a report names, as it was when that was made.
    #[derive(Eq)]
    pub struct ReportedMessage {
        /// Its number in the conversation.
        pub seq: u64,
        /// Who has sent it.
        pub sender: ReportUser,
        /// When it was accepted.
        pub time_ms: u64,
        /// Its first 4,096 bytes; what is no text is shown as far as it can be. None of what has no body.
        pub text: Option<String>,
    }
}

// Bans: addresses that may not connect to any node.

api! {
    /// `GET /v1/bans`: by network.
    #[derive(Eq)]
    pub struct Bans {
        /// All of them; there may be 10,000.
        pub bans: Vec<Ban>,
    }

    /// An address or network from which nobody may connect.
    #[derive(Eq)]
    pub struct Ban {
        /// An address such as `192.0.2.7`, or a network such as `192.0.2.0/24` or `2001:db8::/32`.
        pub network: String,
        /// Why.
        pub reason: String,
        /// Since when.
        pub since_ms: u64,
        /// Until when; none for ever.
        pub until_ms: Option<u64>,
    }

    /// `POST /v1/bans`: bans an address or network on every node, in place of the ban there may be already, and closes its
    /// connections: here at once, on other nodes within seconds.
    #[derive(Eq)]
    #[serde(deny_unknown_fields)]
    pub struct AddBan {
        /// An address or a network; not every address there is.
        pub network: String,
        /// Why: up to 200 characters.
        #[serde(default)]
        pub reason: String,
        /// For how many seconds, at least 1; for ever if it does not say.
        pub seconds: Option<u64>,
    }

    /// A ban was made.
    #[derive(Eq)]
    pub struct BanAdded {
        /// As it is now.
        pub ban: Ban,
        /// How many connections to this node are being closed for it.
        pub closed: u64,
    }
}

// The store.

api! {
    /// `POST /v1/backup`: writes a copy of the embedded store, as of one moment, into a directory on this node's machine,
    /// while it is in use.
    #[derive(Eq)]
    #[serde(deny_unknown_fields)]
    pub struct BackupRequest {
        /// An absolute path. The directory must be missing or empty; its parent must be there.
        pub directory: String,
    }

    /// A line of the answer to `POST /v1/backup`. The last is `done` or `failed`; without one of these it was cut short, and
    /// there may be no whole copy. The copy goes on when nobody reads.
    #[derive(Eq)]
    #[serde(tag = "line", rename_all = "snake_case")]
    pub enum BackupLine {
        /// So far; a line every second.
        Progress {
            /// For how long; milliseconds.
            took_ms: u64,
        },
        /// The copy is whole and on the disk.
        Done {
            /// Where.
            directory: String,
            /// How long the copy is.
            bytes: u64,
            /// How long it took; milliseconds.
            took_ms: u64,
        },
        /// There is no copy.
        Failed {
            /// Why.
            message: String,
        },
    }

    /// A line of `GET /v1/check`: looks at everything in the store, step by step, and says what does not fit together.
    /// The last line is `done` or `failed`; without one of these it was cut short.
    #[derive(Eq)]
    #[serde(tag = "line", rename_all = "snake_case")]
    pub enum CheckLine {
        /// So far; a line every second.
        Progress {
            /// Entries looked at, in all.
            entries: u64,
            /// Findings, in all.
            findings: u64,
        },
        /// Something does not fit together. There are 10,000 such lines at the most; what is found beyond that is counted.
        Finding {
            /// Which kind of finding, such as `UserWithoutHandle`.
            rule: String,
            /// What it is about: a user, a conversation, a key.
            subject: String,
            /// What is wrong.
            text: String,
        },
        /// Everything has been looked at.
        Done {
            /// Entries looked at.
            entries: u64,
            /// Findings.
            findings: u64,
            /// How much there is of what, such as `messages`.
            counts: BTreeMap<String, u64>,
        },
        /// It ended before its time.
        Failed {
            /// Why.
            message: String,
        },
    }
}

// Following a user.

api! {
    /// Query parameters of `GET /v1/users/{user}/trace`.
    #[derive(Default, Copy, Eq)]
    #[serde(deny_unknown_fields)]
    pub struct TraceQuery {
        /// For how many seconds, 1 to 3,600; 60 if it does not say.
        pub seconds: Option<u32>,
    }

    /// A line of `GET /v1/users/{user}/trace`: what happens on this node to messages that the user sends or gets, live.
    /// The last line is `ended`; without it the stream was cut short. A line's `message` is the sender's id of the message,
    /// under which the logs of all nodes have it too.
    #[derive(Eq)]
    #[serde(tag = "line", rename_all = "snake_case")]
    pub enum TraceLine {
        /// From here on.
        Started {
            /// Who answers.
            node: String,
            /// Who is followed.
            user: u64,
            /// The clock.
            time_ms: u64,
            /// Until when.
            until_ms: u64,
        },
        /// A message has come in, to the user or from the user.
        Arrived {
            /// The clock.
            time_ms: u64,
            /// Who has sent it.
            user: u64,
            /// The message.
            message: String,
            /// In which conversation.
            conversation: String,
            /// From which device.
            device: u32,
            /// On which connection.
            connection: u64,
            /// The length of its body.
            body_bytes: u64,
        },
        /// It is in the log and the inboxes.
        Committed {
            /// The clock.
            time_ms: u64,
            /// The message.
            message: String,
            /// In which conversation.
            conversation: String,
            /// Its place there.
            seq: u64,
            /// Its place in the inboxes; none for a message that had been accepted before.
            stamp: Option<String>,
            /// From arrival to commit, in microseconds.
            took_us: u64,
        },
        /// It was refused.
        Refused {
            /// The clock.
            time_ms: u64,
            /// The message.
            message: String,
            /// In which conversation.
            conversation: String,
            /// The error's name in the protocol.
            code: String,
        },
        /// A doorbell: an inbox has grown.
        Rung {
            /// The clock.
            time_ms: u64,
            /// Whose inbox: that of the user who is followed, or of the other one in the conversation.
            user: u64,
            /// The message it is about; none for receipts and the like.
            message: Option<String>,
            /// The event's place; none when the bell does not say.
            stamp: Option<String>,
            /// At which node: this one, or the one it was passed on to.
            node: String,
        },
        /// Doorbells for the members of a group to which the user who is followed has written.
        RungMany {
            /// The clock.
            time_ms: u64,
            /// For how many users.
            users: u64,
            /// The message it is about.
            message: Option<String>,
            /// The event's place.
            stamp: Option<String>,
            /// At which node: this one, or the one they were passed on to.
            node: String,
        },
        /// An event was put into a connection's queue.
        Pushed {
            /// The clock.
            time_ms: u64,
            /// Whose device: that of the user who is followed, or of the other one in the conversation.
            user: u64,
            /// The message; none for receipts and the like.
            message: Option<String>,
            /// The event's place.
            stamp: String,
            /// To which device.
            device: u32,
            /// On which connection.
            connection: u64,
        },
        /// A device of the user's has everything up to here.
        Acknowledged {
            /// The clock.
            time_ms: u64,
            /// Up to where.
            stamp: String,
            /// Which device.
            device: u32,
            /// On which connection.
            connection: u64,
        },
        /// It is on record that a device has a conversation's messages up to here: their sender gets a receipt.
        Delivered {
            /// The clock.
            time_ms: u64,
            /// Whose device: that of the user who is followed, or of the other one in the conversation.
            user: u64,
            /// Which device.
            device: u32,
            /// Of which conversation.
            conversation: String,
            /// Up to where.
            seq: u64,
        },
        /// Nothing has happened for ten seconds, and the node is still there.
        Alive {
            /// The clock.
            time_ms: u64,
        },
        /// The node had more to say than was read.
        Lost {
            /// How many lines.
            lines: u64,
        },
        /// Nothing comes after this.
        Ended {
            /// Why: `time` is up, or the node is `stopping`.
            reason: String,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_with_a_word_that_is_none_is_refused_and_what_is_left_out_has_its_default() {
        let drain: DrainRequest = serde_json::from_str("{}").unwrap();
        assert_eq!(drain, DrainRequest::default());
        serde_json::from_str::<DrainRequest>(r#"{"spread": 3}"#).unwrap_err();
        let ban: AddBan = serde_json::from_str(r#"{"network": "192.0.2.7"}"#).unwrap();
        assert_eq!(ban, AddBan { network: "192.0.2.7".into(), reason: String::new(), seconds: None });
    }

    #[test]
    fn lines_of_a_stream_say_what_they_are() {
        let lost = serde_json::to_string(&TraceLine::Lost { lines: 3 }).unwrap();
        assert_eq!(lost, r#"{"line":"lost","lines":3}"#);
        let progress = serde_json::to_string(&CheckLine::Progress { entries: 1, findings: 0 }).unwrap();
        assert_eq!(progress, r#"{"line":"progress","entries":1,"findings":0}"#);
    }
}
