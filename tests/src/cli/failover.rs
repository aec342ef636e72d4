//! `rookery-tests failover`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use rookery_tests::failover::{Failover as What, FailoverFault, measure};

use super::bar::Bar;

/// Takes a node away under an even load, again and again, and measures what people notice.
///
/// Exits with 1 when a message was lost, doubled or refused. For figures, build the node with --release and name it in
/// ROOKERY_BIN.
#[derive(Debug, clap::Args)]
pub(crate) struct Failover {
    /// What happens
    #[arg(long, value_enum, default_value_t = Fault::Kill)]
    fault: Fault,

    /// How often
    #[arg(long, default_value_t = 20)]
    runs: usize,

    /// Messages a second, all clients together
    #[arg(long, default_value_t = 1000)]
    rate: u32,

    /// Clients, each a user's only device
    #[arg(long, default_value_t = 200)]
    clients: usize,

    /// Nodes
    #[arg(long, default_value_t = 3)]
    nodes: usize,

    /// What the load grows from
    #[arg(long, env = "ROOKERY_SEED", default_value_t = 1)]
    seed: u64,

    /// Writes what was measured to this file too
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Fault {
    /// kill -9 of one node
    Kill,
    /// SIGSTOP of one node
    Stop,
    /// The link between two nodes falls silent
    Cut,
    /// Every node is drained and started again, one after the other
    Rolling,
}

impl Failover {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        ensure!(self.nodes >= 2 && self.clients >= 2, "it takes two nodes and two clients");
        let fault = match self.fault {
            Fault::Kill => FailoverFault::Kill,
            Fault::Stop => FailoverFault::Stop,
            Fault::Cut => FailoverFault::Cut,
            Fault::Rolling => FailoverFault::Rolling,
        };
        let Self { runs, nodes, clients, rate: messages_per_second, seed, .. } = self;
        let bar = Bar::new()?;
        let what = What { fault, runs, nodes, clients, messages_per_second, seed };
        let report = Box::pin(measure(what, &bar)).await?;
        bar.finish();
        print!("{report}");
        if let Some(file) = self.json {
            let text = serde_json::to_string_pretty(&report.json())? + "\n";
            std::fs::write(&file, text).with_context(|| file.display().to_string())?;
        }
        Ok(if report.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
