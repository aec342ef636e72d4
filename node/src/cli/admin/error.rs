//! Why a command was not done, each kind with an exit code.

use serde::Serialize;

use crate::admin::api::{Failure, FailureCode};
use crate::cli::failure;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum AdminError {
    /// A node has answered that it will not.
    #[error("{}", refusal(.0))]
    Refused(Failure),
    /// A node has not answered.
    #[error("{who} does not answer: {why}")]
    NoAnswer { who: String, why: String },
    /// There is none to ask.
    #[error("{0}")]
    NoNode(String),
    /// Nobody has.
    #[error("no node answers: {}", listed(.0))]
    Nobody(Vec<Unanswered>),
    /// Some have not. What the others said has been shown.
    #[error("not all nodes answered: {}", listed(.0))]
    Partly(Vec<Unanswered>),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// A check found something.
    #[error("{findings} findings: the store does not hold what it promises")]
    Findings { findings: u64 },
    /// A drain has not emptied the node.
    #[error("{node} is not empty: {connections} connections and {slots} slots are left")]
    Late { node: String, connections: u64, slots: u32 },
}

/// A node that has not answered.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct Unanswered {
    pub(super) node: String,
    /// The URL it was asked at; empty: it has none.
    pub(super) admin: String,
    pub(super) error: String,
}

impl AdminError {
    pub(in crate::cli) fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(Failure { code: FailureCode::NotFound, .. }) | Self::NotFound(_) => {
                failure::NOT_FOUND
            }
            Self::Refused(_) => failure::OTHER,
            Self::NoAnswer { .. } | Self::NoNode(_) | Self::Nobody(_) | Self::Partly(_) => failure::NO_ANSWER,
            Self::Findings { .. } => failure::FINDINGS,
            Self::Late { .. } => failure::LATE,
        }
    }
}

/// Message and hint, the latter in words of the command line.
fn refusal(Failure { code, message, hint }: &Failure) -> String {
    let hint = match code {
        FailureCode::Unauthorized => {
            "name the file of this cluster's token with --token-file: on the nodes' machines it is keys/admin.token of \
             the data directory"
                .to_owned()
        }
        _ => hint
            .replace("GET /v1/nodes", "`rookery admin nodes`")
            .replace("GET /v1/bans", "`rookery admin ban list`")
            .replace("GET /v1/connections", "`rookery admin connections`")
            .replace("GET /v1/openapi.json lists them", "the node may be of another version"),
    };
    if hint.is_empty() { message.clone() } else { format!("{message}: {hint}") }
}

fn listed(nodes: &[Unanswered]) -> String {
    let said = nodes.iter().map(|Unanswered { node, admin, error }| match admin.as_str() {
        "" => format!("{node}: {error}"),
        admin => format!("{node} ({admin}): {error}"),
    });
    said.collect::<Vec<_>>().join("; ")
}
