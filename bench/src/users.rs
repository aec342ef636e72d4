//! Users for a run, put straight into the store before the node opens it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rookery_actors::{Clock, DeviceToken, SystemClock};
use rookery_node::config::EngineKind;
use rookery_node::data_dir::DataDir;
use rookery_node::tls::{CertificateFiles, self_signed};
use rookery_node::token::TokenIssuer;
use rookery_protocol::{Body, ConversationId, GroupId, GroupSettings, MessageId, UserId};
use rookery_store::engines::{LmdbConfig, LmdbEngine};
use rookery_store::ops::{
    AddDevice, AddUser, Asker, Author, CreateGroup, Follow, Outcome, SendMessage, Settled,
};
use rookery_store::{Store, StoreConfig};
use tokio::task::JoinSet;

use crate::bar;

/// Users to whom one writes while they are away.
pub(crate) const READERS_PER_WRITER: usize = 16;

/// Longer than any run.
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A user who may connect.
#[derive(Debug, Clone)]
pub(crate) struct BenchUser {
    pub(crate) user: UserId,
    device: DeviceToken,
    pub(crate) token: String,
}

/// Makes the data directory, its keys and `count` users with a device each.
pub(crate) async fn prepare(data: &Path, count: usize) -> anyhow::Result<Vec<BenchUser>> {
    let directory = directory(data)?;
    let issuer = TokenIssuer::new(&directory.marker().cluster, &directory.token_keys()?);
    let store = store(&directory)?;
    let now_ms = SystemClock.now_ms();

    let mut adding = JoinSet::new();
    for number in 1..=count as u64 {
        let store = store.clone();
        adding.spawn(async move {
            let user = UserId::new(number)?;
            let handle = format!("user{number}").parse()?;
            store.submit(&user, AddUser { user, handle, time_ms: now_ms }).await?.answer?;
            let device = AddDevice { user, name: "bench".into(), time_ms: now_ms };
            anyhow::Ok((user, store.submit(&user, device).await?.answer?))
        });
    }
    let mut users = Vec::with_capacity(count);
    while let Some(added) = adding.join_next().await {
        let (user, device) = added.context("adding a user does not panic")??;
        let device = DeviceToken { user, device: device.device, generation: device.generation };
        users.push(BenchUser { user, device, token: issuer.issue(device, now_ms, TOKEN_LIFETIME)? });
    }
    store.close().await;
    users.sort_unstable_by_key(|user| user.user);
    Ok(users)
}

/// Makes a channel of this user's, in which only the user writes, and these others follow it. The data directory is that of
/// [`prepare`], and no node has it open.
pub(crate) async fn prepare_channel(
    data: &Path,
    creator: &BenchUser,
    followers: &[BenchUser],
) -> anyhow::Result<GroupId> {
    let (store, time_ms) = (store(&directory(data)?)?, SystemClock.now_ms());
    let settings = GroupSettings { only_admins_send: true, is_channel: true, ..GroupSettings::default() };
    let group = make_group(&store, creator, MessageId::from_bytes([0xff; 16]), Vec::new(), settings).await?;

    let mut following = JoinSet::new();
    for follower in followers {
        let (store, DeviceToken { user, device, generation }) = (store.clone(), follower.device);
        let asker = Some(Asker { user, device, generation, admitted: 0, time_ms });
        following.spawn(async move {
            let follow = Follow { user, asker, group, follow: true, time_ms };
            anyhow::Ok(store.submit(&user, follow).await?.answer)
        });
    }
    while let Some(followed) = following.join_next().await {
        let followed = followed.context("following does not panic")??;
        anyhow::ensure!(matches!(followed, Settled::Done), "instead of a follower came {followed:?}");
    }
    store.close().await;
    Ok(group)
}

/// Makes groups of these users, each made by its first. The data directory is that of [`prepare`], and no node has it open.
pub(crate) async fn prepare_groups(data: &Path, groups: &[Vec<BenchUser>]) -> anyhow::Result<Vec<GroupId>> {
    let store = store(&directory(data)?)?;
    let mut made = Vec::with_capacity(groups.len());
    for (number, members) in groups.iter().enumerate() {
        let creator = members.first().context("a group has members")?;
        // From the end on: those of messages begin at 0.
        let id = message_id(creator.user, u64::MAX - number as u64);
        let members = members.iter().map(|member| member.user).collect();
        made.push(make_group(&store, creator, id, members, GroupSettings::default()).await?);
    }
    store.close().await;
    Ok(made)
}

async fn make_group(
    store: &Store,
    creator: &BenchUser,
    id: MessageId,
    members: Vec<UserId>,
    settings: GroupSettings,
) -> anyhow::Result<GroupId> {
    let DeviceToken { user, device, generation } = creator.device;
    let author = Author { user, device, generation, admitted: 0, id, time_ms: SystemClock.now_ms() };
    let making = CreateGroup { author, name: "bench".into(), members, settings };
    let group = making.group();
    let made = store.submit(&user, making).await?.answer;
    anyhow::ensure!(matches!(made, Outcome::Accepted(_)), "instead of a group came {made:?}");
    Ok(group)
}

/// Puts so many messages, with bodies of so many bytes, into the inboxes of `to`, as many into each, each from one of `from`.
/// The data directory is that of [`prepare`], and no node has it open.
pub(crate) async fn prepare_messages(
    data: &Path,
    from: &[BenchUser],
    to: &[BenchUser],
    (messages, body_bytes): (u64, usize),
) -> anyhow::Result<()> {
    if messages == 0 {
        return Ok(());
    }
    let (store, time_ms) = (store(&directory(data)?)?, SystemClock.now_ms());
    let bar = bar::counting(messages, "storing");
    let mut sending = JoinSet::new();
    let (each, more) = (messages / to.len() as u64, messages % to.len() as u64);
    for (number, (to, from)) in to.iter().zip(from.iter().cycle()).enumerate() {
        let each = each + u64::from((number as u64) < more);
        let bar = bar.clone();
        let (store, to, DeviceToken { user, device, generation }) = (store.clone(), to.user, from.device);
        let body = Body::new(vec![0x5a; body_bytes]);
        sending.spawn(async move {
            let conversation = ConversationId::direct(user, to);
            for number in 0..each {
                let id = message_id(to, number);
                let author = Author { user, device, generation, admitted: 0, id, time_ms };
                let (body, after) = (body.clone(), None);
                let message =
                    SendMessage { conversation, author, after, body, reference: None, expires_s: 0 };
                let sent = store.submit(&user, message).await?.answer;
                anyhow::ensure!(matches!(sent, Outcome::Accepted(_)), "instead of a message came {sent:?}");
                bar.inc(1);
            }
            Ok(())
        });
    }
    while let Some(sent) = sending.join_next().await {
        sent.context("sending does not panic")??;
    }
    bar.finish_and_clear();
    store.close().await;
    Ok(())
}

/// An id that no other message with this pair of user and number has.
pub(crate) fn message_id(user: UserId, number: u64) -> MessageId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&user.get().to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    MessageId::from_bytes(id)
}

/// A certificate for this machine, the data directory's own, made if it is not there. No node has the directory open.
pub(crate) fn certificate(data: &Path) -> anyhow::Result<CertificateFiles> {
    Ok(self_signed(&directory(data)?)?)
}

fn directory(data: &Path) -> anyhow::Result<DataDir> {
    Ok(DataDir::open_or_create(&data.join("node"), EngineKind::Lmdb)?.0)
}

fn store(directory: &DataDir) -> anyhow::Result<Store> {
    let engine = LmdbEngine::open(LmdbConfig::new(directory.lmdb()))?;
    Ok(Store::start(Arc::new(engine), StoreConfig::default()))
}
