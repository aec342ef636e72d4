//! `rookery-tests chaos`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use rookery_tests::chaos::{ClusterPlan, ClusterShape, Kind, Plan, Shape, run, run_cluster};

use super::bar::Bar;

/// Many clients on bad networks, and nodes, links, disks and clocks that fail again and again.
///
/// At the end everything is healed, and what the clients have seen is held against the invariants. Exits with 1 when
/// one is broken, or anything else was not as it should be. The same seed gives the same plan.
#[derive(Debug, clap::Args)]
pub(crate) struct Chaos {
    /// Nodes; 1 is a node alone that is killed again and again
    #[arg(long, default_value_t = 3)]
    nodes: usize,

    /// Clients, of somewhat fewer users
    #[arg(long, default_value_t = 200)]
    clients: usize,

    /// Users besides who have no client: members of groups who are never connected
    #[arg(long, default_value_t = 0)]
    absent: usize,

    /// What the plan grows from [default: a random one, which is printed]
    #[arg(long, env = "ROOKERY_SEED")]
    seed: Option<u64>,

    /// How long it storms
    #[arg(long, default_value_t = 3, conflicts_with_all = ["seconds", "kills"])]
    minutes: u64,

    /// How long it storms, in seconds [default for one node: 3, and 3 for each kill]
    #[arg(long)]
    seconds: Option<u64>,

    /// Groups at first, of 2 members to all users: a third of the messages goes to them, and members come and go
    #[arg(long, default_value_t = 20)]
    groups: usize,

    /// Messages a second, all clients together [default: 60, and one for every other client]
    #[arg(long)]
    rate: Option<u32>,

    /// Only these faults, by name ("killed", "link silent", ...) [default: all]
    #[arg(long, value_delimiter = ',', value_parser = kind)]
    faults: Vec<Kind>,

    /// Only print what would befall the nodes
    #[arg(long)]
    plan: bool,

    /// Where the report is written [default: target/chaos/SEED]
    #[arg(long)]
    report: Option<PathBuf>,

    /// With one node: how often it is killed with -9 and started again
    #[arg(long, default_value_t = 10)]
    kills: usize,
}

fn kind(name: &str) -> Result<Kind, String> {
    let all = || Kind::ALL.map(Kind::name).join(", ");
    Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| format!("known are: {}", all()))
}

impl Chaos {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        ensure!(self.clients >= 2, "a conversation takes two clients");
        let seed = self.seed.unwrap_or_else(rand::random);
        if self.nodes == 1 { self.one_node(seed).await } else { self.cluster(seed).await }
    }

    async fn one_node(self, seed: u64) -> Result<ExitCode> {
        let mut shape = Shape::new(self.clients, self.kills);
        if let Some(seconds) = self.seconds {
            shape.storm = Duration::from_secs(seconds.max(1));
        }
        let (clients, kills) = (self.clients, self.kills);
        println!("seed {seed}: replay with --nodes 1 --clients {clients} --kills {kills} --seed {seed}");
        let bar = Bar::new()?;
        let report = Box::pin(run(&Plan::new(seed, shape), &bar)).await?;
        bar.finish();
        print!("{report}");
        Ok(if report.verdict.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn cluster(self, seed: u64) -> Result<ExitCode> {
        ensure!(self.nodes >= 2, "there is no cluster without nodes");
        let seconds = self.seconds.unwrap_or(self.minutes * 60).max(1);
        let mut shape = ClusterShape::new(self.clients, Duration::from_secs(seconds));
        (shape.nodes, shape.groups, shape.absent) = (self.nodes, self.groups, self.absent);
        if let Some(rate) = self.rate {
            shape.messages_per_second = rate;
        }
        let mut replay = format!("--seconds {seconds} --nodes {} --clients {}", self.nodes, self.clients);
        replay += &format!(" --groups {} --rate {} --seed {seed}", self.groups, shape.messages_per_second);
        if self.absent > 0 {
            replay += &format!(" --absent {}", self.absent);
        }
        if !self.faults.is_empty() {
            replay += &format!(
                " --faults '{}'",
                self.faults.iter().map(|it| it.name()).collect::<Vec<_>>().join(",")
            );
            shape.kinds.clone_from(&self.faults);
        }
        let plan = ClusterPlan::new(seed, shape);
        print!("{plan}");
        if self.plan {
            return Ok(ExitCode::SUCCESS);
        }
        println!("replay with: rookery-tests chaos {replay}");
        let directory = self.report.unwrap_or_else(|| PathBuf::from(format!("target/chaos/{seed}")));
        let bar = Bar::new()?;
        let report = Box::pin(run_cluster(&plan, &bar)).await?;
        bar.finish();
        report.write(&directory)?;
        print!("{report}");
        println!("\nthe timeline and the plot are in {}", directory.display());
        if report.verdict.is_good() {
            return Ok(ExitCode::SUCCESS);
        }
        println!("NOT RIGHT; replay with: rookery-tests chaos {replay}");
        Ok(ExitCode::FAILURE)
    }
}
