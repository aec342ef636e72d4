//! What nodes tell one another, and how it is written.
//!
//! A batch, all numbers big-endian:
//!
//! ```text
//! version 1 | speaks 1 | epoch 8 | seq 8 | ack 8 | message*
//! message:  kind 1 | length 4 | payload
//! ```
//!
//! `version` is the batch's own format, `speaks` the newest its sender understands: a node writes the newest that both
//! understand, and the oldest until it knows. `epoch` is the sender's view, `seq` counts its batches to this node from 1
//! (0: not counted), `ack` is the last `seq` it has had from this node. Kinds that a reader does not know are skipped.
//!
//! Version 2 adds to bells the id of the message they ring for, so that logs on every node name it. Version 3 adds bells
//! for many users at once; to others they go one by one. Version 4 adds what is only for those who are looking, of which
//! others hear nothing, and whether a device is in use.

use bytes::{BufMut, Bytes};
use rookery_protocol::{DeviceId, MessageId, Stamp, UserId};
use rookery_store::keys::node::{Incarnation, NodeId, NodeName};
use rookery_store::keys::view::{ClusterView, MEMBER_BYTES_MAX};
use rookery_store::placement::SLOTS;

use crate::looking::{News, Topic, put_topics, read_topics, topics_bytes_hint};

/// The oldest format understood.
pub(crate) const VERSION_MIN: u8 = 1;
/// The newest format understood.
pub(crate) const VERSION_MAX: u8 = 4;
/// The format from which on bells bear the id of their message.
const VERSION_WITH_IDS: u8 = 2;
/// The format from which on one message rings many users.
pub(crate) const VERSION_WITH_MANY: u8 = 3;
/// The format from which on it is told who is looking at what.
pub(crate) const VERSION_WITH_LOOKING: u8 = 4;

/// Users that one message rings, at most: a message of that many is still shorter than a letter may be, but for its hint.
pub(crate) const BELLS_MAX: usize = 1024;

const HEADER_BYTES: usize = 26;
const MESSAGE_HEADER_BYTES: usize = 5;

/// A user's bell: "the inbox of this user has grown".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bell {
    pub(crate) user: UserId,
    /// The message it rings for, where it is one: for the logs.
    pub(crate) id: Option<MessageId>,
    /// The event's stamp and frame, to spare reading it. Never needed.
    pub(crate) event: Option<(Stamp, Bytes)>,
}

/// The bells of several users for one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bells {
    /// At least one, and at most [`BELLS_MAX`] on a link.
    pub(crate) users: Vec<UserId>,
    /// As in [`Bell`].
    pub(crate) id: Option<MessageId>,
    /// As in [`Bell`].
    pub(crate) event: Option<(Stamp, Bytes)>,
}

impl Bells {
    /// Of some of the users.
    pub(crate) fn of(&self, users: Vec<UserId>) -> Self {
        Self { users, id: self.id, event: self.event.clone() }
    }

    fn split(&self, users_max: usize) -> impl Iterator<Item = Self> {
        self.users.chunks(users_max).map(|some| self.of(some.to_vec()))
    }

    /// The bell, if it is only one.
    pub(crate) fn single(self) -> Result<Bell, Self> {
        match self.users[..] {
            [user] => Ok(Bell { user, id: self.id, event: self.event }),
            _ => Err(self),
        }
    }
}

/// A device that a host has connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostedDevice {
    pub(crate) device: DeviceId,
    /// The store's version when the device was let in: of two connections of one device, the lower is the older.
    pub(crate) admitted: u64,
    /// Whether the user is there at the device, as far as is known.
    pub(crate) active: bool,
}

impl HostedDevice {
    /// Whether it is the same connection of the same device.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.device == other.device && self.admitted == other.admitted
    }
}

/// One message from node to node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LinkMessage {
    /// To an owner: ring this user, everywhere.
    Ring {
        bell: Bell,
        /// How often it has been passed on by nodes that turned out not to be the owner.
        hops: u8,
    },
    /// From an owner to a host: ring this user's session.
    Bell(Bell),
    /// To an owner: ring these users, everywhere.
    RingMany {
        bells: Bells,
        /// As in [`Ring`](Self::Ring).
        hops: u8,
    },
    /// From an owner to a host: ring these users' sessions.
    BellMany(Bells),
    /// From a host to an owner: these devices of the user are connected here now. None: nobody any more.
    Host {
        host: NodeId,
        user: UserId,
        /// Greater than in what this host said of this user before.
        number: u64,
        devices: Vec<HostedDevice>,
    },
    /// From an owner to a host: from now on bells are passed on.
    Hosted { user: UserId, number: u64 },
    /// From an owner to a host: a device of this user has connected elsewhere.
    Replace { user: UserId, newer: HostedDevice },
    /// From an owner to all: what was registered with this one of its shards is lost, and is to be registered again.
    Forgotten { owner: NodeId, shard: u16, shards: u16 },
    /// The sender's view, for a node that seems to have an older one.
    View(ClusterView),
    /// From a host to an owner: there are connections here that watch these topics.
    Watching(Vec<Topic>),
    /// From a host to an owner: there are none any more.
    Unwatching(Vec<Topic>),
    /// From a host to an owner: those who watch want to know this.
    Published(News),
    /// From an owner to a host: somebody there wants to know this.
    News(News),
    /// Renew your lease now, if you live. Comes by mail, since links are in doubt then.
    Prove,
}

/// What precedes a batch's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) version: u8,
    pub(crate) speaks: u8,
    pub(crate) epoch: u64,
    pub(crate) seq: u64,
    pub(crate) ack: u64,
}

/// Why a batch was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BatchError {
    /// It ends too early.
    #[error("a batch ends in the middle of {0}")]
    Truncated(&'static str),
    /// Its format is not one of ours.
    #[error("a batch of version {0}, this node understands {VERSION_MIN} to {VERSION_MAX}")]
    Version(u8),
    /// Something in it makes no sense.
    #[error("a batch with a wrong {0}")]
    Invalid(&'static str),
}

mod kind {
    pub(super) const RING: u8 = 1;
    pub(super) const BELL: u8 = 2;
    pub(super) const HOST: u8 = 3;
    pub(super) const HOSTED: u8 = 4;
    pub(super) const REPLACE: u8 = 5;
    pub(super) const VIEW: u8 = 6;
    pub(super) const PROVE: u8 = 7;
    pub(super) const FORGOTTEN: u8 = 8;
    pub(super) const RING_MANY: u8 = 9;
    pub(super) const BELL_MANY: u8 = 10;
    pub(super) const WATCHING: u8 = 11;
    pub(super) const UNWATCHING: u8 = 12;
    pub(super) const PUBLISHED: u8 = 13;
    pub(super) const NEWS: u8 = 14;
}

impl LinkMessage {
    /// About how many bytes it takes.
    pub(crate) fn bytes_hint(&self) -> usize {
        MESSAGE_HEADER_BYTES
            + match self {
                Self::Ring { bell, .. } | Self::Bell(bell) => {
                    40 + bell.event.as_ref().map_or(0, |(_, frame)| frame.len())
                }
                Self::RingMany { bells, .. } | Self::BellMany(bells) => {
                    40 + 8 * bells.users.len() + bells.event.as_ref().map_or(0, |(_, frame)| frame.len())
                }
                Self::Host { host, devices, .. } => 25 + host.name.as_str().len() + 13 * devices.len(),
                Self::Forgotten { owner, .. } => 13 + owner.name.as_str().len(),
                Self::Hosted { .. } | Self::Replace { .. } => 24,
                Self::View(view) => 2 * usize::from(SLOTS) + MEMBER_BYTES_MAX * view.members.len() + 64,
                Self::Watching(topics) | Self::Unwatching(topics) => topics_bytes_hint(topics),
                Self::Published(news) | Self::News(news) => news.bytes_hint(),
                Self::Prove => 0,
            }
    }

    /// Whether it is for those who are looking: worth something now, and nothing by mail.
    pub(crate) fn is_fleeting(&self) -> bool {
        matches!(self, Self::Watching(_) | Self::Unwatching(_) | Self::Published(_) | Self::News(_))
    }

    /// Takes in another bell of an owner for hosts that rings for the same event, if there is room. The shards of an owner
    /// pass a group's bells on each for itself, and all carry the same frame.
    pub(crate) fn join(&mut self, other: &Self) -> bool {
        let (Some((users, stamp)), Some((more, theirs))) = (self.at_host(), other.at_host()) else {
            return false;
        };
        if stamp != theirs || users.len() + more.len() > BELLS_MAX {
            return false;
        }
        match self {
            Self::Bell(Bell { user, id, event }) => {
                let users = [&[*user], more].concat();
                *self = Self::BellMany(Bells { users, id: *id, event: event.take() });
            }
            Self::BellMany(bells) => bells.users.extend_from_slice(more),
            _ => return false,
        }
        true
    }

    /// Whom an owner's bell for a host rings, and for which event; of one without, nothing.
    fn at_host(&self) -> Option<(&[UserId], Stamp)> {
        let (users, event) = match self {
            Self::Bell(bell) => (std::slice::from_ref(&bell.user), &bell.event),
            Self::BellMany(bells) => (&bells.users[..], &bells.event),
            _ => return None,
        };
        event.as_ref().map(|(stamp, _)| (users, *stamp))
    }

    /// The same without what is only there to spare a reading.
    pub(crate) fn without_hint(self) -> Self {
        let bare = |bell: Bell| Bell { event: None, ..bell };
        let all_bare = |bells: Bells| Bells { event: None, ..bells };
        match self {
            Self::RingMany { bells, hops } => Self::RingMany { bells: all_bare(bells), hops },
            Self::BellMany(bells) => Self::BellMany(all_bare(bells)),
            Self::Ring { bell, hops } => Self::Ring { bell: bare(bell), hops },
            Self::Bell(bell) => Self::Bell(bare(bell)),
            other => other,
        }
    }

    /// As messages that a peer understands which speaks this format: what rings many is split, into single bells for one
    /// that knows no others, and what is only for those who are looking is left out.
    pub(crate) fn in_format(self, version: u8, mut take: impl FnMut(Self)) {
        let users_max = if version >= VERSION_WITH_MANY { BELLS_MAX } else { 1 };
        match self {
            Self::RingMany { bells, hops } => {
                bells.split(users_max).for_each(|some| {
                    take(match some.single() {
                        Ok(bell) => Self::Ring { bell, hops },
                        Err(bells) => Self::RingMany { bells, hops },
                    });
                });
            }
            Self::BellMany(bells) => {
                bells
                    .split(users_max)
                    .for_each(|some| take(some.single().map_or_else(Self::BellMany, Self::Bell)));
            }
            other if other.is_fleeting() && version < VERSION_WITH_LOOKING => {}
            other => take(other),
        }
    }

    fn put(&self, version: u8, out: &mut Vec<u8>) {
        let kind = match self {
            Self::Ring { .. } => kind::RING,
            Self::Bell(_) => kind::BELL,
            Self::Host { .. } => kind::HOST,
            Self::Hosted { .. } => kind::HOSTED,
            Self::Replace { .. } => kind::REPLACE,
            Self::View(_) => kind::VIEW,
            Self::Prove => kind::PROVE,
            Self::Forgotten { .. } => kind::FORGOTTEN,
            Self::RingMany { .. } => kind::RING_MANY,
            Self::BellMany(_) => kind::BELL_MANY,
            Self::Watching(_) => kind::WATCHING,
            Self::Unwatching(_) => kind::UNWATCHING,
            Self::Published(_) => kind::PUBLISHED,
            Self::News(_) => kind::NEWS,
        };
        out.put_u8(kind);
        let length_at = out.len();
        out.put_u32(0);
        match self {
            Self::Ring { bell, hops } => {
                out.put_u8(*hops);
                put_bell(bell, version, out);
            }
            Self::Bell(bell) => put_bell(bell, version, out),
            Self::RingMany { bells, hops } => {
                out.put_u8(*hops);
                put_bells(bells, out);
            }
            Self::BellMany(bells) => put_bells(bells, out),
            Self::Host { host, user, number, devices } => {
                put_node(host, out);
                out.put_u64(user.get());
                out.put_u64(*number);
                for device in devices {
                    put_device(*device, version, out);
                }
            }
            Self::Hosted { user, number } => {
                out.put_u64(user.get());
                out.put_u64(*number);
            }
            Self::Replace { user, newer } => {
                out.put_u64(user.get());
                put_device(*newer, version, out);
            }
            Self::View(view) => out.extend_from_slice(&view.encode()),
            Self::Watching(topics) | Self::Unwatching(topics) => put_topics(topics, out),
            Self::Published(news) | Self::News(news) => news.put(out),
            Self::Prove => {}
            Self::Forgotten { owner, shard, shards } => {
                put_node(owner, out);
                out.put_u16(*shard);
                out.put_u16(*shards);
            }
        }
        let length = (out.len() - length_at - 4) as u32;
        out[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
    }

    fn read(kind: u8, version: u8, bytes: &[u8]) -> Result<Option<Self>, BatchError> {
        let mut reader = Reader(bytes);
        let message = match kind {
            kind::RING => {
                let hops = reader.u8("a bell")?;
                Self::Ring { hops, bell: reader.bell(version)? }
            }
            kind::BELL => Self::Bell(reader.bell(version)?),
            kind::RING_MANY => {
                let hops = reader.u8("bells")?;
                Self::RingMany { hops, bells: reader.bells()? }
            }
            kind::BELL_MANY => Self::BellMany(reader.bells()?),
            kind::HOST => {
                let host = reader.node()?;
                let (user, number) = (reader.user()?, reader.u64("a registration")?);
                let mut devices = Vec::with_capacity(reader.0.len() / 12);
                while !reader.0.is_empty() {
                    devices.push(reader.device(version)?);
                }
                Self::Host { host, user, number, devices }
            }
            kind::HOSTED => Self::Hosted { user: reader.user()?, number: reader.u64("a registration")? },
            kind::REPLACE => Self::Replace { user: reader.user()?, newer: reader.device(version)? },
            kind::VIEW => Self::View(ClusterView::decode(bytes).map_err(|_| BatchError::Invalid("view"))?),
            kind::WATCHING => Self::Watching(read_topics(bytes).ok_or(BatchError::Invalid("topic"))?),
            kind::UNWATCHING => Self::Unwatching(read_topics(bytes).ok_or(BatchError::Invalid("topic"))?),
            kind::PUBLISHED | kind::NEWS => match News::read(bytes) {
                Some(news) if kind == kind::NEWS => Self::News(news),
                Some(news) => Self::Published(news),
                // Of a kind that a newer version added, perhaps.
                None => return Ok(None),
            },
            kind::PROVE => Self::Prove,
            kind::FORGOTTEN => {
                let owner = reader.node()?;
                let (shard, shards) = (reader.u16("a shard")?, reader.u16("a shard")?);
                if shard >= shards {
                    return Err(BatchError::Invalid("shard"));
                }
                Self::Forgotten { owner, shard, shards }
            }
            _ => return Ok(None),
        };
        Ok(Some(message))
    }
}

fn put_bell(bell: &Bell, version: u8, out: &mut Vec<u8>) {
    out.put_u64(bell.user.get());
    if version >= VERSION_WITH_IDS {
        put_id(bell.id, out);
    }
    put_event(bell.event.as_ref(), out);
}

fn put_bells(bells: &Bells, out: &mut Vec<u8>) {
    // What goes on a link has been split.
    out.put_u16(bells.users.len() as u16);
    for user in &bells.users {
        out.put_u64(user.get());
    }
    put_id(bells.id, out);
    put_event(bells.event.as_ref(), out);
}

fn put_id(id: Option<MessageId>, out: &mut Vec<u8>) {
    out.extend_from_slice(&id.map_or([0; 16], |id| *id.as_bytes()));
}

fn put_event(event: Option<&(Stamp, Bytes)>, out: &mut Vec<u8>) {
    if let Some((stamp, frame)) = event {
        out.extend_from_slice(stamp.as_bytes());
        out.extend_from_slice(frame);
    }
}

fn put_device(device: HostedDevice, version: u8, out: &mut Vec<u8>) {
    out.put_u32(device.device.get());
    out.put_u64(device.admitted);
    if version >= VERSION_WITH_LOOKING {
        out.put_u8(device.active.into());
    }
}

fn put_node(id: &NodeId, out: &mut Vec<u8>) {
    out.put_u64(id.incarnation.get());
    // A name is short: its type sees to that.
    out.put_u8(id.name.as_str().len() as u8);
    out.extend_from_slice(id.name.as_str().as_bytes());
}

/// Writes a batch.
pub(crate) fn encode_batch<'a>(
    header: Header,
    messages: impl IntoIterator<Item = &'a LinkMessage>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.put_u8(header.version);
    out.put_u8(header.speaks);
    out.put_u64(header.epoch);
    out.put_u64(header.seq);
    out.put_u64(header.ack);
    for message in messages {
        message.put(header.version, &mut out);
    }
    out
}

/// Reads a batch, and how many of its messages are of kinds that a newer version added.
pub(crate) fn decode_batch(batch: &[u8]) -> Result<(Header, Vec<LinkMessage>, usize), BatchError> {
    let mut reader = Reader(batch);
    let header = Header {
        version: reader.u8("its header")?,
        speaks: reader.u8("its header")?,
        epoch: reader.u64("its header")?,
        seq: reader.u64("its header")?,
        ack: reader.u64("its header")?,
    };
    if !(VERSION_MIN..=VERSION_MAX).contains(&header.version) {
        return Err(BatchError::Version(header.version));
    }
    let (mut messages, mut unknown) = (Vec::new(), 0);
    while !reader.0.is_empty() {
        let kind = reader.u8("a message")?;
        let length = reader.u32("a message")? as usize;
        match LinkMessage::read(kind, header.version, reader.take(length, "a message")?)? {
            Some(message) => messages.push(message),
            None => unknown += 1,
        }
    }
    Ok((header, messages, unknown))
}

/// How long an empty batch is.
pub(crate) const EMPTY_BATCH_BYTES: usize = HEADER_BYTES;

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], BatchError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(BatchError::Truncated(what))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], BatchError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(BatchError::Truncated(what))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self, what: &'static str) -> Result<u8, BatchError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    fn u16(&mut self, what: &'static str) -> Result<u16, BatchError> {
        self.array(what).map(u16::from_be_bytes)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, BatchError> {
        self.array(what).map(u32::from_be_bytes)
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, BatchError> {
        self.array(what).map(u64::from_be_bytes)
    }

    fn user(&mut self) -> Result<UserId, BatchError> {
        UserId::new(self.u64("a user")?).map_err(|_| BatchError::Invalid("user"))
    }

    fn node(&mut self) -> Result<NodeId, BatchError> {
        let incarnation = Incarnation::new(self.u64("a node")?);
        let length = usize::from(self.u8("a node")?);
        let name = std::str::from_utf8(self.take(length, "a node")?).ok();
        let name = name.and_then(|name| name.parse::<NodeName>().ok());
        Ok(NodeId { name: name.ok_or(BatchError::Invalid("node"))?, incarnation })
    }

    fn device(&mut self, version: u8) -> Result<HostedDevice, BatchError> {
        let device = DeviceId::new(self.u32("a device")?);
        let admitted = self.u64("a device")?;
        let active = version < VERSION_WITH_LOOKING || self.u8("a device")? != 0;
        Ok(HostedDevice { device, admitted, active })
    }

    fn bell(&mut self, version: u8) -> Result<Bell, BatchError> {
        let user = self.user()?;
        let id = if version >= VERSION_WITH_IDS { self.id()? } else { None };
        Ok(Bell { user, id, event: self.event()? })
    }

    fn bells(&mut self) -> Result<Bells, BatchError> {
        let count = usize::from(self.u16("bells")?);
        if !(1..=BELLS_MAX).contains(&count) {
            return Err(BatchError::Invalid("number of bells"));
        }
        let users = (0..count).map(|_| self.user()).collect::<Result<_, _>>()?;
        Ok(Bells { users, id: self.id()?, event: self.event()? })
    }

    fn id(&mut self) -> Result<Option<MessageId>, BatchError> {
        let bytes = self.array::<16>("a bell")?;
        Ok((bytes != [0; 16]).then(|| MessageId::from_bytes(bytes)))
    }

    fn event(&mut self) -> Result<Option<(Stamp, Bytes)>, BatchError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let stamp = Stamp::from_bytes(self.array("a bell")?);
        // Copied: a hint that is kept must not keep the whole batch.
        Ok(Some((stamp, Bytes::copy_from_slice(std::mem::take(&mut self.0)))))
    }
}
