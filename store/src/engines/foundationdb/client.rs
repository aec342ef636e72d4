//! FoundationDB itself, by its client library.

use bytes::Bytes;
use foundationdb::options::{ConflictRangeType, MutationType, StreamingMode, TransactionOption};
use foundationdb::{Database, FdbResult, KeySelector, RangeOption, Transaction, TransactionCommitError};

use super::cluster::{Cluster, Committed, Isolation, Page, PageRequest, Purpose, Trx};
use super::fault::Fault;
use crate::engine::BoxFuture;
use crate::stamp::CommitStamp;

/// A database of the client library.
pub(super) struct Client {
    pub(super) database: Database,
    pub(super) settings: Settings,
}

/// What every transaction is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// For all attempts together. 0 would mean none.
    pub(super) timeout_ms: i32,
    pub(super) retry_limit: i32,
    pub(super) retry_delay_ms_max: i32,
    pub(super) transaction_bytes_max: i32,
}

pub(super) struct ClientTrx {
    state: State,
    purpose: Purpose,
    settings: Settings,
}

enum State {
    Open(Transaction),
    /// A commit has failed: good for `on_error` only.
    Failed(TransactionCommitError),
}

impl Cluster for Client {
    type Trx = ClientTrx;

    fn begin(&self, purpose: Purpose) -> Result<ClientTrx, Fault> {
        let trx = self.database.create_trx()?;
        // These three hold through retries, the timeout counting from the beginning.
        trx.set_option(TransactionOption::Timeout(self.settings.timeout_ms))?;
        trx.set_option(TransactionOption::RetryLimit(self.settings.retry_limit))?;
        trx.set_option(TransactionOption::MaxRetryDelay(self.settings.retry_delay_ms_max))?;
        ClientTrx::open(trx, purpose, self.settings)
    }
}

impl ClientTrx {
    /// Sets the options that every attempt needs anew. `CausalReadRisky` and `CausalWriteRisky` are never among them.
    fn open(trx: Transaction, purpose: Purpose, settings: Settings) -> Result<Self, Fault> {
        trx.set_option(TransactionOption::SizeLimit(settings.transaction_bytes_max))?;
        if purpose == Purpose::Data {
            // Everything is read before anything is written: seeing its own writes would cost time for nothing.
            trx.set_option(TransactionOption::ReadYourWritesDisable)?;
        }
        Ok(Self { state: State::Open(trx), purpose, settings })
    }

    fn trx(&self) -> &Transaction {
        match &self.state {
            State::Open(trx) => trx,
            State::Failed(_) => {
                panic!("a transaction whose commit failed is given to on_error and nothing else")
            }
        }
    }

    fn add_conflict(&self, key: &[u8], kind: ConflictRangeType) -> Result<(), Fault> {
        Ok(self.trx().add_conflict_range(key, &[key, &[0]].concat(), kind)?)
    }
}

impl Trx for ClientTrx {
    fn read_version(&self) -> BoxFuture<'static, Result<i64, Fault>> {
        boxed(self.trx().get_read_version())
    }

    fn set_read_version(&self, version: i64) {
        self.trx().set_read_version(version);
    }

    fn get(&self, key: &[u8], isolation: Isolation) -> BoxFuture<'static, Result<Option<Bytes>, Fault>> {
        let value = self.trx().get(key, isolation == Isolation::Snapshot);
        boxed(async move { Ok(value.await?.map(|value| Bytes::copy_from_slice(&value))) })
    }

    fn page(&self, request: &PageRequest, isolation: Isolation) -> BoxFuture<'static, Result<Page, Fault>> {
        let options = RangeOption {
            begin: KeySelector::first_greater_or_equal(&request.begin),
            end: KeySelector::first_greater_or_equal(&request.end),
            limit: Some(request.limit),
            mode: StreamingMode::WantAll,
            reverse: request.reverse,
            ..RangeOption::default()
        };
        // The iteration counts only in the mode `Iterator`.
        let values = self.trx().get_range(&options, 1, isolation == Isolation::Snapshot);
        boxed(async move {
            let values = values.await?;
            let copy = |entry: &foundationdb::future::FdbKeyValue| {
                (entry.key().to_vec(), Bytes::copy_from_slice(entry.value()))
            };
            Ok(Page { entries: values.iter().map(copy).collect(), more: values.more() })
        })
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        self.trx().set(key, value);
    }

    fn clear(&self, key: &[u8]) {
        self.trx().clear(key);
    }

    fn clear_range(&self, begin: &[u8], end: &[u8]) {
        self.trx().clear_range(begin, end);
    }

    fn set_stamped_key(&self, operand: &[u8], value: &[u8]) {
        self.trx().atomic_op(operand, value, MutationType::SetVersionstampedKey);
    }

    fn add_read_conflict(&self, key: &[u8]) -> Result<(), Fault> {
        self.add_conflict(key, ConflictRangeType::Read)
    }

    fn add_write_conflict(&self, key: &[u8]) -> Result<(), Fault> {
        self.add_conflict(key, ConflictRangeType::Write)
    }

    fn watch(&self, key: &[u8]) -> BoxFuture<'static, Result<(), Fault>> {
        boxed(self.trx().watch(key))
    }

    fn commit(self) -> BoxFuture<'static, Result<Committed, (Self, Fault)>> {
        let Self { state, purpose, settings } = self;
        let State::Open(trx) = state else {
            panic!("a transaction whose commit failed is not committed again")
        };
        let stamp = trx.get_versionstamp();
        let commit = trx.commit();
        Box::pin(async move {
            match commit.await {
                Ok(committed) => {
                    let stamp = stamp.await.map_err(Fault::from).and_then(|stamp| {
                        let bytes = (*stamp).try_into().map_err(|_| Fault::OPERATION_FAILED)?;
                        Ok(CommitStamp::from_bytes(bytes))
                    });
                    // The stamp must be had before its transaction goes.
                    drop(committed);
                    Ok(Committed { stamp })
                }
                Err(error) => {
                    let fault = Fault(error.code());
                    Err((Self { state: State::Failed(error), purpose, settings }, fault))
                }
            }
        })
    }

    fn on_error(self, fault: Fault) -> BoxFuture<'static, Result<Self, Fault>> {
        let Self { state, purpose, settings } = self;
        Box::pin(async move {
            let trx = match state {
                State::Open(trx) => trx.on_error(foundationdb::FdbError::from_code(fault.0)).await?,
                // It has kept the error.
                State::Failed(error) => error.on_error().await?,
            };
            Self::open(trx, purpose, settings)
        })
    }
}

fn boxed<T>(
    future: impl Future<Output = FdbResult<T>> + Send + 'static,
) -> BoxFuture<'static, Result<T, Fault>> {
    Box::pin(async move { Ok(future.await?) })
}
