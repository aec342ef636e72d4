//! Draining this node: slots go to others in steps, then clients, spread over time. The node lives on, empty, until it is
//! stopped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rookery_actors::{hand_over, others_take_slots};
use tokio::time::Instant;

use super::api::{Drain, DrainRequest, DrainState, FailureCode};
use super::failure::{Answer, ApiError};
use super::input::{Body, within};
use super::shared::Shared;
use super::this_node::millis;

/// How far a drain has come.
#[derive(Debug, Default)]
pub(super) struct Draining {
    state: Mutex<Option<Progress>>,
}

#[derive(Debug, Clone, Copy)]
struct Progress {
    state: DrainState,
    since: Instant,
    ended: Option<Instant>,
    connections_before: usize,
}

impl Draining {
    fn state(&self) -> MutexGuard<'_, Option<Progress>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_begun(&self) -> bool {
        self.state().is_some()
    }

    /// Begins, unless it has begun.
    fn begin(&self, connections_before: usize) -> bool {
        let mut state = self.state();
        if state.is_some() {
            return false;
        }
        let (state_now, since) = (DrainState::Draining, Instant::now());
        *state = Some(Progress { state: state_now, since, ended: None, connections_before });
        true
    }

    fn end(&self, how: DrainState) {
        if let Some(progress) = &mut *self.state() {
            progress.state = how;
            progress.ended = Some(Instant::now());
        }
    }
}

pub(super) async fn progress(State(shared): State<Arc<Shared>>) -> Answer<Drain> {
    answer(&shared).await.map(Json)
}

pub(super) async fn begin(
    State(shared): State<Arc<Shared>>,
    Body(request): Body<DrainRequest>,
) -> Answer<Drain> {
    within("spread_seconds", request.spread_seconds.into(), (0, 600))?;
    within("within_seconds", request.within_seconds.into(), (1, 3_600))?;
    if !shared.draining.has_begun() && !others_take_slots(&shared.view().await?, &shared.about.node) {
        let text = format!("there is no other node that could take the slots of {}", shared.about.node);
        let hint = "start another, or give one a weight; or stop this one without a drain";
        return Err(ApiError::new(FailureCode::Conflict, text).hint(hint));
    }
    let before = shared.actors.counts().await.connections;
    if shared.draining.begin(before) {
        tracing::info!(connections = before, "an operator drains this node");
        shared.readiness.drain();
        tokio::spawn(run(shared.clone(), request));
    }
    answer(&shared).await.map(Json)
}

async fn answer(shared: &Shared) -> Result<Drain, ApiError> {
    // Before the view: of a drain that has ended, what is left is read as it was then or later.
    let progress = *shared.draining.state();
    let view = shared.view().await?;
    let running = progress.map(|it| it.ended.unwrap_or_else(Instant::now).duration_since(it.since));
    Ok(Drain {
        node: shared.about.node.to_string(),
        state: progress.map_or(DrainState::None, |progress| progress.state),
        running_ms: running.map_or(0, millis),
        connections_before: progress.map_or(0, |progress| progress.connections_before as u64),
        connections_left: shared.actors.counts().await.connections as u64,
        slots_left: view.slots_of(&shared.about.node) as u32,
    })
}

async fn run(shared: Arc<Shared>, request: DrainRequest) {
    let until = Instant::now() + Duration::from_secs(request.within_seconds.into());
    // Clients are sent away whether or not the slots could be moved: that concerns them no less.
    let slots_moved = match tokio::time::timeout_at(until, hand_over(&shared.store, &shared.about.node)).await
    {
        Ok(Ok(left)) => left == 0,
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a drain could not move slots");
            false
        }
        Err(_) => false,
    };
    let spread = Duration::from_secs(request.spread_seconds.into());
    let left_time = until.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
    let mut rng = StdRng::seed_from_u64(shared.random());
    let left = shared.actors.drain(spread, left_time, &mut rng).await;
    let how = if left == 0 && slots_moved { DrainState::Drained } else { DrainState::Late };
    tracing::info!(connections = left, slots_moved, "the drain has ended");
    shared.draining.end(how);
}
