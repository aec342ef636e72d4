//! A node's way to the store that all nodes share. It takes time, and may fail in every way that engines know.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rookery_store::engine::{BoxFuture, Engine, EngineLimits, Snapshot};
use rookery_store::engines::MemoryEngine;
use rookery_store::{Batch, CommitStamp, KeyRange, StoreError};
use tokio::time::sleep;

use super::power::{Life, Power};
use crate::trace::Trace;

/// How the store is towards one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreWeather {
    /// A few milliseconds, and no failure.
    Clear,
    /// Up to this long for each step.
    Slow(Duration),
    /// It can be read; there is no room to write.
    Full,
    /// Nothing comes through, and each try takes a while to fail.
    Unreachable,
    /// Every other commit meets another writer, again and again.
    Conflicting,
    /// Of every third commit nobody learns whether it happened.
    Uncertain,
}

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    Full,
    Unavailable,
    Conflict,
    /// Nobody learns whether it is done.
    Unknown {
        done: bool,
    },
}

/// See the module.
pub(super) struct StoreWay {
    engine: MemoryEngine,
    node: String,
    power: Power,
    limits: EngineLimits,
    state: Mutex<State>,
    trace: Trace,
}

struct State {
    rng: StdRng,
    weather: StoreWeather,
}

impl StoreWay {
    /// A node's, in clear weather.
    pub(super) fn new(engine: MemoryEngine, node: &str, power: Power, seed: u64, trace: Trace) -> Arc<Self> {
        let mut rng = StdRng::seed_from_u64(seed);
        let limits = EngineLimits {
            batch_ops_max: [1, 8, 1024][rng.random_range(0..3)],
            lanes: [1, 1, 4][rng.random_range(0..3)],
            ..engine.limits()
        };
        let state = Mutex::new(State { rng, weather: StoreWeather::Clear });
        Arc::new(Self { engine, node: node.to_owned(), power, limits, state, trace })
    }

    /// Changes how it is.
    pub(super) fn set(&self, weather: StoreWeather) {
        self.state().weather = weather;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the next step takes.
    fn takes(&self) -> Duration {
        let mut state = self.state();
        let longest = match state.weather {
            StoreWeather::Slow(longest) => longest,
            StoreWeather::Unreachable => Duration::from_secs(5),
            _ => Duration::from_millis(4),
        };
        let millis = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        // Now and then somebody is unlucky.
        let millis = if state.rng.random_ratio(1, 200) { 50 * millis.min(20) } else { millis };
        Duration::from_millis(state.rng.random_range(0..=millis))
    }

    fn fate(&self) -> Fate {
        let mut state = self.state();
        let weather = state.weather;
        match weather {
            StoreWeather::Clear | StoreWeather::Slow(_) => Fate::Done,
            StoreWeather::Full => Fate::Full,
            StoreWeather::Unreachable => Fate::Unavailable,
            StoreWeather::Conflicting if state.rng.random() => Fate::Conflict,
            StoreWeather::Conflicting => Fate::Done,
            StoreWeather::Uncertain if state.rng.random_ratio(1, 3) => {
                Fate::Unknown { done: state.rng.random() }
            }
            StoreWeather::Uncertain => Fate::Done,
        }
    }

    /// A step of the way: time, and this node's life.
    async fn step(&self) {
        let takes = self.takes();
        if !takes.is_zero() {
            sleep(takes).await;
        }
        self.power.passes().await;
    }

    async fn read(&self) -> Result<(), StoreError> {
        self.step().await;
        match self.state().weather {
            StoreWeather::Unreachable => Err(StoreError::unavailable(failed())),
            _ => Ok(()),
        }
    }

    async fn commit(&self, mut batch: Batch) -> (Batch, Result<CommitStamp, StoreError>) {
        let takes = self.takes();
        self.power.passes().await;
        if !takes.is_zero() {
            sleep(takes).await;
        }
        let fate = self.fate();
        if self.power.life() == Life::Over && self.state().rng.random() {
            // It was still here when this left it, or it was not.
            self.power.passes().await;
        }
        let (batch, outcome) = match fate {
            Fate::Done | Fate::Unknown { done: true } => {
                let (batch, outcome) = self.engine.transact(batch).await;
                let stamp = format!("{outcome:?}");
                self.trace.step("commit", &self.node, stamp.as_bytes());
                (batch, outcome)
            }
            Fate::Full => (batch, Err(StoreError::full(failed()))),
            Fate::Unavailable => (batch, Err(StoreError::unavailable(failed()))),
            Fate::Conflict => {
                self.engine.lose(&mut batch);
                (batch, Err(StoreError::Conflict))
            }
            Fate::Unknown { done: false } => {
                self.engine.lose(&mut batch);
                (batch, Err(StoreError::ambiguous(failed())))
            }
        };
        let outcome = match fate {
            Fate::Unknown { .. } => Err(StoreError::ambiguous(failed())),
            _ => outcome,
        };
        self.step().await;
        (batch, outcome)
    }
}

fn failed() -> io::Error {
    io::Error::other("the simulation says so")
}

/// [`StoreWay`] as an engine.
pub(super) struct Way(pub(super) Arc<StoreWay>);

impl Engine for Way {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        let way = self.0.clone();
        Box::pin(async move {
            way.read().await?;
            let inner = way.engine.snapshot().await?;
            Ok(Box::new(Seen { inner, way }) as Box<dyn Snapshot>)
        })
    }

    fn transact(&self, batch: Batch) -> BoxFuture<'_, (Batch, Result<CommitStamp, StoreError>)> {
        Box::pin(self.0.commit(batch))
    }

    fn watch(&self, key: Vec<u8>) -> BoxFuture<'static, Result<(), StoreError>> {
        let (changed, way) = (self.0.engine.watch(key), self.0.clone());
        Box::pin(async move {
            changed.await?;
            way.read().await
        })
    }

    fn limits(&self) -> EngineLimits {
        self.0.limits
    }
}

/// A snapshot at the end of the way.
struct Seen {
    inner: Box<dyn Snapshot>,
    way: Arc<StoreWay>,
}

impl Snapshot for Seen {
    fn version(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.inner.version()
    }

    fn get_many<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StoreError>> {
        Box::pin(async move {
            self.way.read().await?;
            self.inner.get_many(keys).await
        })
    }

    fn range<'a>(&'a self, range: &'a KeyRange) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, StoreError>> {
        Box::pin(async move {
            self.way.read().await?;
            self.inner.range(range).await
        })
    }
}
