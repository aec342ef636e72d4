//! Users for a run, put straight into the store before the node opens it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rookery_actors::{Clock, DeviceToken, SystemClock};
use rookery_node::config::EngineKind;
use rookery_node::data_dir::DataDir;
use rookery_node::token::TokenIssuer;
use rookery_protocol::UserId;
use rookery_store::engines::{LmdbConfig, LmdbEngine};
use rookery_store::ops::{AddDevice, AddUser};
use rookery_store::{Store, StoreConfig};
use tokio::task::JoinSet;

/// Longer than any run.
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A user who may connect.
#[derive(Debug, Clone)]
pub(crate) struct BenchUser {
    pub(crate) user: UserId,
    pub(crate) token: String,
}

/// Makes the data directory, its keys and `count` users with a device each.
pub(crate) async fn prepare(data: &Path, count: usize) -> anyhow::Result<Vec<BenchUser>> {
    let (directory, _) = DataDir::open_or_create(&data.join("node"), EngineKind::Lmdb)?;
    let issuer = TokenIssuer::new(&directory.marker().cluster, &directory.token_keys()?);
    let engine = LmdbEngine::open(LmdbConfig::new(directory.lmdb()))?;
    let store = Store::start(Arc::new(engine), StoreConfig::default());
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
        let token = DeviceToken { user, device: device.device, generation: device.generation };
        users.push(BenchUser { user, token: issuer.issue(token, now_ms, TOKEN_LIFETIME)? });
    }
    store.close().await;
    users.sort_unstable_by_key(|user| user.user);
    Ok(users)
}
