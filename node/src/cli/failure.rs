//! Failures: one message, and an exit code that scripts can tell apart.

use anyhow::Error;
use rookery_store::keys::node::NodeName;

use super::admin::AdminError;
use crate::config::ConfigError;
use crate::data_dir::DataDirError;
use crate::node::StartError;
use crate::store::OpenError;

/// Anything without a code of its own.
pub(super) const OTHER: u8 = 1;
/// The arguments are wrong.
pub(super) const USAGE: u8 = 2;
/// The configuration or the certificate is wrong.
pub(super) const CONFIG: u8 = 3;
/// The data directory cannot be used.
pub(super) const DATA_DIR: u8 = 4;
/// An address cannot be listened on.
pub(super) const LISTEN: u8 = 5;
/// The store cannot be opened.
pub(super) const STORE: u8 = 6;
/// The machine is not fit: clock or limits.
pub(super) const MACHINE: u8 = 7;
/// There is no such user, device, group, node, ban, report or connection.
pub(super) const NOT_FOUND: u8 = 8;
/// A node that was asked did not answer.
pub(super) const NO_ANSWER: u8 = 9;
/// A check found something.
pub(super) const FINDINGS: u8 = 10;
/// What was to be done by a time was not.
pub(super) const LATE: u8 = 11;

/// One of the nodes of `rookery up` does not start. The process that was to be the node has said why.
#[derive(Debug, thiserror::Error)]
#[error("node {node}: {message}")]
pub(super) struct NodeFailed {
    pub(super) node: NodeName,
    pub(super) message: String,
    /// What the process ended with, unless a signal ended it.
    pub(super) code: Option<u8>,
}

/// The error and its causes, each said once.
pub(super) fn message(error: &Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some libraries repeat their source in their own message.
        if !text.contains(&cause) {
            text += ": ";
            text += &cause;
        }
    }
    text
}

/// What the process ends with.
pub(super) fn exit_code(error: &Error) -> u8 {
    if error.is::<ConfigError>() {
        CONFIG
    } else if error.is::<DataDirError>() {
        DATA_DIR
    } else if error.is::<OpenError>() {
        STORE
    } else if let Some(error) = error.downcast_ref::<AdminError>() {
        error.exit_code()
    } else if let Some(failed) = error.downcast_ref::<NodeFailed>() {
        failed.code.filter(|code| *code != 0).unwrap_or(OTHER)
    } else {
        error.downcast_ref::<StartError>().map_or(OTHER, start_code)
    }
}

fn start_code(error: &StartError) -> u8 {
    match error {
        StartError::Clock { .. } | StartError::OpenFiles { .. } => MACHINE,
        StartError::DataDir(_) => DATA_DIR,
        StartError::Certificate(_) | StartError::LinkTls(_) => CONFIG,
        StartError::Listen(_) => LISTEN,
        StartError::Store(_) | StartError::Join(_) => STORE,
        StartError::Actors(_) => OTHER,
    }
}
