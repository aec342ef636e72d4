//! `rookery chat`: a conversation in a terminal ([`run_terminal`]) or in JSON lines ([`run_json`]).
//!
//! Bodies are UTF-8 text.

mod broadcast_command;
mod calendar;
mod channel_command;
mod contact_command;
mod editor;
mod group_command;
mod json;
mod line_reader;
mod listing_command;
mod message_command;
mod people;
mod room;
mod rooms;
mod screen;
mod session;
mod terminal;
mod words;

use std::path::PathBuf;

use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use rookery_protocol::Handle;
use tokio::io::{AsyncRead, AsyncWrite};

pub use json::run_json_on;

use crate::{
    Client, Config, LmdbStore, LocalStoreError, NetworkDialer, NodeAddress, StartError, Started,
    TerminalError, TlsOptions, TokenProvider,
};

/// What a chat is told.
#[derive(Debug, Clone)]
pub struct ChatOptions {
    /// Nodes to connect to.
    pub nodes: Vec<NodeAddress>,
    /// Gives the token at each connection.
    pub token: TokenProvider,
    /// The directory of this device's local store; one chat at a time uses it.
    pub data_dir: PathBuf,
    /// Whom to trust on encrypted connections.
    pub tls: TlsOptions,
    /// Who chats, if that is known before the first connection.
    pub me: Option<Handle>,
    /// Whose conversation to open first.
    pub open: Option<Handle>,
}

/// Why a chat ended other than by its user's wish.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The local store cannot be opened, perhaps because another chat has it.
    #[error(transparent)]
    LocalStore(#[from] LocalStoreError),
    /// The client could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The client has ended by itself.
    #[error(transparent)]
    Ended(#[from] TerminalError),
    /// The terminal, or the other end of a pipe, is gone.
    #[error("the terminal cannot be used")]
    Terminal(#[from] std::io::Error),
}

/// Chats in JSON lines, as `docs/chat-json.md` says, until `quit` or the end of `stdin`.
///
/// With tokio's `stdin()` a read may be left behind in a thread that nothing can stop: end the process, or shut the
/// runtime down in the background, when this returns.
///
/// # Errors
/// When the local store is unusable, the server refuses this device, or `stdout` is closed.
pub async fn run_json(
    options: ChatOptions,
    stdin: impl AsyncRead + Unpin,
    stdout: impl AsyncWrite + Unpin,
) -> Result<(), ChatError> {
    Box::pin(run_json_on(start(&options)?, stdin, stdout)).await
}

/// Chats on this process's terminal until the user leaves; line by line when there is none.
///
/// With standard input that is no terminal, what [`run_json`] says about a read left behind holds here too.
///
/// # Errors
/// When the local store or the terminal is unusable, or the server refuses this device.
pub async fn run_terminal(options: ChatOptions) -> Result<(), ChatError> {
    let started = start(&options)?;
    Box::pin(terminal::run(&options, started)).await
}

fn start(options: &ChatOptions) -> Result<Started, ChatError> {
    let mut config = Config::new(options.nodes.clone(), options.token.clone());
    config.client_name = concat!("rookery-chat/", env!("CARGO_PKG_VERSION")).to_owned();
    let store = LmdbStore::open(&options.data_dir)?;
    let dialer = NetworkDialer::new(options.tls.clone());
    let rng = StdRng::try_from_rng(&mut SysRng).map_err(std::io::Error::other)?;
    Ok(Client::resume(config, dialer, store, rng)?)
}
