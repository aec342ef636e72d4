//! Servers to use instead, under the same workloads: somebody has started one, and this program loads it as it does a node.

mod server;
mod xmpp;

use clap::Subcommand;

use crate::report::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Peer {
    /// An XMPP server, such as ejabberd or Prosody.
    Xmpp(xmpp::Args),
}

/// Measures; the disk that holds `data` is asked beside it.
pub(crate) async fn run(data: &std::path::Path, peer: Peer) -> anyhow::Result<Report> {
    match peer {
        Peer::Xmpp(args) => xmpp::run(data, args).await,
    }
}
