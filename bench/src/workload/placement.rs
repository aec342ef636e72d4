//! Which node owns whom, as the store's view of the cluster has it.

use std::path::Path;
use std::sync::Arc;

use rookery_store::engine::Engine;
use rookery_store::engines::{LmdbConfig, LmdbEngine};
use rookery_store::keys::view::ClusterView;
use rookery_store::placement::Slot;
use rookery_store::queries;

use crate::users::BenchUser;

/// The store that nodes have open on `data`, beside them.
pub(super) struct Placement(Arc<dyn Engine>);

impl Placement {
    pub(super) fn of(data: &Path) -> anyhow::Result<Self> {
        Ok(Self(Arc::new(LmdbEngine::open(LmdbConfig::new(data.join("node/lmdb")))?)))
    }

    /// The view as it is now.
    pub(super) async fn view(&self) -> anyhow::Result<ClusterView> {
        Ok(queries::view(&*self.0.snapshot().await?).await?)
    }
}

/// Which node owns a user, by its place in the order of names, which is that of their starts.
pub(super) fn owner(view: &ClusterView, user: &BenchUser) -> usize {
    let owner = view.owner(Slot::of_user(user.user)).expect("a cluster with nodes");
    view.members.iter().position(|member| member.name == owner.name).expect("the owner is a member")
}
