//! A durable local store: an LMDB database, a log of positions taken since its last commit, and a lock file.
//!
//! Keys of the one database: `c` the cursor, `i` the owner, `p` and a conversation its position, `t` and a conversation its
//! timer, `o` and an order (8 bytes, big-endian) an unconfirmed message. A position is the larger of the database's and the log's.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvOpenOptions, RoTxn, RwTxn, WithoutTls};
use rookery_protocol::{
    ConversationId, DeviceId, Seq, Stamp, UserId, decode_value, encode_value, positional,
};

use super::taken_log::TakenLog;
use super::{Batch, Commit, LocalStore, LocalStoreError, OutboxEntry, Saved, Timer};

/// Address space for the database, which is a sparse file: positions, and an outbox that is bounded far below.
const MAP_BYTES: usize = 1 << 30;

type Entries<'e> = Database<'e, Bytes, Bytes>;

positional! {
    /// Whose store this is.
    pub struct Owner {
        /// The user.
        pub user: UserId,
        /// The device.
        pub device: DeviceId,
    }
}

/// A durable local store in a directory of its own.
///
/// Survives the death of the process at any moment, and of the machine. A second opener is refused.
#[derive(Debug)]
pub struct LmdbStore {
    shared: Arc<Opened>,
    /// Noted and not yet in a commit.
    noted: BTreeMap<ConversationId, Seq>,
}

#[derive(Debug)]
struct Opened {
    path: PathBuf,
    env: Env<WithoutTls>,
    taken: Mutex<TakenLog>,
    /// Held for as long as the store is open; the system drops it with the process.
    _lock: File,
}

impl LmdbStore {
    /// Opens the store in `directory`, made if need be.
    ///
    /// # Errors
    /// [`LocalStoreError::InUse`] while anybody has it open; otherwise when the directory or the database is unusable.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, LocalStoreError> {
        let path = directory.as_ref().to_path_buf();
        let io = |problem| {
            let path = path.clone();
            move |error| LocalStoreError::Io { path, problem, source: Arc::new(error) }
        };
        // What a person writes and has not sent is in it: it is its owner's alone.
        private_directories().create(&path).map_err(io("the directory cannot be made"))?;
        let lock = File::create(path.join("lock")).map_err(io("the lock file cannot be made"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LocalStoreError::InUse(path)),
            Err(TryLockError::Error(error)) => return Err(io("the directory cannot be locked")(error)),
        }
        let taken = TakenLog::open(&path).map_err(io("the position log cannot be opened"))?;
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(MAP_BYTES);
        // The lock above makes this process, and this value in it, the only one to open the database.
        #[expect(
            unsafe_code,
            reason = "LMDB maps a file that nobody else may change; the lock file sees to that"
        )]
        let env = unsafe { options.open(&path) }
            .map_err(|error| LocalStoreError::Database { path: path.clone(), source: Arc::new(error) })?;
        let shared = Arc::new(Opened { path, env, taken: Mutex::new(taken), _lock: lock });
        Ok(Self { shared, noted: BTreeMap::new() })
    }
}

/// Makes directories that nobody else may look into, where the system knows of such.
fn private_directories() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

impl Opened {
    fn database_error(&self, error: heed::Error) -> LocalStoreError {
        LocalStoreError::Database { path: self.path.clone(), source: Arc::new(error) }
    }

    fn log_error(&self, error: std::io::Error) -> LocalStoreError {
        let problem = "the position log cannot be used";
        LocalStoreError::Io { path: self.path.clone(), problem, source: Arc::new(error) }
    }

    fn taken(&self) -> MutexGuard<'_, TakenLog> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `write` in a transaction of its own and waits until it is on the disk.
    fn write(
        &self,
        write: impl for<'e> FnOnce(Entries<'e>, &mut RwTxn<'e>) -> heed::Result<()>,
    ) -> heed::Result<()> {
        let transaction = self.env.write_txn()?;
        self.env.create_databases_and_commit(transaction, |opener, transaction| {
            let entries = opener.create_database(transaction, None)?;
            write(entries, transaction)?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(()))
        })?;
        Ok(())
    }

    fn commit(&self, batch: &Batch, noted: &BTreeMap<ConversationId, Seq>) -> Result<(), LocalStoreError> {
        self.write(|entries, transaction| {
            if let Some((user, device)) = batch.device {
                entries.put(transaction, b"i", &encoded(&Owner { user, device }))?;
            }
            if let Some(cursor) = batch.cursor {
                entries.put(transaction, b"c", cursor.as_bytes())?;
            }
            for (conversation, seq) in noted {
                entries.put(transaction, &position_key(*conversation), &seq.get().to_be_bytes())?;
            }
            for entry in &batch.outbox_added {
                entries.put(transaction, &outbox_key(entry.order), &encoded(entry))?;
            }
            for order in &batch.outbox_removed {
                entries.delete(transaction, &outbox_key(*order))?;
            }
            for timer in &batch.timers {
                entries.put(transaction, &timer_key(timer.conversation), &encoded(timer))?;
            }
            Ok(())
        })
        .map_err(|error| self.database_error(error))?;
        self.taken().drop_committed().map_err(|error| self.log_error(error))
    }
}

impl LocalStore for LmdbStore {
    fn load(&mut self) -> Result<Saved, LocalStoreError> {
        let opened = &self.shared;
        let mut found: Result<Saved, LocalStoreError> = Ok(Saved::default());
        opened
            .write(|entries, transaction| {
                found = read_all(&opened.path, entries, transaction)?;
                Ok(())
            })
            .map_err(|error| opened.database_error(error))?;
        let mut saved = found?;
        let mut positions: BTreeMap<_, _> = saved.positions.into_iter().collect();
        let logged = opened.taken().read().map_err(|error| opened.log_error(error))?;
        for (conversation, seq) in logged {
            let position = positions.entry(conversation).or_insert(seq);
            *position = seq.max(*position);
            self.noted.insert(conversation, *position);
        }
        if !self.noted.is_empty() {
            opened.taken().switch();
            opened.commit(&Batch::default(), &std::mem::take(&mut self.noted))?;
            // Both files are in the database now.
            opened.taken().switch();
            opened.taken().drop_committed().map_err(|error| opened.log_error(error))?;
        }
        saved.positions = positions.into_iter().collect();
        Ok(saved)
    }

    fn note_taken(&mut self, conversation: ConversationId, seq: Seq) -> Result<(), LocalStoreError> {
        self.shared.taken().append(conversation, seq).map_err(|error| self.shared.log_error(error))?;
        self.noted.insert(conversation, seq);
        Ok(())
    }

    fn commit(&mut self, batch: Batch) -> Commit {
        for (conversation, begins_at) in &batch.positions {
            let position = self.noted.entry(*conversation).or_default();
            *position = (*begins_at).max(*position);
        }
        let noted = std::mem::take(&mut self.noted);
        self.shared.taken().switch();
        let shared = self.shared.clone();
        let task = tokio::task::spawn_blocking(move || shared.commit(&batch, &noted));
        Commit::Pending(Box::pin(async move {
            task.await
                .unwrap_or_else(|_| Err(LocalStoreError::Other("the commit's thread was stopped".into())))
        }))
    }
}

fn read_all(
    path: &Path,
    entries: Entries<'_>,
    transaction: &RoTxn<'_>,
) -> heed::Result<Result<Saved, LocalStoreError>> {
    let mut saved = Saved::default();
    for entry in entries.iter(transaction)? {
        let (key, value) = entry?;
        if let Err(what) = read_entry(&mut saved, key, value) {
            return Ok(Err(LocalStoreError::Foreign { path: path.to_path_buf(), what }));
        }
    }
    Ok(Ok(saved))
}

fn read_entry(saved: &mut Saved, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
    match key {
        b"c" => {
            let bytes = value.try_into().map_err(|_| "a cursor that is none")?;
            saved.cursor = Some(Stamp::from_bytes(bytes));
        }
        b"i" => {
            let owner: Owner = decode_value(value).map_err(|_| "an owner that is none")?;
            saved.device = Some((owner.user, owner.device));
        }
        [b'p', conversation @ ..] => {
            let what = "a position that is none";
            let conversation = ConversationId::from_bytes(conversation).map_err(|_| what)?;
            let seq = u64::from_be_bytes(value.try_into().map_err(|_| what)?);
            saved.positions.push((conversation, Seq::new(seq)));
        }
        [b't', ..] => {
            let timer: Timer = decode_value(value).map_err(|_| "a timer that is none")?;
            saved.timers.push(timer);
        }
        [b'o', ..] => {
            let entry: OutboxEntry = decode_value(value).map_err(|_| "an unsent message that is none")?;
            saved.outbox.push(entry);
        }
        _ => return Err("a key that is not known"),
    }
    Ok(())
}

fn encoded(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_value(&mut bytes, value);
    bytes
}

fn position_key(conversation: ConversationId) -> Vec<u8> {
    let bytes = conversation.to_bytes();
    [b"p", &bytes[..]].concat()
}

fn timer_key(conversation: ConversationId) -> Vec<u8> {
    let bytes = conversation.to_bytes();
    [b"t", &bytes[..]].concat()
}

fn outbox_key(order: u64) -> [u8; 9] {
    let mut key = [b'o'; 9];
    key[1..].copy_from_slice(&order.to_be_bytes());
    key
}
